"""Takes: what is recorded of a performance, sound and notes, and the last minute of it.

Called under the instrument's lock, but for what a recorder's own thread reports. Sound is tapped
from the mixer by a recorder with a thread of its own, which writes the notes beside it too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.audio.keeper import Keeper
from engine.audio.mixer import Tap
from engine.audio.recorder import Recorder, RecorderStatus
from engine.audio.soundfiles import SoundWriter
from engine.audio.take_names import NewTake, create_beside, path_of
from engine.errors import ConfigError, StorageError
from engine.notes.notes_file import CollectedNotes, NotesFile
from engine.notes.notes_out import NotesOut
from engine.time.clock import Clock

__all__ = ["Kept", "TakeStatus", "Takes"]


@dataclass(frozen=True)
class TakeStatus:
    """A take under way: its file (None: there is none), and its length and size so far.

    `dropped` is what is missing from it, in seconds, as the disk was too slow; `free` is the space
    left where it lies, in bytes; 0 without a take. `problem` says why the last take ended early.
    """

    path: Path | None = None
    seconds: float = 0.0
    bytes: int = 0
    free: int = 0
    dropped: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Kept:
    """The last seconds in a file."""

    path: Path
    seconds: float


@dataclass
class _Take:
    """A take under way."""

    notes: NotesOut | None
    recorder: Recorder | None = None


class Takes:
    """At most one take at a time, and a keeper of the last minute.

    Parameters
    ----------
    say : called with (kind, text) for what a performer should know, also by the recorder's thread.
    clock : of the recorders.
    """

    def __init__(self, say: Callable[[str, str], None], clock: Clock) -> None:
        self._say, self._clock = say, clock
        self._lock = threading.Lock()  # who ends a take: the caller, or its own thread
        self._take: _Take | None = None
        self._notes: NotesOut | None = None
        self._keeper: Keeper | None = None
        self._form = (0, 0)
        self.problem = ""

    def open(self, rate: int, channels: int, notes: NotesOut | None) -> None:
        """Be ready for sound of this form; a take of another form goes on in another file."""
        self._notes = notes
        if self._form != (rate, channels):
            path = self.path
            self.end()
            self._form = (rate, channels)
            self._keeper = Keeper(rate, channels)
            if path is not None:
                self._go_on(path)
        if self._keeper is not None and notes is not None:
            self._keeper.goes_on_at(notes.frames)

    def _go_on(self, path: Path) -> None:
        try:
            self.begin(create_beside(path))
        except StorageError as error:
            self._stopped(str(error))

    @property
    def taps(self) -> tuple[Tap, ...]:
        """What the mixer has to hand its sound to."""
        parts = (self._keeper, self._recorder)
        return tuple(p.tap for p in parts if p is not None)

    @property
    def _recorder(self) -> Recorder | None:
        take = self._take
        return take.recorder if take is not None else None

    @property
    def path(self) -> Path | None:
        """The file of the take that is under way."""
        recorder = self._recorder
        return recorder.path if recorder is not None else None

    def status(self) -> TakeStatus:
        """How the take goes."""
        recorder = self._recorder
        if recorder is None:
            return TakeStatus(problem=self.problem)
        now, rate = recorder.status(), self._form[0]
        return TakeStatus(
            recorder.path, now.frames / rate, now.size, now.free, now.dropped_frames / rate
        )

    def begin(self, path: Path) -> None:
        """Record sound into a file, and the notes beside it.

        Raises
        ------
        StorageError
            When the file cannot be written.
        """
        take = _Take(self._notes)
        collected = CollectedNotes()
        with self._lock:  # until the take is known, its thread cannot end it
            take.recorder = Recorder(
                path, *self._form, clock=self._clock, notes=NotesFile(path, collected),
                say=lambda text: self._say("recording", text), ended=lambda: self._ended(take),
            )  # fmt: skip
            self._take, self.problem = take, ""
        if take.notes is not None:
            take.notes.collect(collected)
        self._say("recording", str(path))

    def end(self) -> None:
        """End the take, if there is one, and say what became of it."""
        with self._lock:
            take, self._take = self._take, None
        if take is not None and take.recorder is not None:
            self._report(take, take.recorder.path, take.recorder.stop())

    def _ended(self, take: _Take) -> None:
        """A take has ended by itself; called by its thread."""
        with self._lock:
            if self._take is not take or take.recorder is None:
                return  # whoever ends it reports it
            self._take = None
        self._report(take, take.recorder.path, take.recorder.status())

    def _report(self, take: _Take, path: Path, done: RecorderStatus) -> None:
        if take.notes is not None:
            take.notes.end_collecting()
        if done.error:
            self._stopped(done.error)
            return
        seconds = done.frames / self._form[0]
        lost = f", {done.dropped_frames} frames lost" if done.dropped_frames else ""
        notes = f", {done.notes}" if done.notes else ""
        self._say("recorded", f"{path}: {seconds:.1f} s{lost}{notes}")

    def _stopped(self, why: str) -> None:
        self.problem = f"Recording stopped: {why}"
        self._say("recording", self.problem)

    def keep(self, to: Path | NewTake, seconds: float, seed: int) -> Kept:
        """Write the last so many seconds of the output, and its notes beside it. Any thread.

        Raises
        ------
        ConfigError
            Nothing has played yet, or there is a file of that name.
        StorageError
            The file cannot be written.
        """
        keeper, notes, (rate, _) = self._keeper, self._notes, self._form
        if keeper is None:
            raise ConfigError("keep: nothing is playing; start playing first")
        sound, first = keeper.last(seconds)
        if not len(sound):
            raise ConfigError("keep: nothing has played yet; wait for the first sound")
        collected = CollectedNotes()
        if notes is not None:
            for event in notes.between(first, first + len(sound)):
                collected.put(event)
        path = path_of(to, seed)
        writer = SoundWriter(path, rate, sound.shape[1])
        try:
            writer.write(sound)
        finally:
            writer.close()
        kept = Kept(path, len(sound) / rate)
        beside = NotesFile(path, collected)
        beside.close(kept.seconds)
        said = f", {beside.summary}" if beside.summary else ""
        self._say("kept", f"{path}: {kept.seconds:.1f} s{said}")
        return kept
