"""The frames of one signal by absolute position. Owned by the generator's thread.

Committed frames never change. A provisional tail may follow them: frames of a block that were not
kept. Other stages may read the tail; the next block replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SignalLog"]

Array = NDArray[np.float32]


class SignalLog:
    """The last frames of a signal.

    Parameters
    ----------
    empty : ndarray [shape=(rows, 1)]
        The frame to read where none was committed.
    length : committed frames to keep.
    start : position of the first frame of a new piece.
    """

    def __init__(self, empty: Array, length: int, start: int = 0) -> None:
        self._empty, self._length, self._start = empty, length, start
        self.clear()

    def clear(self) -> None:
        """Start a new piece, without committed frames."""
        self._frames = np.repeat(self._empty, self._length, axis=1)
        self._tail = self._frames[:, :0]
        self.position = self._start
        self.has_past = False

    @property
    def length(self) -> int:
        """Committed frames that are kept."""
        return self._length

    @property
    def end(self) -> int:
        """Position after the last readable frame, including the provisional tail."""
        return self.position + self._tail.shape[1]

    def empty(self, frames: int) -> Array:
        """Empty frames [rows, frames]."""
        return np.repeat(self._empty, frames, axis=1)

    def commit(self, block: Array, keep: int) -> None:
        """Add the first `keep` frames of a block; the rest becomes the provisional tail."""
        self._append(block[:, :keep])
        self._tail = block[:, keep:].copy()
        self.position += keep

    def replace_past(self, frames: Array) -> None:
        """Replace the last frames, and drop the provisional tail.

        The position stays the same.
        """
        self._append(frames)
        self._tail = frames[:, :0].copy()

    def _append(self, frames: Array) -> None:
        joined = np.concatenate([self._frames, frames], axis=1)
        self._frames = joined[:, joined.shape[1] - self._length :]
        self.has_past = True

    def window(self, first: int, end: int) -> Array:
        """Frames [rows, end - first] from position `first`; empty frames where there are none.

        Raises
        ------
        ValueError
            The window starts before the oldest kept frame: a defect of the plan.
        """
        oldest = self.position - self._length
        if first < oldest and self.has_past and end > first:
            raise ValueError(f"frame {first} is no longer kept; the oldest is {oldest}")
        parts: list[Array] = []
        if first < oldest:
            parts.append(np.repeat(self._empty, min(end, oldest) - first, axis=1))
            first = min(end, oldest)
        if first < self.position:
            parts.append(self._frames[:, first - oldest : min(end, self.position) - oldest])
        if end > self.position:
            begin = max(0, first - self.position)
            parts.append(self._tail[:, begin : end - self.position])
        missing = end - max(first, self.end)
        if missing > 0:
            parts.append(np.repeat(self._empty, missing, axis=1))
        return np.concatenate(parts, axis=1)

    def state(self) -> dict[str, NDArray[Any]]:
        """The state as named arrays."""
        where = np.array([self.position, int(self.has_past)], np.int64)
        return {"frames": self._frames, "tail": self._tail, "position": where}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state, to the bit.

        Raises
        ------
        ValueError
            It is the state of another signal; then nothing has changed.
        """
        frames = np.array(state["frames"], np.float32)
        tail = np.array(state["tail"], np.float32)
        if frames.shape != self._frames.shape or tail.shape[:-1] != frames.shape[:-1]:
            raise ValueError(f"frames of shape {frames.shape} for {self._frames.shape}")
        self._frames, self._tail = frames, tail
        self.position, present = (int(n) for n in state["position"])
        self.has_past = bool(present)
