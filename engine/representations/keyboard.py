"""The keys that a roll has. Pure data: any thread."""

from __future__ import annotations

from dataclasses import dataclass

from engine.notes.note import LOWEST, PITCHES

__all__ = ["PIANO", "Keyboard"]


@dataclass(frozen=True)
class Keyboard:
    """The keys that a roll has: `keys` of them from MIDI pitch `lowest` up."""

    lowest: int = LOWEST
    keys: int = PITCHES

    def row(self, pitch: int) -> int | None:
        """The row of a pitch within each group; None where there is no such key."""
        row = pitch - self.lowest
        return row if 0 <= row < self.keys else None


PIANO = Keyboard()
