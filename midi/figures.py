"""What the MIDI desk tells of itself. Pure data, any thread."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MidiFigures"]


@dataclass(frozen=True)
class MidiFigures:
    """Messages received, sent, dropped and not understood; defects; what is being learnt."""

    received: int
    sent: int
    dropped: int
    bad: int
    faults: int
    learning: str
    takeover: bool
