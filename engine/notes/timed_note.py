"""A note event timed in samples of a block. Immutable."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TimedNote", "later_notes"]


@dataclass(frozen=True)
class TimedNote:
    """A key goes down, or with velocity 0 up, `offset` samples after the first of a block."""

    offset: int
    pitch: int
    velocity: int


def later_notes(notes: tuple[TimedNote, ...], offset: int) -> tuple[TimedNote, ...]:
    """Notes timed from a later sample; those before it are left out."""
    later = [n for n in notes if n.offset >= offset]
    return tuple(TimedNote(n.offset - offset, n.pitch, n.velocity) for n in later)
