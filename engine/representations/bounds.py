"""The projection of signals without structure: it clips every value."""

from __future__ import annotations

import numpy as np

from engine.representations.note_free_projection import NoteFreeProjection
from engine.representations.protocol import Array, Event

__all__ = ["Bounds"]


class Bounds(NoteFreeProjection):
    """Clips values to ``-limit .. limit``; NaN becomes 0.

    Otherwise the overflow of a network that diverges would become its past.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit

    def project(self, block: Array, keep: int) -> tuple[Array, tuple[Event, ...]]:
        """The clipped block [rows, n]; there are no events."""
        limit = self._limit
        clipped = np.nan_to_num(block, nan=0.0, posinf=limit, neginf=-limit)
        np.clip(clipped, -limit, limit, out=clipped)
        return clipped, ()
