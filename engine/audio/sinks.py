"""Where the mixer writes: the sound card's ring, a file, an array, or nothing in real time.

A sink belongs to the thread that runs the mixer. Arrays: `ndarray [shape=(frames, channels)]
float32` at the sink's rate. The mixer asks for `frames_needed` and writes; live and offline are the
same loop.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.ring import OutputRing
from engine.audio.soundfiles import SoundWriter
from engine.time.clock import Clock, SystemClock

__all__ = ["ArraySink", "FileSink", "NullSink", "RingSink", "Sink"]

_WINDOW_S = 4.0  # seconds for which a large block is remembered, at least


class Sink(Protocol):
    """An output of the mixer."""

    channels: int

    def start(self) -> None:
        """Prepare for sound."""
        ...

    def frames_needed(self) -> int:
        """Frames that the sink needs now; 0 or less means wait."""
        ...

    def write(self, block: NDArray[np.float32]) -> int:
        """Write a block; returns the frames written."""
        ...

    def output_timing(self) -> tuple[float, float] | None:
        """A frame that leaves the sink: frames written since it, and when, by the mixer's clock.

        None when that is not known.
        """
        ...

    def flush(self) -> bool:
        """Fade out and drop the queued frames; False where nothing is ever queued."""
        ...

    def finish(self) -> None:
        """No more sound follows for now."""
        ...


class RingSink:
    """The sound card: keeps `fill_s` in the output ring, or two device blocks if they are longer.

    The device decides how many frames it requests at once, and may change that during playback. A
    ring that held less than one device block would stay silent.

    Parameters
    ----------
    ring : OutputRing
    rate : int
        Frames per second.
    fill_s : float
        Least seconds to keep in the ring: the ring's part of the latency.
    clock : Clock, optional
        The mixer's.
    """

    def __init__(
        self, ring: OutputRing, rate: int, fill_s: float, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._written = 0
        self._consumed: int | None = None  # frames that the device had read at the last look
        self.channels = ring.channels
        self._ring = ring
        self._least = round(fill_s * rate)
        self._rate = rate
        self._requested, self._looked = 0, self._clock.now()  # by the device, at the last look
        # The most frames that the device requested at once, in this time window and the one before.
        self._largest = self._largest_before = 0
        self._window_end = self._looked + _WINDOW_S

    @property
    def target_fill(self) -> int:
        """Frames to keep in the ring; mixer thread only.

        It follows the device: upwards at once, downwards after some seconds.
        """
        at_once = self._at_once()
        if self._looked >= self._window_end:
            self._largest, self._largest_before = 0, self._largest
            self._window_end = self._looked + _WINDOW_S
        self._largest = max(self._largest, at_once)
        blocks = 2 * max(self._largest, self._largest_before)
        return min(max(self._least, blocks), self._ring.capacity)

    def _at_once(self) -> int:
        """Frames that the device requests at once, judged by its requests since the last look.

        Callbacks may come in bursts (PortAudio requests one JACK period of 4,096 frames in four
        calls): frames beyond the time between two looks were requested at once. A late look sees no
        burst.
        """
        before = self._clock.now()
        stats = self._ring.stats()
        elapsed = self._clock.now() - self._looked  # too long rather than too short
        burst = stats.frames_out - self._requested - elapsed * self._rate
        self._requested, self._looked = stats.frames_out, before
        block = stats.last_block
        return block * max(1, math.ceil(burst / block)) if block else 0

    def start(self) -> None:
        """Drop what an earlier `finish` left in the ring, and unmute it."""
        self._ring.flush()
        self._ring.mute(False)
        self._consumed = None

    def frames_needed(self) -> int:
        """Frames missing from the target; none while the device is lost, as nothing drains it."""
        return self.target_fill - self._ring.fill

    def write(self, block: NDArray[np.float32]) -> int:
        """Put a block into the ring."""
        written = self._ring.write(block)
        self._written += written
        return written

    def output_timing(self) -> tuple[float, float] | None:
        """The first frame that the device read since the last call; None: it read nothing.

        The device reads a whole block at once: the time of its first frame is known.
        """
        consumed, at, before = self._written - self._ring.fill, self._clock.now(), self._consumed
        self._consumed = consumed
        if before is None or consumed <= before:
            return None
        return self._written - before, at

    def flush(self) -> bool:
        """Have the callback fade out and drop the frames of the ring."""
        self._ring.flush()
        self._consumed = None
        return True

    def finish(self) -> None:
        """Mute the ring: it fades out and counts no underruns."""
        self._ring.mute(True)


class FileSink:
    """A sound file, written as fast as the mixer renders.

    Parameters
    ----------
    path : Path
        `.flac` (24 bit), `.wav` (32-bit float) or `.ogg` (Vorbis).
    rate, channels : int

    Raises
    ------
    StorageError
        The file cannot be written; also raised by `write` and `finish`.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.channels = channels
        self._writer = SoundWriter(path, rate, channels)

    @property
    def frames(self) -> int:
        """Frames written."""
        return self._writer.frames

    def start(self) -> None:
        """Nothing to do."""

    def frames_needed(self) -> int:
        """Always more frames."""
        return 1 << 30

    def write(self, block: NDArray[np.float32]) -> int:
        """Append a block."""
        self._writer.write(block)
        return block.shape[0]

    def output_timing(self) -> tuple[float, float] | None:
        """A file has no clock."""
        return None

    def flush(self) -> bool:
        """Nothing is queued."""
        return False

    def finish(self) -> None:
        """Write the headers and close the file."""
        self._writer.close()


class ArraySink:
    """An array in memory, filled as fast as the mixer renders.

    Parameters
    ----------
    frames, channels : int
        Of the array; frames beyond it are dropped.

    Raises
    ------
    MemoryError
        There is not enough memory.
    """

    def __init__(self, frames: int, channels: int) -> None:
        self.channels = channels
        self._samples = np.empty((frames, channels), np.float32)
        self._filled = 0

    @property
    def samples(self) -> NDArray[np.float32]:
        """The samples written so far: [frames, channels]."""
        return self._samples[: self._filled]

    def start(self) -> None:
        """Nothing to do."""

    def frames_needed(self) -> int:
        """Frames until the array is full."""
        return len(self._samples) - self._filled

    def write(self, block: NDArray[np.float32]) -> int:
        """Append a block."""
        count = min(len(block), self.frames_needed())
        self._samples[self._filled : self._filled + count] = block[:count]
        self._filled += count
        return count

    def output_timing(self) -> tuple[float, float] | None:
        """An array has no clock."""
        return None

    def flush(self) -> bool:
        """Nothing is queued."""
        return False

    def finish(self) -> None:
        """Nothing to do."""


class NullSink:
    """No sound device: drops frames in real time.

    Parameters
    ----------
    rate, channels : int
    clock : Clock
    lead_s : float
        Seconds that the mixer may run ahead of the clock.
    """

    def __init__(self, rate: int, channels: int, clock: Clock, *, lead_s: float = 0.0215) -> None:
        self.channels = channels
        self.frames = 0
        self._rate = rate
        self._clock = clock
        self._lead = round(lead_s * rate)
        self._started = clock.now()
        self._written = 0

    def start(self) -> None:
        """Start to count time."""
        self._started = self._clock.now()
        self._written = 0

    def frames_needed(self) -> int:
        """Frames due by the clock. After a stall of more than a second it starts again."""
        due = int((self._clock.now() - self._started) * self._rate) + self._lead
        if due - self._written > self._rate + self._lead:
            self.start()
            due = self._lead
        return due - self._written

    def write(self, block: NDArray[np.float32]) -> int:
        """Count a block and drop it."""
        self.frames += block.shape[0]
        self._written += block.shape[0]
        return block.shape[0]

    def output_timing(self) -> tuple[float, float] | None:
        """The frame that is due now by the clock, with a fraction."""
        at = self._clock.now()
        return self._written - (at - self._started) * self._rate, at

    def flush(self) -> bool:
        """Nothing is queued."""
        return False

    def finish(self) -> None:
        """Nothing to do."""
