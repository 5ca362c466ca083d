"""What the walk of a plan produces for one request. Immutable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.notes.timed_note import TimedNote

__all__ = ["Produced"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Produced:
    """A chunk of the output.

    `rewind`: how many samples that came before it replaces. `notes` are timed from its first
    sample; they may lie beyond its last one, as notes are known before they sound. `faults` has one
    line for each thing that was wrong with what the networks answered.
    """

    samples: Array
    evaluations: int
    rewind: int = 0
    notes: tuple[TimedNote, ...] = ()
    faults: tuple[str, ...] = ()
