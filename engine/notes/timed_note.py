"""A note on the samples of a block. Immutable."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TimedNote"]


@dataclass(frozen=True)
class TimedNote:
    """A key goes down, or with velocity 0 up, `offset` samples after a block's first sample."""

    offset: int
    pitch: int
    velocity: int
