"""The last seconds of the output, kept in memory, for when recording comes too late.

`Keeper.tap` belongs to the mixer thread: one copy into memory allocated beforehand, never a wait.
`last` may be called from any thread.

Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT_SECONDS", "Keeper"]

KEPT_SECONDS = 60.0  # 23 MB of stereo at 48 kHz
_MARGIN = 0.1  # seconds: what the tap may write over while a copy is made


class Keeper:
    """Remembers what passes.

    Parameters
    ----------
    rate, channels : int
    seconds : float
        How far back.
    """

    def __init__(self, rate: int, channels: int, seconds: float = KEPT_SECONDS) -> None:
        self._rate = rate
        # Written to now: the system would hand the memory out page by page while it plays.
        self._data = np.empty((round((seconds + _MARGIN) * rate), channels), np.float32)
        self._data.fill(0.0)
        self._most = round(seconds * rate)
        self._passed = 0
        self._origin = 0

    def goes_on_at(self, frame: int) -> None:
        """Count what comes next from this frame of the output; while nothing is tapped."""
        self._origin = frame - self._passed

    def tap(self, block: NDArray[np.float32]) -> None:
        """Take a copy of a block; mixer thread only."""
        size, frames = len(self._data), len(block)
        at = self._passed % size
        first = min(frames, size - at)
        self._data[at : at + first] = block[:first]
        self._data[: frames - first] = block[first:]
        self._passed += frames

    def last(self, seconds: float) -> tuple[NDArray[np.float32], int]:
        """A copy of the last so many seconds, or of what there is, and its first frame's number."""
        passed = self._passed
        frames = min(round(seconds * self._rate), passed, self._most)
        at = np.arange(passed - frames, passed) % len(self._data)
        return self._data[at], self._origin + passed - frames
