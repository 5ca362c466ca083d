"""The projection of numbers that have no other structure: every value is held within bounds."""

from __future__ import annotations

import numpy as np

from engine.representations.note_free_projection import NoteFreeProjection
from engine.representations.protocol import Array, Event

__all__ = ["Bounds"]


class Bounds(NoteFreeProjection):
    """Holds values within ``-limit .. limit``; what is not a number becomes 0.

    A network that diverges would otherwise feed its own overflow back as the past.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit

    def project(self, block: Array, keep: int) -> tuple[Array, tuple[Event, ...]]:
        """Return the block [rows, n] within the bounds; there are no events."""
        limit = self._limit
        held = np.nan_to_num(block, nan=0.0, posinf=limit, neginf=-limit)
        np.clip(held, -limit, limit, out=held)
        return held, ()
