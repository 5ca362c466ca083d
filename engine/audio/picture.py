"""The picture of made music: columns of a spectrogram on the axis of made music.

Column `n` shows the sound around `n` * hop, whatever blocks that lies in; what reaches beyond what
is made waits for the next block. Where a block stands in place of what was made, the columns that
saw the old sound are computed anew. Everything is bounded: the last `KEPT` seconds of sound and of
columns are remembered. One owner thread (OSC's); `compute` works on a few columns a call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.spectrum import FLOOR, Bands, Hertz

__all__ = ["COLUMNS_A_SECOND", "KEPT", "Picture"]

COLUMNS_A_SECOND = 25
KEPT = 16.0  # seconds: more than any lead


class Picture:
    """Of one stream of blocks.

    Parameters
    ----------
    rate : samples a second of what is made.
    middles : Hz of the bands [shape=(bands,)].
    """

    def __init__(self, rate: int, middles: Hertz) -> None:
        self.rate, self.top = rate, float(middles[-1])
        self.hop = max(1, round(rate / COLUMNS_A_SECOND))  # samples
        self._bands = Bands(rate, middles)
        self._half = self._bands.frame // 2
        self._size = round(KEPT * rate)
        self._sound = np.zeros(self._size, np.float32)
        self._most = self._size // self.hop
        self._columns = np.zeros((self._most, len(middles)), np.uint8)
        self._end: int | None = None  # samples, on the axis: what is made up to here
        self._begin = 0  # where what is known began
        self.computed = 0  # columns before this one are computed

    @property
    def first(self) -> int:
        """The oldest column that is still remembered."""
        return max(self.computed - self._most, -(-self._begin // self.hop))

    def add(self, start: float, samples: NDArray[np.float32]) -> int:
        """Take in a block whose first sample stands at `start` seconds; frames [frames, channels].

        Returns
        -------
        The first column that has to be sent (again).
        """
        sound = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
        at = round(start * self.rate)
        if self._end is None or at > self._end:  # the first one, or one after music dropped
            self._forget(at)
        elif at < self._begin:
            self._begin = at
        end = at + len(sound)
        sound = sound[-self._size :]
        place = (end - len(sound)) % self._size
        whole = min(len(sound), self._size - place)
        self._sound[place : place + whole] = sound[:whole]
        self._sound[: len(sound) - whole] = sound[whole:]
        self._end = end
        self._begin = max(self._begin, end - self._size)
        # A column sees half a frame to each side.
        changed = max(0, (at - self._half) // self.hop + 1)
        self.computed = max(min(self.computed, changed), -(-self._begin // self.hop))
        return self.computed

    def _forget(self, at: int) -> None:
        self._sound[:] = 0.0
        self._begin = at
        self.computed = -(-at // self.hop)

    def cut(self, start: float) -> int:
        """What was made from `start` seconds on is dropped. Returns the first column of that."""
        column = max(0, round(start * self.rate) // self.hop)
        if self._end is not None:
            self._end = min(self._end, round(start * self.rate))
        self.computed = min(self.computed, column)
        return column

    @property
    def ready(self) -> int:
        """Columns that the sound reaches to are those before this one."""
        if self._end is None:
            return self.computed
        return max(self.computed, (self._end - self._half) // self.hop + 1)

    def skip(self, column: int) -> None:
        """Nobody wants what is before this column."""
        self.computed = max(self.computed, min(column, self.ready))

    def compute(self, most: int) -> bool:
        """Compute up to `most` columns that are not yet. Returns whether there were any."""
        count = min(most, self.ready - self.computed)
        if count <= 0:
            return False
        middles = np.arange(self.computed, self.computed + count) * self.hop
        span = np.arange(-self._half, self._half)
        places = middles[:, None] + span
        frames = np.where(places < self._begin, np.float32(0), self._sound[places % self._size])
        levels = self._bands.levels(frames)
        grey = np.rint((levels - FLOOR) * (255.0 / -FLOOR))
        rows = np.arange(self.computed, self.computed + count) % self._most
        self._columns[rows] = np.clip(grey, 0, 255).astype(np.uint8)
        self.computed += count
        return True

    def columns(self, first: int, count: int) -> bytes:
        """Computed columns one after the other, each from the lowest band up, as bytes."""
        return self._columns[np.arange(first, first + count) % self._most].tobytes()
