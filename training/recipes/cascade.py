"""The cascade: notes first, then their sound. Presets of its second stage, the sound of notes.

EDM (Karras et al. 2022) over spectrogram columns, given notes and the columns before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from training.data.blocks import SpectrogramConfig
from training.edm import NoiseLevels
from training.nets.columns import ColumnsConfig
from training.run import Schedule


@dataclass(frozen=True)
class SoundPreset:
    """Everything a run of the sound stage needs to know but the data and the time.

    `context_noise` is the largest sigma added to the past, `context_dropout` how often there is no
    past, `style_dropout` how often one of the style conditions is not told. `front` weighs the
    physical front's own error, so that it learns spectra rather than what the trunk leaves over.
    """

    spectrogram: SpectrogramConfig
    network: ColumnsConfig
    noise: NoiseLevels = field(default_factory=lambda: NoiseLevels(-0.4, 1.4))
    batch: int = 16
    schedule: Schedule = field(
        default_factory=lambda: Schedule(rate=1.5e-3, warm_up=3_200, ema=16_000)
    )
    front: float = 0.5
    context_noise: float = 0.3
    context_dropout: float = 0.15
    style_dropout: float = 0.15


SOUND: dict[str, SoundPreset] = {
    # What ships: seven layers that a CPU plays with time to spare.
    "sound-24k": SoundPreset(SpectrogramConfig(rate=24000, frames=64), ColumnsConfig()),
    # The same for a GPU: wider, deeper.
    "sound-24k-full": SoundPreset(
        SpectrogramConfig(rate=24000, frames=64),
        ColumnsConfig(
            width=768,
            hidden=2304,
            dilations=(1, 1, 2, 1, 2, 4, 1, 1, 2, 4, 2, 1),
            embedding=192,
        ),
        batch=96,
        schedule=Schedule(rate=1.5e-3, warm_up=19_200, ema=96_000),
    ),
    # Seconds on any machine, for tests: everything tiny.
    "sound-tiny": SoundPreset(
        SpectrogramConfig(rate=8000, window=128, hop=32, frames=16),
        ColumnsConfig(
            rate=8000, hop=32, bins=64, frames=16, past=8, history=8, width=32, hidden=48,
            dilations=(1, 2), embedding=16,
        ),
        batch=4,
        schedule=Schedule(warm_up=40, ema=4_000),
    ),
}  # fmt: skip
