"""The scope: the last seconds of what is heard, for whoever wants to look at them.

`Scope.tap` belongs to the mixer thread and takes no lock: it writes into a ring made beforehand and
then says how far it has come. Any thread may read; a reader copies, and looks again whether it was
overtaken meanwhile. A tap of 128 stereo frames takes 3 microseconds.

Arrays: `ndarray [shape=(frames, channels)] float32` in, one channel, their mean, out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scope", "trace"]

_ROOM = 1 << 20  # frames: 5.4 s at 192 kHz, more than any device's ring and one picture


class Scope:
    """A ring of what was heard last, in mono, at whatever rate and with however many channels.

    Parameters
    ----------
    room : int
        Frames that are kept.
    """

    def __init__(self, room: int = _ROOM) -> None:
        self._size = max(1, room)
        self._data = np.zeros(self._size, np.float32)
        self._weights = np.zeros(0, np.float32)
        self._written = self._writing = 0

    def tap(self, heard: NDArray[np.float32]) -> None:
        """Take in a block; mixer thread only."""
        frames, channels = heard.shape
        end = self._written + frames
        heard = heard[-self._size :]
        frames = heard.shape[0]
        if len(self._weights) != channels:
            self._weights = np.full(channels, 1 / channels, np.float32)
        mono = heard @ self._weights
        at = (end - frames) % self._size
        first = min(frames, self._size - at)
        self._writing = end  # what is written over from here on must not be read any more
        self._data[at : at + first] = mono[:first]
        self._data[: frames - first] = mono[first:]
        self._written = end  # only now may it be read

    @property
    def written(self) -> int:
        """Frames taken in since it was made."""
        return self._written

    def last(self, frames: int, *, behind: int = 0) -> NDArray[np.float32]:
        """The last frames that were taken in up to `behind` frames ago; any thread.

        Parameters
        ----------
        frames : int
            How many; before the first one it was silent.
        behind : int
            What is still on its way to the ear: the frames in the output ring and the device.

        Returns
        -------
        ndarray [shape=(frames,)] float32
            A copy. Silence when so much is asked for that it is gone.
        """
        for _ in range(3):
            end = max(self._written - behind, 0)
            start = max(end - frames, 0)
            if self._writing - start > self._size:
                break
            sound = self._copy(start, end)
            if self._writing - start <= self._size:  # nobody wrote over it meanwhile
                return np.concatenate((np.zeros(frames - len(sound), np.float32), sound))
        return np.zeros(frames, np.float32)

    def _copy(self, start: int, end: int) -> NDArray[np.float32]:
        at, count = start % self._size, end - start
        first = min(count, self._size - at)
        return np.concatenate((self._data[at : at + first], self._data[: count - first]))


def trace(sound: NDArray[np.float32], frames: int, pairs: int) -> NDArray[np.float32]:
    """A standing picture of the last `frames` of `sound`: least and most of each of `pairs` parts.

    It begins at the latest rising zero crossing that leaves `frames` after it, so that a periodic
    sound stands still; where there is none (silence, a very low sound) at the last possible frame.
    Least and most, not every so-manieth sample: no peak is lost and nothing aliases.

    Parameters
    ----------
    sound : ndarray [shape=(n,)] float32
        More than `frames` of it, the rest to look for a crossing in.
    frames, pairs : int
        With fewer frames than pairs there are only as many pairs.

    Returns
    -------
    ndarray [shape=(2 * pairs,)] float32
        least, most, least, most, ...
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
