"""The notes stage: block diffusion over rolls. `notes` ships; `notes-full` is for a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.nets.notes import NotesConfig
from training.run import Schedule


@dataclass(frozen=True)
class NotesPreset:
    """`tokens` of an excerpt, `batch` excerpts; where the noise falls: ln(sigma) ~ N(mean, std^2),
    held within `sigma_min` and `sigma_max`, and a share `blind` of blocks near the top, where a
    block is known by its past alone.
    """

    network: NotesConfig = field(default_factory=NotesConfig)
    schedule: Schedule = field(default_factory=lambda: Schedule(rate=1.5e-3, clip=5.0))
    tokens: int = 160
    batch: int = 6
    mean: float = -0.2
    std: float = 0.8
    sigma_min: float = 0.15
    sigma_max: float = 10.0
    blind: float = 0.15
    context_noise: float = 0.3


NOTES: dict[str, NotesPreset] = {
    "notes": NotesPreset(),
    "notes-full": NotesPreset(
        NotesConfig(width=512, context_layers=8, layers=6, heads=8),
        Schedule(rate=1e-3, warm_up=12_800, clip=5.0, ema=64_000),
        tokens=256,
        batch=64,
    ),
    "notes-tiny": NotesPreset(
        NotesConfig(width=32, context_layers=1, layers=1, heads=2), tokens=32, batch=4
    ),
}
