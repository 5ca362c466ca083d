"""The MIDI file beside a sound file, written during playback.

The mixer thread calls `CollectedNotes.put`, which never waits; the thread that writes the sound
calls all others. The file is created with the first note.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count as count_from
from pathlib import Path

from engine.errors import StorageError
from engine.notes.midi_writer import MidiWriter
from engine.notes.note import NoteEvent

__all__ = ["CollectedNotes", "NotesFile", "notes_paths"]

_MOST_WAITING = 100_000  # events, more than an hour of music: the disk has stalled


class CollectedNotes:
    """A queue of events from the mixer to the writer thread."""

    def __init__(self) -> None:
        self._events: deque[NoteEvent] = deque()
        self.dropped = 0

    def put(self, event: NoteEvent) -> None:
        """Add an event, in seconds from the first frame of the sound file."""
        if len(self._events) >= _MOST_WAITING:
            self.dropped += 1
            return
        self._events.append(event)

    def take(self) -> list[NoteEvent]:
        """Remove and return all events."""
        return [self._events.popleft() for _ in range(len(self._events))]


class NotesFile:
    """The notes of a sound file.

    Parameters
    ----------
    sound : the sound file; an existing MIDI file of its name is not replaced.
    notes : the events of the sound file.

    Attributes
    ----------
    path : of the MIDI file; None until there is a note.
    problem : why notes are no longer written, or nothing.
    """

    def __init__(self, sound: Path, notes: CollectedNotes) -> None:
        self._sound, self._notes = sound, notes
        self._writer: MidiWriter | None = None
        self._synced = 0.0
        self.path: Path | None = None
        self.problem = ""

    def write(self, seconds: float) -> None:
        """Write the collected events; `seconds` is the present length of the sound."""
        try:
            self._collect()
            if self._writer is not None and seconds - self._synced >= 1.0:
                self._writer.sync(seconds)
                self._synced = seconds
        except StorageError as error:
            self._fail(error)

    def close(self, seconds: float) -> None:
        """Write the remaining events; `seconds` is the final length of the sound."""
        try:
            self._collect()
            if self._writer is not None:
                self._writer.close(seconds)
        except StorageError as error:
            self._fail(error)

    @property
    def summary(self) -> str:
        """The notes in the file, such as `12 notes in take.mid`; nothing without notes."""
        if self.problem:
            return f"its notes are incomplete: {self.problem}"
        if self._writer is None or self.path is None or not self._writer.notes:
            return ""
        count = self._writer.notes
        return f"{count} note{'s' if count != 1 else ''} in {self.path.name}"

    def _collect(self) -> None:
        events = self._notes.take()
        if self.problem:
            return
        if events and self._writer is None:
            self._writer = _open(self._sound)
            self.path = self._writer.path
        if self._writer is not None:
            self._writer.add(events)
            if self._notes.dropped:
                raise StorageError(f"the disk is too slow for {self._writer.path.name}")

    def _fail(self, error: StorageError) -> None:
        self.problem = str(error)
        if self._writer is not None:
            self._writer.abandon()


def notes_paths(sound: Path) -> Iterator[Path]:
    """Names for the MIDI file beside a sound file, in order of preference."""
    yield sound.with_suffix(".mid")
    yield sound.with_name(f"{sound.stem}-notes.mid")
    for number in count_from(2):
        yield sound.with_name(f"{sound.stem}-notes-{number}.mid")


def _open(sound: Path) -> MidiWriter:
    for path in notes_paths(sound):
        try:
            return MidiWriter(path, new=True)
        except FileExistsError:
            continue
    raise AssertionError("names do not end")
