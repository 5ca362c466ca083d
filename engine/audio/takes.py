"""Takes: what is recorded of a performance, sound and notes, and the last minute of it.

Called under the instrument's lock. Sound is tapped from the mixer by a recorder with a thread of
its own; notes go into a MIDI file beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine.audio.keeper import Keeper
from engine.audio.mixer import Tap
from engine.audio.recorder import Recorder
from engine.errors import StorageError
from engine.stream.notes_out import NotesOut

__all__ = ["TakeStatus", "Takes"]


@dataclass(frozen=True)
class TakeStatus:
    """A take under way: its file (None: there is none), and its length and size so far.

    `free` is the space left where it lies, in bytes; 0 without a take.
    """

    path: Path | None = None
    seconds: float = 0.0
    bytes: int = 0
    free: int = 0


class Takes:
    """At most one take at a time, and a keeper of the last minute.

    Parameters
    ----------
    say : called with (kind, text) for what a performer should know.
    """

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._recorder: Recorder | None = None
        self._notes: NotesOut | None = None
        self._keeper: Keeper | None = None
        self._form = (0, 0)

    def open(self, rate: int, channels: int, notes: NotesOut | None) -> None:
        """Be ready for sound of this form; a take of another form goes on in another file."""
        if self._form == (rate, channels):
            return
        path = self.path
        self.end()
        self._form = (rate, channels)
        self._keeper = Keeper(rate, channels)
        if path is not None:
            try:
                self.begin(_another(path), notes)
            except StorageError as error:
                self._say("recorded", str(error))

    @property
    def taps(self) -> tuple[Tap, ...]:
        """What the mixer has to hand its sound to."""
        parts = (self._keeper, self._recorder)
        return tuple(p.tap for p in parts if p is not None)

    @property
    def path(self) -> Path | None:
        """The file of the take that is under way."""
        return self._recorder.path if self._recorder else None

    @property
    def keeper(self) -> Keeper | None:
        """Of the last minute, once there is sound."""
        return self._keeper

    def status(self) -> TakeStatus:
        """How the take goes."""
        recorder = self._recorder
        if recorder is None:
            return TakeStatus()
        now = recorder.status()
        return TakeStatus(recorder.path, now.frames / self._form[0], now.size, now.free)

    def begin(self, path: Path, notes: NotesOut | None) -> None:
        """Record sound into `path`, and `notes` beside it.

        Raises
        ------
        StorageError
            When the file cannot be written.
        """
        self._recorder = Recorder(path, *self._form)
        self._notes = notes
        if notes is not None:
            notes.begin_recording()
        self._say("recording", str(path))

    def end(self) -> None:
        """End the take, if there is one, and say what became of it."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        done = recorder.stop()
        seconds = done.frames / self._form[0]
        lost = f", {done.dropped_frames} frames lost" if done.dropped_frames else ""
        why = f", ended early: {done.error}" if done.error else ""
        notes = "" if self._notes is None else self._notes.write_beside(recorder.path, seconds)
        self._say("recorded", f"{recorder.path}: {seconds:.1f} s{lost}{why}{notes}")


def _another(path: Path) -> Path:
    """A name beside `path` that nobody has."""
    tries = (path.with_stem(f"{path.stem}-{n}") for n in count(2))
    return next(p for p in tries if not p.exists())
