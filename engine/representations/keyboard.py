"""The keys of a roll. Pure data: any thread."""

from __future__ import annotations

from dataclasses import dataclass

from engine.notes.note import LOWEST, PITCHES

__all__ = ["PIANO", "Keyboard"]


@dataclass(frozen=True)
class Keyboard:
    """The keys of a roll: `keys` keys from MIDI pitch `lowest` up."""

    lowest: int = LOWEST
    keys: int = PITCHES

    def row(self, pitch: int) -> int | None:
        """The row of a pitch within each group; None if there is no such key."""
        row = pitch - self.lowest
        return row if 0 <= row < self.keys else None


PIANO = Keyboard()
