"""Takes: recordings of sound and notes, and the last minute of the output.

Called under the instrument's lock, except by the recorder thread, which reports problems. A
recorder taps the mixer and writes sound and notes in its own thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.audio.mixer import Tap
from engine.audio.recent_sound import RecentSound
from engine.audio.recorder import Recorder, RecorderStatus
from engine.audio.soundfiles import SoundWriter
from engine.audio.take_names import NewTake, create_beside, path_of
from engine.errors import ConfigError, StorageError
from engine.notes.notes_file import CollectedNotes, NotesFile
from engine.notes.notes_out import NotesOut
from engine.time.clock import Clock

__all__ = ["SavedTake", "TakeStatus", "Takes"]


@dataclass(frozen=True)
class TakeStatus:
    """The present take: its file (None without a take), and its length and size so far.

    `dropped`: seconds missing because the disk was too slow. `free`: bytes left on the disk; 0
    without a take. `problem`: why the last take ended early.
    """

    path: Path | None = None
    seconds: float = 0.0
    bytes: int = 0
    free: int = 0
    dropped: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class SavedTake:
    """A file with the last seconds of the output."""

    path: Path
    seconds: float


@dataclass
class _Take:
    """The present take."""

    notes: NotesOut | None
    recorder: Recorder | None = None


class Takes:
    """At most one take at a time, and the last minute of the output.

    Parameters
    ----------
    on_event : called with (kind, text) for the performer, also in the recorder's thread.
    clock : of the recorders.
    """

    def __init__(self, on_event: Callable[[str, str], None], clock: Clock) -> None:
        self._on_event, self._clock = on_event, clock
        self._lock = threading.Lock()  # either the caller or the recorder's thread ends a take
        self._take: _Take | None = None
        self._notes: NotesOut | None = None
        self._recent: RecentSound | None = None
        self._format = (0, 0)
        self.problem = ""

    def open(self, rate: int, channels: int, notes: NotesOut | None) -> None:
        """Prepare for sound of this format; a take of another format continues in another file."""
        self._notes = notes
        if self._format != (rate, channels):
            path = self.path
            self.end()
            self._format = (rate, channels)
            self._recent = RecentSound(rate, channels)
            if path is not None:
                self._continue_beside(path)
        if self._recent is not None and notes is not None:
            self._recent.continue_at(notes.frames)

    def _continue_beside(self, path: Path) -> None:
        try:
            self.begin(create_beside(path))
        except StorageError as error:
            self._stopped(str(error))

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The functions that the mixer passes its sound to."""
        parts = (self._recent, self._recorder)
        return tuple(p.tap for p in parts if p is not None)

    @property
    def _recorder(self) -> Recorder | None:
        take = self._take
        return take.recorder if take is not None else None

    @property
    def path(self) -> Path | None:
        """The file of the present take."""
        recorder = self._recorder
        return recorder.path if recorder is not None else None

    def status(self) -> TakeStatus:
        """The state of the present take."""
        recorder = self._recorder
        if recorder is None:
            return TakeStatus(problem=self.problem)
        now, rate = recorder.status(), self._format[0]
        return TakeStatus(
            recorder.path, now.frames / rate, now.size, now.free, now.dropped_frames / rate
        )

    def begin(self, path: Path) -> None:
        """Record sound into a file, and the notes beside it.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        take = _Take(self._notes)
        collected = CollectedNotes()
        with self._lock:  # its thread cannot end the take before it is known
            take.recorder = Recorder(
                path, *self._format, clock=self._clock, notes=NotesFile(path, collected),
                on_message=lambda text: self._on_event("recording", text),
                on_end=lambda: self._ended(take),
            )  # fmt: skip
            self._take, self.problem = take, ""
        if take.notes is not None:
            take.notes.collect(collected)
        self._on_event("recording", str(path))

    def end(self) -> None:
        """End the take, if there is one, and publish the result."""
        with self._lock:
            take, self._take = self._take, None
        if take is not None and take.recorder is not None:
            self._report(take, take.recorder.path, take.recorder.stop())

    def _ended(self, take: _Take) -> None:
        """A take has ended early; called by its thread."""
        with self._lock:
            if self._take is not take or take.recorder is None:
                return  # `end` reports it
            self._take = None
        self._report(take, take.recorder.path, take.recorder.status())

    def _report(self, take: _Take, path: Path, done: RecorderStatus) -> None:
        if take.notes is not None:
            take.notes.stop_collecting()
        if done.error:
            self._stopped(done.error)
            return
        seconds = done.frames / self._format[0]
        lost = f", {done.dropped_frames} frames lost" if done.dropped_frames else ""
        notes = f", {done.notes}" if done.notes else ""
        self._on_event("recorded", f"{path}: {seconds:.1f} s{lost}{notes}")

    def _stopped(self, why: str) -> None:
        self.problem = f"Recording stopped: {why}"
        self._on_event("recording", self.problem)

    def save_recent(self, to: Path | NewTake, seconds: float, seed: int) -> SavedTake:
        """Write the last `seconds` of the output, and its notes beside it. Any thread.

        Raises
        ------
        ConfigError
            Nothing has played yet, or a file of that name exists.
        StorageError
            The file cannot be written.
        """
        recent, notes, (rate, _) = self._recent, self._notes, self._format
        if recent is None:
            raise ConfigError("save_recent: nothing is playing; start playing first")
        sound, first = recent.last(seconds)
        if not len(sound):
            raise ConfigError("save_recent: nothing has played yet; wait for the first sound")
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
        saved = SavedTake(path, len(sound) / rate)
        midi = NotesFile(path, collected)
        midi.close(saved.seconds)
        summary = f", {midi.summary}" if midi.summary else ""
        self._on_event("saved", f"{path}: {saved.seconds:.1f} s{summary}")
        return saved
