"""The sound of notes: EDM (Karras et al. 2022) over spectrogram columns, conditioned on notes.

`sound-24k` ships as the second stage of the piano; `sound-24k-full` is for a GPU.
"""

from __future__ import annotations

from training.data.blocks import Normalisation, SpectrogramConfig
from training.losses.sound import SoundPreset, SoundTask
from training.nets.columns import ColumnsConfig
from training.recipes import Recipe
from training.run import Schedule

SOUND: dict[str, SoundPreset] = {
    "sound-24k": SoundPreset(SpectrogramConfig(rate=24000, frames=64), ColumnsConfig()),
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
    "sound-tiny": SoundPreset(
        SpectrogramConfig(rate=8000, window=128, hop=32, frames=16),
        ColumnsConfig(
            rate=8000, hop=32, bins=64, frames=16, past=8, history=8, width=32, hidden=48,
            dilations=(1, 2), embedding=16,
        ),
        batch=4,
        schedule=Schedule(rate=5e-3, warm_up=20, ema=400),
    ),
}  # fmt: skip

RECIPE = Recipe(
    "the spectrogram of notes",
    "python -m training.data.build --kit",
    SOUND,
    lambda preset, name, data, checkpoint: SoundTask(
        preset, name, data, Normalisation.of(checkpoint)
    ),
)
