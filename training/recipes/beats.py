"""The notes stage on beats. `beats` is for one CPU core, `beats-tiny` for tests."""

from __future__ import annotations

from training.losses.beats import BeatsPreset, BeatsTask
from training.nets.beats import BeatsConfig
from training.recipes import Recipe
from training.run import Schedule

BEATS: dict[str, BeatsPreset] = {
    "beats": BeatsPreset(),
    "beats-tiny": BeatsPreset(
        BeatsConfig(
            width=32, context_layers=2, prior_layers=2, layers=2, heads=2, key_width=16,
            channels=16, window=12, memory=16, ahead=8,
        ),
        Schedule(rate=3e-3, warm_up=20, clip=5.0, ema=200),
        tokens=32,
    ),
}  # fmt: skip

RECIPE = Recipe(
    "music on a beat grid",
    "python -m training.data.beats",
    BEATS,
    lambda preset, name, data, checkpoint: BeatsTask(preset, name, data),
)
