"""Counters and state of the MIDI desk. Pure data, any thread."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MidiFigures"]


@dataclass(frozen=True)
class MidiFigures:
    """Counts of messages, and the target that is being learned.

    Attributes
    ----------
    dropped : messages that came faster than they could be read.
    bad : invalid messages.
    duplicates : messages that arrived on two ports and count once.
    echoes : Attacca's own messages that came back.
    faults : defects of Attacca that did not stop it.
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
