"""The notes stage on beats. `beats` is for one CPU core, `beats-tiny` for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.nets.beats import BeatsConfig
from training.run import Schedule


@dataclass(frozen=True)
class BeatsPreset:
    """`tokens` of an excerpt, `batch` excerpts; where the noise falls: ln(sigma) ~ N(mean, std^2),
    within `sigma_min` and `sigma_max`, for each block. In a share `mixed` of the blocks some cells
    are nearly clean (`sigma_min`) and all others nearly unknown (`sigma_blind`).
    """

    network: BeatsConfig = field(default_factory=BeatsConfig)
    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            rate=1.5e-3, warm_up=800, decay_after=0.5, clip=5.0, ema=4_000, bfloat16=True
        )
    )
    tokens: int = 320
    batch: int = 4
    mean: float = 0.0
    std: float = 0.8
    sigma_min: float = 0.15
    sigma_max: float = 10.0
    mixed: float = 0.5
    sigma_blind: float = 6.0


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
