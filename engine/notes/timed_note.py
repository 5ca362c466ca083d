"""A note on the samples of a block. Immutable."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TimedNote", "later_notes"]


@dataclass(frozen=True)
class TimedNote:
    """A key goes down, or with velocity 0 up, `offset` samples after a block's first sample."""

    offset: int
    pitch: int
    velocity: int


def later_notes(notes: tuple[TimedNote, ...], offset: int) -> tuple[TimedNote, ...]:
    """Notes timed from a later sample; those before it are left out."""
    later = [n for n in notes if n.offset >= offset]
    return tuple(TimedNote(n.offset - offset, n.pitch, n.velocity) for n in later)
