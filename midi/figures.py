"""What the MIDI desk tells of itself. Pure data, any thread."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MidiFigures"]


@dataclass(frozen=True)
class MidiFigures:
    """Counts of messages, and what is being learnt.

    Attributes
    ----------
    dropped : messages that came faster than they could be read.
    bad : messages that are none.
    duplicates : messages that two ports brought, and that count once.
    echoes : messages of Attacca's own that came back.
    faults : defects of Attacca's that it played on after.
    """

    received: int
    sent: int
    dropped: int
    bad: int
    duplicates: int
    echoes: int
    faults: int
    learning: str
    takeover: bool
