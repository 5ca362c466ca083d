"""A MIDI file that a test writes at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.notes.midi_writer import MidiWriter
from engine.notes.note import NoteEvent


def write_midi(path: Path, events: Iterable[NoteEvent], seconds: float) -> None:
    """Write events, in any order, to a file of `seconds`."""
    with MidiWriter(path) as writer:
        writer.add(sorted(events, key=lambda e: (e.seconds, e.velocity)))
        writer.close(seconds)
