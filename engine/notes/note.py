"""Notes as values, and the keys of a piano. Pure data: any thread."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LOWEST", "PITCHES", "Note", "NoteEvent"]

LOWEST = 21  # A0
PITCHES = 88


@dataclass(frozen=True)
class Note:
    """A note: `pitch` (MIDI number), `velocity` 1..127, `start` and `end` in seconds."""

    pitch: int
    velocity: int
    start: float
    end: float


@dataclass(frozen=True)
class NoteEvent:
    """A key goes down, or with velocity 0 up, `seconds` after the start of the stream."""

    seconds: float
    pitch: int
    velocity: int
