"""`--seed-midi`: the end of a MIDI file, as the notes that the music continues.

Any thread. Returns at most the last 30 s; times in seconds from the start of the phrase.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.notes.note import Note

__all__ = ["LONGEST", "read_phrase"]

LONGEST = 30.0  # seconds
_LONGEST_NOTE = 12.0  # seconds; a piano string is silent by then, even with the pedal down


def read_phrase(path: Path) -> list[Note]:
    """Read the notes struck in the last 30 s, shifted so that the phrase ends with its last note.

    Returns
    -------
    list of Note
        One or more, in the order of their starts, none before 0. The phrase begins with its first
        note, where the file is shorter than 30 s, and ends at the largest `end`.

    Raises
    ------
    StorageError
        The file cannot be read, or has no notes; see `engine.notes.midi_file.read_midi`.
    """
    from engine.notes.midi_file import read_midi

    notes = [replace(n, end=min(n.end, n.start + _LONGEST_NOTE)) for n in read_midi(path)]
    end = max(n.end for n in notes)
    first = max(end - LONGEST, notes[0].start)
    return [replace(n, start=n.start - first, end=n.end - first) for n in notes if n.start >= first]
