"""The recorder: writes the output to a file without delaying the mixer.

The mixer thread calls `Recorder.tap`, which copies into a buffer allocated beforehand, or counts a
drop. A writer thread empties the buffer into the file, and writes the notes into the MIDI file
beside it; it reports its problems at once. `status` and `stop` may be called from any thread. Both
files are playable after every second. They are finished by `stop`, or at the end of the interpreter
without it.

Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.soundfiles import SoundWriter
from engine.errors import StorageError
from engine.notes.notes_file import NotesFile
from engine.time.clock import Clock, Event

__all__ = ["Recorder", "RecorderStatus"]

_STOP_LIMIT_S = 10.0  # for the disk to take the buffered frames at the end
_PAUSE = 0.05  # seconds between looks at the buffer


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """The state of a recording.

    Attributes
    ----------
    frames : int
        Frames in the file.
    dropped_frames : int
        Frames that did not fit the buffer: the disk is too slow. They are missing from the file.
    error : str
        Why writing ended early (the disk is full, ...) and what the file contains, or nothing.
    size, free : int
        Bytes of the file, and bytes left on its disk, when its writer last looked.
    notes : str
        The notes that were written, such as `12 notes in take.mid`; nothing without notes.
    """

    frames: int
    dropped_frames: int
    error: str
    size: int = 0
    free: int = 0
    notes: str = ""


class _Buffer:
    """Frames between the tap (mixer thread) and the writer thread."""

    def __init__(self, frames: int, channels: int) -> None:
        self.data = np.zeros((frames, channels), np.float32)
        self.added = 0
        self.removed = 0
        self.dropped = 0
        self.error = ""
        self.written = 0
        self.size = self.free = 0
        self.notes = ""


class Recorder:
    """One recording.

    Parameters
    ----------
    path : Path
        `.flac`, `.wav` or `.ogg`; see `engine.audio.soundfiles`.
    rate, channels : int
    clock : Clock
        Of the writer thread.
    notes : NotesFile, optional
        A MIDI file beside the sound.
    on_message : callable, optional
        Called in the writer thread with a message for the performer.
    on_end : callable, optional
        Called in the writer thread when writing has ended early; `status` says why.
    buffer_s : float
        Seconds that the disk may stall before frames are dropped.

    Raises
    ------
    StorageError
        The file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        rate: int,
        channels: int,
        *,
        clock: Clock,
        notes: NotesFile | None = None,
        on_message: Callable[[str], None] | None = None,
        on_end: Callable[[], None] | None = None,
        buffer_s: float = 4.0,
    ) -> None:
        self.path = path
        self._buffer = _Buffer(max(1, round(buffer_s * rate)), channels)
        self._ending = clock.event()
        self._lock = threading.Lock()
        work = _Writing(
            self._buffer, SoundWriter(path, rate, channels), notes, rate, on_message or _ignore,
            on_end,
        )  # fmt: skip
        self._thread = clock.thread(partial(work.run, self._ending), "attacca-recorder")
        self._thread.start()
        # At the end of the interpreter too: the recording survives an unhandled exception.
        self._finish = weakref.finalize(self, _end, self._ending, self._thread)

    def tap(self, block: NDArray[np.float32]) -> None:
        """Copy a block; mixer thread only, never waits."""
        buffer, frames = self._buffer, block.shape[0]
        if buffer.error:
            return
        size = buffer.data.shape[0]
        if frames > size - (buffer.added - buffer.removed):
            buffer.dropped += frames
            return
        at = buffer.added % size
        first = min(frames, size - at)
        buffer.data[at : at + first] = block[:first]
        buffer.data[: frames - first] = block[first:]
        buffer.added += frames

    def status(self) -> RecorderStatus:
        """The present state; any thread."""
        b = self._buffer
        return RecorderStatus(b.written, b.dropped, b.error, b.size, b.free, b.notes)

    def stop(self) -> RecorderStatus:
        """Write the buffered frames and finish the file; stopping twice is harmless.

        Show `error` and `dropped_frames` of the result.
        """
        with self._lock:
            self._finish()
        if self._thread.is_alive() and not self._buffer.error:
            self._buffer.error = (
                f"the disk has not answered for {_STOP_LIMIT_S:g} s. The end of {self.path.name} "
                "may be missing. Choose another place."
            )
        return self.status()


def _end(ending: Event, thread: threading.Thread) -> None:
    ending.set()
    if thread is not threading.current_thread():
        thread.join(timeout=_STOP_LIMIT_S)


def _ignore(_: str) -> None:
    """Drop a message."""


@dataclass
class _Writing:
    """The work of the writer thread; it does not keep the recorder alive."""

    buffer: _Buffer
    writer: SoundWriter
    notes: NotesFile | None
    rate: int
    on_message: Callable[[str], None]
    on_end: Callable[[], None] | None
    _reported: int = 0  # of the dropped frames
    _notes_reported: bool = False

    def run(self, ending: Event) -> None:
        """Drain the buffer, write, and check the disk until the end; then finish the files."""
        try:
            while True:
                last_round = ending.is_set()
                self._drain()
                self._check_disk()
                self._write_notes()
                if last_round:
                    break
                ending.wait(_PAUSE)
            self.writer.close()
        except Exception as error:  # whatever it is, report it at once
            self._stop_early(error)
        finally:
            if self.notes is not None:
                self.notes.close(self.buffer.written / self.rate)
                self.buffer.notes = self.notes.summary
        if self.buffer.error and self.on_end is not None:
            self.on_end()

    def _drain(self) -> None:
        buffer, size = self.buffer, self.buffer.data.shape[0]
        ready = buffer.added - buffer.removed
        while ready > 0:
            at = buffer.removed % size
            count = min(ready, size - at, self.rate)
            self.writer.write(buffer.data[at : at + count])
            buffer.removed += count
            buffer.written += count
            ready -= count
        if buffer.dropped > self._reported:
            lost, self._reported = buffer.dropped - self._reported, buffer.dropped
            self.on_message(
                f"{lost / self.rate:.1f} s are missing in {self.writer.path.name}: the disk is too "
                "slow. Record to another disk"
            )

    def _check_disk(self) -> None:
        """Store the size of the file and the free space: in this thread, as a disk may be slow.

        Raises
        ------
        StorageError
            The file is gone.
        """
        self.writer.check_exists()
        path = self.writer.path
        with contextlib.suppress(OSError):
            self.buffer.size = path.stat().st_size
            self.buffer.free = shutil.disk_usage(path.parent).free

    def _write_notes(self) -> None:
        if self.notes is None:
            return
        self.notes.write(self.buffer.written / self.rate)
        if self.notes.problem and not self._notes_reported:
            self._notes_reported = True
            self.on_message(
                f"{self.writer.path.name} continues without its notes: {self.notes.problem}"
            )

    def _stop_early(self, error: Exception) -> None:
        if not isinstance(error, StorageError):
            with contextlib.suppress(StorageError):
                self.writer.close()
        self.buffer.written = self.writer.frames
        self.buffer.error = " ".join(str(error).split()) or type(error).__name__
