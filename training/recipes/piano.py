"""The piano continuation system: "Diffusion Based Audio Generation" (Nithyaganesh).

A recipe is a table of presets: the spectrogram, the network, and the training settings. The
paper's two presets stand first; `piano-16k` is the one that ships.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from training.data.blocks import SpectrogramConfig
from training.edm import NoiseLevels
from training.nets.unet import UNetConfig


@dataclass(frozen=True)
class Preset:
    """Everything a run needs to know but the data and the time.

    `warm_up` and `ema` (how far back the averaged weights reach) are in samples.

    The exposure-bias guards: `context_noise` is the largest sigma added to the past,
    `context_dropout` how often there is no past, `rollout_share` how often the past is the
    model's own re-imagination, in the last `rollout_after` part of the run.
    """

    spectrogram: SpectrogramConfig
    network: UNetConfig
    noise: NoiseLevels = field(default_factory=NoiseLevels)
    batch: int = 8
    rate: float = 3e-3
    decay_after: float = 0.5
    warm_up: int = 480
    ema: int = 8_000
    context_noise: float = 0.3
    context_dropout: float = 0.1
    rollout_share: float = 0.25
    rollout_after: float = 0.7


_PAPER = {"columns": False, "memory": False}

PRESETS: dict[str, Preset] = {
    # Table I of the paper: 128x128, 8 kHz, Hann 256, hop 128 (2.048 s a block).
    "paper-128": Preset(
        SpectrogramConfig(rate=8000, window=256, hop=128, frames=128),
        UNetConfig(
            bins=128,
            frames=128,
            patch=(1, 1),
            channels=(32, 64, 128, 128, 256),
            context_channels=(16, 32, 64, 64, 128),
            **_PAPER,
        ),
    ),
    # Table I of the paper: 256x256, 8 kHz, Hann 512, hop 64 (2.048 s a block).
    "paper-256": Preset(
        SpectrogramConfig(rate=8000, window=512, hop=64, frames=256),
        UNetConfig(
            bins=256,
            frames=256,
            patch=(1, 1),
            channels=(32, 64, 128, 128, 256),
            context_channels=(16, 32, 64, 64, 128),
            **_PAPER,
        ),
    ),
    # What ships: twice the band, a patch stem, so that it plays in real time on two CPU cores.
    "piano-16k": Preset(
        SpectrogramConfig(),
        UNetConfig(
            patch=(8, 4), channels=(64, 96, 128, 192, 256), context_channels=(32, 48, 64, 96, 128)
        ),
        noise=NoiseLevels(0.1, 1.4),
    ),
    # The same for a GPU: wider, more blocks, for the day there is one.
    "piano-16k-full": Preset(
        SpectrogramConfig(),
        UNetConfig(
            patch=(4, 2),
            channels=(96, 160, 256, 320, 384),
            blocks=(2, 2, 2, 2, 2),
            context_channels=(48, 80, 128, 160, 192),
            embedding=384,
        ),
        noise=NoiseLevels(0.1, 1.4),
        batch=64,
    ),
    # Seconds on any machine, for tests: everything tiny.
    "tiny": Preset(
        SpectrogramConfig(rate=8000, window=128, hop=32, frames=32),
        UNetConfig(
            bins=64,
            frames=32,
            patch=(2, 1),
            channels=(8, 8, 12, 12, 16),
            context_channels=(8, 8, 8, 8, 8),
            embedding=16,
        ),
        batch=4,
    ),
}
