"""One recipe for each system of the literature that the project implements.

A file defines `RECIPE`: a table of presets, and how data, network and loss are put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from training.run import Checkpoint, Task

NAMES = ("spectrogram", "notes", "sound", "beats")


@dataclass(frozen=True)
class Recipe:
    """How one system is trained.

    Parameters
    ----------
    about : the system, in a few words.
    data : the program that builds its dataset.
    presets : by name, the default first; each has a `schedule`.
    task : (preset, its name, dataset folder, checkpoint to continue from or None) to the task.
        Raises FileNotFoundError or ValueError when the folder is no dataset for it.
    """

    about: str
    data: str
    presets: Mapping[str, Any]
    task: Callable[[Any, str, Path, Checkpoint | None], Task[Any]]


def find_recipe(name: str) -> Recipe:
    """The recipe of that name: one of `NAMES`."""
    return import_module(f"training.recipes.{name}").RECIPE
