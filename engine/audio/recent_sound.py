"""The last seconds of the output in memory, to save them when recording was not on.

The mixer thread calls `RecentSound.tap`: one copy into memory allocated beforehand, without
waiting. Any thread may call `last`.

Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RECENT_SECONDS", "RecentSound"]

RECENT_SECONDS = 60.0  # 23 MB of stereo at 48 kHz
_MARGIN = 0.1  # seconds that the tap may overwrite during a copy


class RecentSound:
    """A ring of the last seconds.

    Parameters
    ----------
    rate, channels : int
    seconds : float
        Length of the ring.
    """

    def __init__(self, rate: int, channels: int, seconds: float = RECENT_SECONDS) -> None:
        self._rate = rate
        # Written to now; otherwise the system allocates page by page during playback.
        self._data = np.empty((round((seconds + _MARGIN) * rate), channels), np.float32)
        self._data.fill(0.0)
        self._most = round(seconds * rate)
        self._count = 0
        self._origin = 0

    def continue_at(self, frame: int) -> None:
        """The next block starts at this frame of the output. Not to be called during a tap."""
        self._origin = frame - self._count

    def tap(self, block: NDArray[np.float32]) -> None:
        """Copy a block; mixer thread only."""
        size, frames = len(self._data), len(block)
        at = self._count % size
        first = min(frames, size - at)
        self._data[at : at + first] = block[:first]
        self._data[: frames - first] = block[first:]
        self._count += frames

    def last(self, seconds: float) -> tuple[NDArray[np.float32], int]:
        """A copy of the last `seconds`, or of what is there, and the number of its first frame."""
        count = self._count
        frames = min(round(seconds * self._rate), count, self._most)
        at = np.arange(count - frames, count) % len(self._data)
        return self._data[at], self._origin + count - frames
