"""A note event timed in samples of a block. Immutable."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TimedNote"]


@dataclass(frozen=True)
class TimedNote:
    """A key goes down, or with velocity 0 up, `offset` samples after the first of a block."""

    offset: int
    pitch: int
    velocity: int
