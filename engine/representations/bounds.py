"""The projection of numbers that have no other structure: every value is held within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.protocol import Array, Event, State
from engine.sampling.replace import Replace
from engine.signal.roll import Note

__all__ = ["Bounds"]


class Bounds:
    """Holds values within ``-limit .. limit``; what is not a number becomes 0.

    A network that diverges would otherwise feed its own overflow back as the past. It has no
    state.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit

    def reset(self) -> None:
        """There is nothing to reset."""

    def known(self, keys: tuple[int, ...], block: int) -> Replace | None:
        """None: keys fix no cells here."""
        return None

    def project(self, block: Array, keep: int) -> tuple[Array, tuple[Event, ...]]:
        """Return the block [rows, n] within the bounds; there are no events."""
        limit = self._limit
        held = np.nan_to_num(block, nan=0.0, posinf=limit, neginf=-limit)
        np.clip(held, -limit, limit, out=held)
        return held, ()

    def past(self, notes: Iterable[Note], end: float, frames: int) -> Array:
        """Refuse: there are no notes here."""
        raise ConfigError("notes cannot be written into this signal; choose one of kind 'roll'")

    def state(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """There is nothing to restore."""
