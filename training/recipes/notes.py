"""The notes stage: block diffusion over rolls. `notes` ships; `notes-full` is for a GPU."""

from __future__ import annotations

from training.losses.notes import NotesPreset, NotesTask
from training.nets.notes import NotesConfig
from training.recipes import Recipe
from training.run import Schedule

NOTES: dict[str, NotesPreset] = {
    "notes": NotesPreset(),
    "notes-full": NotesPreset(
        NotesConfig(width=512, context_layers=8, layers=6, heads=8),
        Schedule(rate=1e-3, warm_up=12_800, clip=5.0, ema=64_000),
        tokens=256,
        batch=64,
    ),
    "notes-tiny": NotesPreset(
        NotesConfig(width=32, context_layers=1, layers=1, heads=2),
        Schedule(rate=5e-3, warm_up=20, clip=5.0, ema=400),
        tokens=32,
        batch=4,
    ),
}

RECIPE = Recipe(
    "notes as piano rolls",
    "python -m training.data.rolls",
    NOTES,
    lambda preset, name, data, checkpoint: NotesTask(preset, name, data),
)
