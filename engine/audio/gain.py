"""Gain without clicks: a smoothed gain, and a gate that fades to silence and back.

One owner thread each (the mixer's). State is kept between blocks, so the result does not depend on
the lengths of the blocks. Arrays: `ndarray [shape=(frames, channels)] float32`, changed
in place. Gains are linear.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gate", "SmoothGain", "db_to_gain"]

_SETTLED = 1e-5  # 100 dB below full scale: closer than this, the gain is the target


def db_to_gain(db: float) -> float:
    """Decibels to linear gain; minus infinity is 0."""
    return 10.0 ** (db / 20.0)


class SmoothGain:
    """A gain that approaches its target exponentially: g += (target - g) * (1 - a) each frame.

    Parameters
    ----------
    rate : int
        Frames per second.
    max_frames : int
        Longest block of `process`.
    time_s : float
        Time constant in seconds; after 5 of them the gain is within 1 % of the target.
    start : float
        Gain at the first frame.
    """

    def __init__(
        self, rate: int, max_frames: int, *, time_s: float = 0.01, start: float = 1.0
    ) -> None:
        coefficient = math.exp(-1.0 / max(1.0, time_s * rate))
        self._powers = coefficient ** np.arange(1, max_frames + 1, dtype=np.float64)
        self._gain = start

    @property
    def value(self) -> float:
        """Gain of the last frame."""
        return self._gain

    def process(self, block: NDArray[np.float32], target: float) -> None:
        """Multiply the block, in place, by the gain as it approaches `target`."""
        frames = block.shape[0]
        if frames == 0:
            return
        distance = self._gain - target
        if abs(distance) < _SETTLED:
            self._gain = target
            if target != 1.0:
                block *= np.float32(target)
            return
        ramp = target + distance * self._powers[:frames]
        block *= ramp.astype(np.float32)[:, np.newaxis]
        self._gain = float(ramp[-1])


class Gate:
    """Opens and closes with a smoothstep fade of fixed length, exact to the frame.

    Parameters
    ----------
    fade_frames : int
        Length of a whole fade, at least 1.
    opened : bool
        The initial state; a gate that starts closed fades in.
    """

    def __init__(self, fade_frames: int, *, opened: bool = False) -> None:
        self._length = max(1, fade_frames)
        self._position = self._length if opened else 0

    @property
    def frames(self) -> int:
        """Length of a whole fade."""
        return self._length

    @property
    def closed(self) -> bool:
        """Whether the last frame was silent: nothing has to be rendered until it opens."""
        return self._position == 0

    def process(self, block: NDArray[np.float32], opened: bool) -> None:
        """Fade the block, in place, towards open or closed."""
        frames = block.shape[0]
        if opened and self._position == self._length:
            return
        if not opened and self._position == 0:
            block[:] = 0.0
            return
        step = 1 if opened else -1
        path = self._position + step * np.arange(1, frames + 1)
        np.clip(path, 0, self._length, out=path)
        x = (path / self._length).astype(np.float32)
        block *= (x * x * (3.0 - 2.0 * x))[:, np.newaxis]
        if frames:
            self._position = int(path[-1])
