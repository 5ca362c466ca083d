"""A queue of frames between a converter with blocks of any length and fixed periods.

One owner thread. Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameFifo"]


class FrameFifo:
    """A queue of frames; it allocates only until it has reached its working size."""

    def __init__(self, channels: int, *, capacity: int = 4096) -> None:
        self._data = np.zeros((capacity, channels), np.float32)
        self._start = 0
        self.frames = 0

    def put(self, block: NDArray[np.float32]) -> None:
        """Append a copy of the block."""
        count = block.shape[0]
        end = self._start + self.frames
        if end + count > self._data.shape[0]:
            kept = self._data[self._start : end].copy()
            if self.frames + count > self._data.shape[0]:
                self._data = np.zeros((2 * (self.frames + count), self._data.shape[1]), np.float32)
            self._data[: self.frames] = kept
            self._start, end = 0, self.frames
        self._data[end : end + count] = block
        self.frames += count

    def take(self, count: int) -> NDArray[np.float32]:
        """Remove and return the first `count` frames (a copy); the queue must have them."""
        if count > self.frames:
            raise ValueError(f"{count} frames requested, the queue has {self.frames}")
        out = self._data[self._start : self._start + count].copy()
        self._start += count
        self.frames -= count
        if self.frames == 0:
            self._start = 0
        return out

    def clear(self) -> None:
        """Drop all frames."""
        self._start = self.frames = 0
