"""Notes at the moment they are heard: told to listeners, and collected beside a recording.

`heard` runs in the mixer's thread; listeners are called there and must not wait. Times are frames
of the output, as the mixer has rendered them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import AttaccaError
from engine.signal.midi_file import write_midi
from engine.signal.roll import NoteEvent
from engine.stream.notes_track import TimedNote

Listener = Callable[[NoteEvent], None]
_NOBODY = object()  # the player when no more is to be heard


@dataclass
class _Recording:
    begin: int
    events: list[NoteEvent]


class NotesOut:
    """Turns notes timed within the pack's samples into notes timed within the output.

    Parameters
    ----------
    rate : frames a second of the output.
    rendered : answers how many frames of the output were rendered so far.
    latency : frames of the output between the mixer's input and what is recorded.
    """

    def __init__(self, rate: int, rendered: Callable[[], int], latency: int) -> None:
        self._rate, self._rendered, self._latency = rate, rendered, latency
        self._listeners: tuple[Listener, ...] = ()
        self._recording: _Recording | None = None
        self._down: set[int] = set()
        self._player: object | None = None
        self._lock = threading.Lock()

    def set_listeners(self, listeners: tuple[Listener, ...]) -> None:
        """Tell these from now on: seconds since the mixer began, pitch, velocity (0 is up)."""
        self._listeners = listeners

    def hear(self, player: object | None) -> None:
        """Take notes of this player alone from now on; what another holds down comes up."""
        with self._lock:
            if player is not self._player:
                self._player = player
                self._tell(tuple(TimedNote(0, p, 0) for p in sorted(self._down)), self._rate)

    def heard(self, notes: tuple[TimedNote, ...], rate: int, player: object | None = None) -> None:
        """Take the notes that are due in what the mixer renders next, in samples at `rate`.

        Those of a player that is not the one to be heard are nobody's: it may still sound in a
        fade.
        """
        with self._lock:
            if player is self._player:
                self._tell(notes, rate)

    def let_go(self) -> None:
        """Let every key come up that is down: nothing more will be heard of who holds it."""
        self.hear(_NOBODY)

    def _tell(self, notes: tuple[TimedNote, ...], rate: int) -> None:
        begin = self._rendered() + self._latency
        for n in notes:
            frame = begin + n.offset * self._rate // rate
            (self._down.add if n.velocity else self._down.discard)(n.pitch)
            if self._recording is not None:
                seconds = (frame - self._recording.begin) / self._rate
                self._recording.events.append(NoteEvent(max(0.0, seconds), n.pitch, n.velocity))
            event = NoteEvent(frame / self._rate, n.pitch, n.velocity)
            for listener in self._listeners:
                listener(event)

    def begin_recording(self) -> None:
        """Collect from here on."""
        with self._lock:
            self._recording = _Recording(self._rendered(), [])

    def end_recording(self, path: Path, seconds: float) -> int:
        """Write what was collected as a MIDI file; returns how many notes.

        Raises
        ------
        StorageError
            When the file cannot be written.
        """
        with self._lock:
            recording, self._recording = self._recording, None
        if recording is None:
            return 0
        write_midi(path, recording.events, seconds)
        return sum(e.velocity > 0 for e in recording.events)

    def write_beside(self, sound: Path, seconds: float) -> str:
        """End the recording into a MIDI file named as the sound; says so, or why not.

        Without a note there is no file.
        """
        with self._lock:
            empty = self._recording is None or not self._recording.events
            if empty:
                self._recording = None
        if empty:
            return ""
        path = sound.with_suffix(".mid")
        try:
            count = self.end_recording(path, seconds)
        except AttaccaError as error:
            return f", but not its notes: {error}"
        return f", {count} notes in {path.name}"
