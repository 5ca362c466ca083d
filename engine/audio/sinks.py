"""Where the mixer's blocks go: the sound card's ring, a file, an array, or nowhere at its pace.

A sink belongs to the thread that runs the mixer. Arrays: `ndarray [shape=(frames, channels)]
float32` at the sink's rate. The mixer asks `wanted`, writes, and so needs to know nothing about
pacing: live and offline are the same loop.
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
    """What the mixer writes to."""

    channels: int

    def start(self) -> None:
        """Sound is about to come (again)."""
        ...

    def wanted(self) -> int:
        """Frames that it would like now; 0 or less means wait."""
        ...

    def write(self, block: NDArray[np.float32]) -> int:
        """Take a block; returns the frames taken."""
        ...

    def leaving(self) -> tuple[float, float] | None:
        """How many frames are behind one that leaves, and when (of the mixer's clock) it does.

        None when that cannot be told at this moment, or never.
        """
        ...

    def flush(self) -> bool:
        """PANIC: fade out and drop what is queued; False when nothing is ever queued."""
        ...

    def finish(self) -> None:
        """No more sound for now."""
        ...


class RingSink:
    """The sound card: keeps the output ring filled for so many seconds, or two of its blocks.

    The device decides how many frames it asks for at once, and may change that while it plays. A
    ring that held less than one of its blocks would stay silent for ever.

    Parameters
    ----------
    ring : OutputRing
    rate : int
        Frames per second.
    fill_s : float
        Seconds to keep in the ring at least: the ring's share of the latency.
    clock : Clock, optional
        The mixer's.
    """

    def __init__(
        self, ring: OutputRing, rate: int, fill_s: float, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._written = 0
        self._taken: int | None = None  # by the device, of those written, when last looked
        self.channels = ring.channels
        self._ring = ring
        self._least = round(fill_s * rate)
        self._rate = rate
        self._requested, self._looked = 0, self._clock.now()  # of the device, at the last look
        # The most that the device took at once, in this window of time and in the one before.
        self._largest = self._largest_before = 0
        self._window_end = self._looked + _WINDOW_S

    @property
    def target_fill(self) -> int:
        """Frames to keep in the ring; mixer thread only.

        Follows the device: upwards at once, downwards after some seconds.
        """
        at_once = self._at_once()
        if self._looked >= self._window_end:
            self._largest, self._largest_before = 0, self._largest
            self._window_end = self._looked + _WINDOW_S
        self._largest = max(self._largest, at_once)
        blocks = 2 * max(self._largest, self._largest_before)
        return min(max(self._least, blocks), self._ring.capacity)

    def _at_once(self) -> int:
        """Frames that the device takes at once, by what it took since the last look.

        Its callbacks may come in bursts (PortAudio asks for one JACK period of 4,096 frames in four
        calls): what is more than the time between two looks explains, was taken at once. A look
        that comes late sees no burst.
        """
        before = self._clock.now()
        stats = self._ring.stats()
        elapsed = self._clock.now() - self._looked  # rather too long than too short
        burst = stats.frames_out - self._requested - elapsed * self._rate
        self._requested, self._looked = stats.frames_out, before
        block = stats.last_block
        return block * max(1, math.ceil(burst / block)) if block else 0

    def start(self) -> None:
        """Drop what an earlier `finish` left in the ring, and open its gate."""
        self._ring.flush()
        self._ring.mute(False)
        self._taken = None

    def wanted(self) -> int:
        """Frames missing to the target; none while the device is gone, as nothing drains it."""
        return self.target_fill - self._ring.fill

    def write(self, block: NDArray[np.float32]) -> int:
        """Put a block into the ring."""
        taken = self._ring.write(block)
        self._written += taken
        return taken

    def leaving(self) -> tuple[float, float] | None:
        """The first frame of what the device took since this was asked last; None: it took nothing.

        The device takes a whole block at once: its first frame is the one whose time is known.
        """
        taken, at, before = self._written - self._ring.fill, self._clock.now(), self._taken
        self._taken = taken
        if before is None or taken <= before:
            return None
        return self._written - before, at

    def flush(self) -> bool:
        """Let the callback fade out and drop the ring's frames."""
        self._ring.flush()
        self._taken = None
        return True

    def finish(self) -> None:
        """Close the ring's gate: it fades, holds, and counts no underrun."""
        self._ring.mute(True)


class FileSink:
    """A sound file, written as fast as it comes.

    Parameters
    ----------
    path : Path
        `.flac` (24 bit), `.wav` (32-bit float) or `.ogg` (Vorbis).
    rate, channels : int

    Raises
    ------
    StorageError
        The file cannot be made (also from `write` and `finish`: the disk is full).
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

    def wanted(self) -> int:
        """Always more."""
        return 1 << 30

    def write(self, block: NDArray[np.float32]) -> int:
        """Append a block."""
        self._writer.write(block)
        return block.shape[0]

    def leaving(self) -> tuple[float, float] | None:
        """A file has no time."""
        return None

    def flush(self) -> bool:
        """Nothing is queued."""
        return False

    def finish(self) -> None:
        """Write the headers and close the file."""
        self._writer.close()


class ArraySink:
    """An array in memory, filled as fast as sound comes.

    Parameters
    ----------
    frames, channels : int
        Of the array; more than that is left out.

    Raises
    ------
    MemoryError
        There is no room for it.
    """

    def __init__(self, frames: int, channels: int) -> None:
        self.channels = channels
        self._samples = np.empty((frames, channels), np.float32)
        self._filled = 0

    @property
    def samples(self) -> NDArray[np.float32]:
        """What was written: [frames, channels]."""
        return self._samples[: self._filled]

    def start(self) -> None:
        """Nothing to do."""

    def wanted(self) -> int:
        """Frames that are missing."""
        return len(self._samples) - self._filled

    def write(self, block: NDArray[np.float32]) -> int:
        """Append a block."""
        count = min(len(block), self.wanted())
        self._samples[self._filled : self._filled + count] = block[:count]
        self._filled += count
        return count

    def leaving(self) -> tuple[float, float] | None:
        """An array has no time."""
        return None

    def flush(self) -> bool:
        """Nothing is queued."""
        return False

    def finish(self) -> None:
        """Nothing to do."""


class NullSink:
    """No sound device: takes frames at the pace of a clock.

    Parameters
    ----------
    rate, channels : int
    clock : Clock
    lead_s : float
        How far ahead of the clock it lets the mixer run, seconds.
    """

    def __init__(self, rate: int, channels: int, clock: Clock, *, lead_s: float = 0.0215) -> None:
        self.channels = channels
        self.frames = 0
        self._rate = rate
        self._clock = clock
        self._lead = round(lead_s * rate)
        self._started = clock.now()
        self._taken_since = 0

    def start(self) -> None:
        """Begin counting time now."""
        self._started = self._clock.now()
        self._taken_since = 0

    def wanted(self) -> int:
        """Frames due by the clock. After a stall of a second the lost time is given up."""
        due = int((self._clock.now() - self._started) * self._rate) + self._lead
        if due - self._taken_since > self._rate + self._lead:
            self.start()
            due = self._lead
        return due - self._taken_since

    def write(self, block: NDArray[np.float32]) -> int:
        """Count a block and forget it."""
        self.frames += block.shape[0]
        self._taken_since += block.shape[0]
        return block.shape[0]

    def leaving(self) -> tuple[float, float] | None:
        """By the clock, with a fraction."""
        at = self._clock.now()
        return self._taken_since - (at - self._started) * self._rate, at

    def flush(self) -> bool:
        """Nothing is queued."""
        return False

    def finish(self) -> None:
        """Nothing to do."""
