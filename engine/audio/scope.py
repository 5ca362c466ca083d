"""The scope: the last seconds of the output, to be displayed.

The mixer thread calls `Scope.tap`, which takes no lock: it writes into a ring allocated beforehand
and then updates its position. Any thread may read: a reader copies, and then checks whether the
copied frames were overwritten in the meantime. A tap of 128 stereo frames takes 3 microseconds.

Arrays: `ndarray [shape=(frames, channels)] float32` in, one channel, their mean, out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scope", "trace"]

_SIZE = 1 << 20  # frames: 5.4 s at 192 kHz, more than a device's latency and one display


class Scope:
    """A ring of the last output frames, in mono, at any rate and with any number of channels.

    Parameters
    ----------
    size : int
        Frames to keep.
    """

    def __init__(self, size: int = _SIZE) -> None:
        self._size = max(1, size)
        self._data = np.zeros(self._size, np.float32)
        self._weights = np.zeros(0, np.float32)
        self._written = self._writing = 0

    def tap(self, block: NDArray[np.float32]) -> None:
        """Add a block; mixer thread only."""
        frames, channels = block.shape
        end = self._written + frames
        block = block[-self._size :]
        frames = block.shape[0]
        if len(self._weights) != channels:
            self._weights = np.full(channels, 1 / channels, np.float32)
        mono = block @ self._weights
        at = (end - frames) % self._size
        first = min(frames, self._size - at)
        self._writing = end  # frames that are overwritten now must not be read
        self._data[at : at + first] = mono[:first]
        self._data[: frames - first] = mono[first:]
        self._written = end  # the frames may be read from now on

    @property
    def written(self) -> int:
        """Frames added since the scope was created."""
        return self._written

    def last(self, frames: int, *, behind: int = 0) -> NDArray[np.float32]:
        """The last frames up to `behind` frames ago; any thread.

        Parameters
        ----------
        frames : int
            Count; frames before the first one are silent.
        behind : int
            Frames that are not audible yet: those in the output ring and the device.

        Returns
        -------
        ndarray [shape=(frames,)] float32
            A copy. Silence if the frames are no longer kept.
        """
        for _ in range(3):
            end = max(self._written - behind, 0)
            start = max(end - frames, 0)
            if self._writing - start > self._size:
                break
            sound = self._copy(start, end)
            if self._writing - start <= self._size:  # not overwritten in the meantime
                return np.concatenate((np.zeros(frames - len(sound), np.float32), sound))
        return np.zeros(frames, np.float32)

    def _copy(self, start: int, end: int) -> NDArray[np.float32]:
        at, count = start % self._size, end - start
        first = min(count, self._size - at)
        return np.concatenate((self._data[at : at + first], self._data[: count - first]))


def trace(sound: NDArray[np.float32], frames: int, pairs: int) -> NDArray[np.float32]:
    """A triggered waveform of the last `frames` of `sound`: minimum and maximum of `pairs` parts.

    It starts at the last rising zero crossing with `frames` after it, so that a periodic sound
    stands still; without one (silence, a very low sound) at the last possible frame. With minimum
    and maximum no peak is lost and nothing aliases.

    Parameters
    ----------
    sound : ndarray [shape=(n,)] float32
        More than `frames`, for the search of a crossing.
    frames, pairs : int
        With fewer frames than pairs there are as many pairs as frames.

    Returns
    -------
    ndarray [shape=(2 * pairs,)] float32
        minimum, maximum, minimum, maximum, ...
    """
    before = max(0, len(sound) - frames)
    start = before
    head = sound[: before + 1]
    rising = np.flatnonzero((head[:-1] < 0.0) & (head[1:] >= 0.0))
    if len(rising):
        start = int(rising[-1]) + 1
    shown = sound[start : start + frames]
    pairs = min(pairs, len(shown))
    if not pairs:
        return np.zeros(0, np.float32)
    cuts = np.arange(pairs) * len(shown) // pairs
    out = np.empty((pairs, 2), np.float32)
    out[:, 0] = np.minimum.reduceat(shown, cuts)
    out[:, 1] = np.maximum.reduceat(shown, cuts)
    return out.ravel()
