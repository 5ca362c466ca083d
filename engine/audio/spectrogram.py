"""A spectrogram of the generated music, column by column, on the time axis of the block events.

Column `n` shows the sound around `n` * hop, across block boundaries; a column that reaches beyond
the generated sound waits for the next block. Where a block replaces sound, the columns that contain
it are computed again. The last `KEPT_SECONDS` of sound and columns are kept. One owner thread
(OSC's); `compute` works on a few columns per call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.spectrum import FLOOR, Bands, Hertz

__all__ = ["COLUMNS_PER_SECOND", "KEPT_SECONDS", "Spectrogram"]

COLUMNS_PER_SECOND = 25
KEPT_SECONDS = 16.0  # longer than any lead


class Spectrogram:
    """The spectrogram of one stream of blocks.

    Parameters
    ----------
    rate : samples per second.
    middles : centre frequencies of the bands in Hz [shape=(bands,)].
    """

    def __init__(self, rate: int, middles: Hertz) -> None:
        self.rate, self.top = rate, float(middles[-1])
        self.hop = max(1, round(rate / COLUMNS_PER_SECOND))  # samples
        self._bands = Bands(rate, middles)
        self._half = self._bands.frame // 2
        self._size = round(KEPT_SECONDS * rate)
        self._sound = np.zeros(self._size, np.float32)
        self._most = self._size // self.hop
        self._columns = np.zeros((self._most, len(middles)), np.uint8)
        self._end: int | None = None  # samples: the end of the generated sound
        self._begin = 0  # samples: the start of the kept sound
        self.computed = 0  # all kept columns before this one are computed

    @property
    def first(self) -> int:
        """The oldest column that is kept."""
        return max(self.computed - self._most, -(-self._begin // self.hop))

    def add(self, start: float, samples: NDArray[np.float32]) -> int:
        """Add a block of samples [frames, channels] that starts at `start` seconds.

        Returns
        -------
        The first column that has to be sent (again).
        """
        sound = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
        at = round(start * self.rate)
        if self._end is None or at > self._end:  # the first block, or one after dropped audio
            self._restart(at)
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
        # A column spans half a frame to each side.
        changed = max(0, (at - self._half) // self.hop + 1)
        self.computed = max(min(self.computed, changed), -(-self._begin // self.hop))
        return self.computed

    def _restart(self, at: int) -> None:
        self._sound[:] = 0.0
        self._begin = at
        self.computed = -(-at // self.hop)

    def cut(self, start: float) -> int:
        """Drop the sound from `start` seconds on. Returns the first column that it changes."""
        column = max(0, round(start * self.rate) // self.hop)
        if self._end is not None:
            self._end = min(self._end, round(start * self.rate))
        self.computed = min(self.computed, column)
        return column

    @property
    def ready(self) -> int:
        """The sound is long enough for all columns before this one."""
        if self._end is None:
            return self.computed
        return max(self.computed, (self._end - self._half) // self.hop + 1)

    def skip(self, column: int) -> None:
        """Leave out the columns before this one: no client needs them."""
        self.computed = max(self.computed, min(column, self.ready))

    def compute(self, most: int) -> bool:
        """Compute up to `most` more columns. Returns whether there were any."""
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
        """Computed columns, one after the other, each from the lowest band up."""
        return self._columns[np.arange(first, first + count) % self._most].tobytes()
