"""The piano continuation system: "Diffusion Based Audio Generation" (Nithyaganesh).

`piano-16k` shipped as pack 1.0.0; `paper-128` and `paper-256` are Table I of the paper.
"""

from __future__ import annotations

from training.data.blocks import Normalisation, SpectrogramConfig
from training.losses.edm import NoiseLevels
from training.losses.spectrogram import SpectrogramPreset, SpectrogramTask
from training.nets.unet import UNetConfig
from training.recipes import Recipe
from training.run import Schedule

SPECTROGRAM: dict[str, SpectrogramPreset] = {
    # Twice the band of the paper, and a patch stem, so that two CPU cores play it in real time.
    "piano-16k": SpectrogramPreset(
        SpectrogramConfig(),
        UNetConfig(
            patch=(8, 4), channels=(64, 96, 128, 192, 256), context_channels=(32, 48, 64, 96, 128)
        ),
        noise=NoiseLevels(0.1, 1.4),
    ),
    # Table I of the paper: 128x128, 8 kHz, Hann 256, hop 128 (2.048 s a block).
    "paper-128": SpectrogramPreset(
        SpectrogramConfig(rate=8000, window=256, hop=128, frames=128),
        UNetConfig(
            bins=128,
            frames=128,
            patch=(1, 1),
            channels=(32, 64, 128, 128, 256),
            context_channels=(16, 32, 64, 64, 128),
            columns=False,
            memory=False,
        ),
    ),
    # Table I of the paper: 256x256, 8 kHz, Hann 512, hop 64 (2.048 s a block).
    "paper-256": SpectrogramPreset(
        SpectrogramConfig(rate=8000, window=512, hop=64, frames=256),
        UNetConfig(
            bins=256,
            frames=256,
            patch=(1, 1),
            channels=(32, 64, 128, 128, 256),
            context_channels=(16, 32, 64, 64, 128),
            columns=False,
            memory=False,
        ),
    ),
    # Wider, with more blocks, for a GPU; never trained.
    "piano-16k-full": SpectrogramPreset(
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
    # For tests: seconds on any machine.
    "spectrogram-tiny": SpectrogramPreset(
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
        schedule=Schedule(
            rate=2e-2, warm_up=20, decay_after=0.5, clip=float("inf"), ema=400, weight_decay=0.0
        ),
    ),
}

RECIPE = Recipe(
    "blocks of a spectrogram",
    "python -m training.data.build",
    SPECTROGRAM,
    lambda preset, name, data, checkpoint: SpectrogramTask(
        preset, name, data, Normalisation.of(checkpoint)
    ),
)
