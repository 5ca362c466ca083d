"""The last seconds of what was heard, kept in memory, for what nobody had thought to record.

`Keeper.tap` belongs to the mixer thread: one copy into memory made beforehand, never a wait.
`save` may be called from any thread; it may wait for a disk.

Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.soundfiles import SoundWriter
from engine.errors import ConfigError

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

    def tap(self, block: NDArray[np.float32]) -> None:
        """Take a copy of a block; mixer thread only."""
        size, frames = len(self._data), len(block)
        at = self._passed % size
        first = min(frames, size - at)
        self._data[at : at + first] = block[:first]
        self._data[: frames - first] = block[first:]
        self._passed += frames

    def last(self, seconds: float) -> NDArray[np.float32]:
        """A copy of the last so many seconds, or of what there is."""
        passed = self._passed
        frames = min(round(seconds * self._rate), passed, self._most)
        at = np.arange(passed - frames, passed) % len(self._data)
        return self._data[at]

    def save(self, path: Path, seconds: float) -> float:
        """Write the last so many seconds into `path`; returns how many there were.

        Raises
        ------
        ConfigError
            Nothing has been heard yet.
        StorageError
            The file cannot be written.
        """
        kept = self.last(seconds)
        if not len(kept):
            raise ConfigError(f"keep {path.name}: nothing has been heard yet")
        writer = SoundWriter(path, self._rate, kept.shape[1])
        try:
            writer.write(kept)
        finally:
            writer.close()
        return len(kept) / self._rate
