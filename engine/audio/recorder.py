"""The recorder: what is heard, into a file, without ever making the mixer wait.

`Recorder.tap` belongs to the mixer thread: it copies into a buffer made beforehand, or counts a
drop. A writer thread of its own empties the buffer into the file. `status` and `stop` may be called
from any thread. The file is handed to the system every second and finished at `stop`, or at the end
of the interpreter if nobody stopped it.

Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.soundfiles import SoundWriter
from engine.errors import StorageError

__all__ = ["Recorder", "RecorderStatus"]


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How a recording goes.

    Attributes
    ----------
    frames : int
        Frames in the file.
    dropped_frames : int
        Frames that did not fit the buffer: the disk is too slow. They are missing from the file.
    error : str
        Why writing ended early (the disk is full, ...), or nothing.
    size, free : int
        Bytes of the file, and bytes left on its disk, when its writer last looked.
    """

    frames: int
    dropped_frames: int
    error: str
    size: int = 0
    free: int = 0


class _Buffer:
    """Frames on their way from the tap (one thread) to the writer (another)."""

    def __init__(self, frames: int, channels: int) -> None:
        self.data = np.zeros((frames, channels), np.float32)
        self.put = 0
        self.taken = 0
        self.dropped = 0
        self.error = ""
        self.written = 0
        self.size = self.free = 0


class Recorder:
    """One recording.

    Parameters
    ----------
    path : Path
        `.flac`, `.wav` or `.ogg`; see `engine.audio.soundfiles`.
    rate, channels : int
    buffer_s : float
        How long the disk may stall before frames are dropped, in seconds.

    Raises
    ------
    StorageError
        The file cannot be made.
    """

    def __init__(self, path: Path, rate: int, channels: int, *, buffer_s: float = 4.0) -> None:
        self.path = path
        self._buffer = _Buffer(max(1, round(buffer_s * rate)), channels)
        self._ending = threading.Event()
        self._lock = threading.Lock()
        writer = SoundWriter(path, rate, channels)
        self._thread = threading.Thread(
            target=_write_out,
            args=(self._buffer, writer, self._ending, rate, path),
            name="attacca-recorder",
            daemon=True,
        )
        self._thread.start()
        # At the interpreter's end, too: a player that dies of an exception keeps its recording.
        self._finish = weakref.finalize(self, _end, self._ending, self._thread)

    def tap(self, block: NDArray[np.float32]) -> None:
        """Take a copy of a block; mixer thread only, never waits."""
        buffer, frames = self._buffer, block.shape[0]
        size = buffer.data.shape[0]
        if buffer.error or frames > size - (buffer.put - buffer.taken):
            buffer.dropped += frames
            return
        at = buffer.put % size
        first = min(frames, size - at)
        buffer.data[at : at + first] = block[:first]
        buffer.data[: frames - first] = block[first:]
        buffer.put += frames

    def status(self) -> RecorderStatus:
        """How it goes; any thread."""
        buffer = self._buffer
        return RecorderStatus(
            buffer.written, buffer.dropped, buffer.error, buffer.size, buffer.free
        )

    def stop(self) -> RecorderStatus:
        """Write what is buffered, finish the file, and say how it went; stopping twice is harmless.

        `error` and `dropped_frames` of the result are worth showing.
        """
        with self._lock:
            self._finish()
        return self.status()


def _end(ending: threading.Event, thread: threading.Thread) -> None:
    ending.set()
    thread.join(timeout=10.0)


def _write_out(
    buffer: _Buffer, writer: SoundWriter, ending: threading.Event, rate: int, path: Path
) -> None:
    """The writer thread: drain, write, sync once a second of audio, finish."""
    since_sync = 0
    size = buffer.data.shape[0]
    try:
        while True:
            last_round = ending.is_set()
            ready = buffer.put - buffer.taken
            while ready > 0:
                at = buffer.taken % size
                count = min(ready, size - at, rate)
                writer.write(buffer.data[at : at + count])
                buffer.taken += count
                buffer.written += count
                since_sync += count
                ready -= count
            _look_at_disk(buffer, path)
            if last_round:
                break
            if since_sync >= rate:
                writer.sync()
                since_sync = 0
            ending.wait(0.05)
        writer.close()
    except StorageError as error:
        buffer.error = str(error)
        _close_broken(writer, buffer)


def _look_at_disk(buffer: _Buffer, path: Path) -> None:
    """Note the file's size and the space left: here, as the disk may be slow to tell."""
    with contextlib.suppress(OSError):
        buffer.size, buffer.free = path.stat().st_size, shutil.disk_usage(path.parent).free


def _close_broken(writer: SoundWriter, buffer: _Buffer) -> None:
    buffer.dropped += buffer.put - buffer.taken
    try:
        writer.close()
    except StorageError as error:
        # The first error is the cause; closing only repeats it.
        buffer.error = buffer.error or str(error)
