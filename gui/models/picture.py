"""The picture of the music: spectrogram columns, blocks and the playhead.

Uses `/picture`, `/picture/clear`, `/block`, `/playhead` and `/spectrum/bands`, which share one
axis: seconds of generated music. The last `KEPT` seconds of columns are kept in a ring; nothing
grows. Qt's main thread.

Contract for a view: `changed(first, count)` names columns that are new or dropped, `cleared` means
all columns; `levels(first, count)` returns them; read `blocks` and `playhead` when drawing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.playhead import Playhead

__all__ = ["FLOOR", "KEPT", "BlockSeen", "Picture"]

KEPT = 40.0  # seconds: the longest lead plus the past that is shown
FLOOR = -90.0  # dB of the byte 0; 255 is 0 dB
_MOST_COLUMNS, _MOST_BANDS = 4096, 512
_MOST_BLOCKS = 512
_NONE = -(1 << 62)  # the number of no column; those before the music have small negative ones


@dataclass(frozen=True)
class BlockSeen:
    """A block as in `/block`: times in seconds; `load`: generation time over audio time.

    `index` is -1 for audio from outside.
    """

    index: int
    start: float
    seconds: float
    steps: int
    load: float
    eased: bool

    @property
    def end(self) -> float:
        """The end in seconds."""
        return self.start + self.seconds

    @property
    def text(self) -> str:
        """A description in one line."""
        if self.index < 0:
            return f"audio from outside, {self.seconds:.2f} s"
        eased = ", reduced by the governor" if self.eased else ""
        return (
            f"block {self.index}: {self.seconds:.2f} s, {self.steps} steps{eased}, generated in "
            f"{100 * self.load:.0f} % of its duration"
        )


class Picture(QObject):
    """The picture of one engine.

    Parameters
    ----------
    now : monotonic clock in seconds.

    Attributes
    ----------
    hop : seconds from column to column; 0 until the first one.
    bands : number of bands in a column.
    frequencies : centre frequencies of the bands in Hz, lowest first; () if unknown.
    blocks : in the order of time.
    playhead : the audible position.
    """

    changed = pyqtSignal(int, int)  # first column, count
    cleared = pyqtSignal()
    blocks_changed = pyqtSignal()
    bands_changed = pyqtSignal()

    def __init__(
        self, now: Callable[[], float] = time.monotonic, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.hop, self.bands = 0.0, 0
        self.frequencies: tuple[float, ...] = ()
        self.blocks: list[BlockSeen] = []
        self.playhead = Playhead(now)
        self._ring = np.zeros((0, 0), np.uint8)
        self._which = np.zeros(0, np.int64)  # the column that a row of the ring holds

    # ------------------------------------------------------------------ for a view

    def levels(self, first: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Columns [shape=(count, bands)], 0 to 255 for -90 to 0 dB, and which of them are known."""
        if not len(self._which):
            return np.zeros((count, self.bands), np.uint8), np.zeros(count, np.bool_)
        wanted = np.arange(first, first + count)
        rows = wanted % len(self._which)
        return self._ring[rows], self._which[rows] == wanted

    def column(self, seconds: float) -> int:
        """The column at a position."""
        return round(seconds / self.hop) if self.hop else 0

    def block_at(self, seconds: float) -> BlockSeen | None:
        """The block at a position."""
        return next((b for b in reversed(self.blocks) if b.start <= seconds < b.end), None)

    # ------------------------------------------------------------------ the engine

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about the picture; ignores invalid data."""
        if address == "/picture":
            if len(arguments) == 4 and isinstance(arguments[3], bytes):
                start, hop, bands = _numbers(arguments[:3], 3)
                self._columns(start, hop, bands, arguments[3])
        elif address == "/playhead":
            _played, generated, audible = _numbers(arguments, 3)
            if math.isfinite(generated) and math.isfinite(audible):
                self.playhead.take(audible, generated)
        elif address == "/block":
            self._block(_numbers(arguments, 7))
        elif address == "/picture/clear":
            self._clear(_numbers(arguments, 1)[0])
        elif address == "/spectrum/bands":
            self.frequencies = tuple(f for f in _numbers(arguments, len(arguments)) if f > 0)
            self.bands_changed.emit()
        else:
            return False
        return True

    def take_lost(self) -> None:
        """The connection is lost; the next engine has another axis."""
        self.playhead.forget()
        self._clear(0.0)

    def _columns(self, start: float, hop: float, bands: float, data: bytes) -> None:
        height = int(bands) if math.isfinite(bands) else 0
        fits = 0 < height <= _MOST_BANDS and len(data) % height == 0
        if not fits or not data or not 1e-3 <= hop <= 1.0 or not abs(start) < 1e9:
            return
        if (hop, height) != (self.hop, self.bands):
            self._begin(hop, height)
        first, new = round(start / hop), np.frombuffer(data, np.uint8).reshape(-1, height)
        wanted = np.arange(first, first + len(new))[-len(self._which) :]
        rows = wanted % len(self._which)
        self._ring[rows], self._which[rows] = new[-len(wanted) :], wanted
        self.changed.emit(int(wanted[0]), len(wanted))

    def _begin(self, hop: float, bands: int) -> None:
        """Start again with columns of another kind."""
        size = min(_MOST_COLUMNS, math.ceil(KEPT / hop))
        self.hop, self.bands = hop, bands
        self._ring = np.zeros((size, bands), np.uint8)
        self._which = np.full(size, _NONE, np.int64)
        self.cleared.emit()

    def _block(self, numbers: tuple[float, ...]) -> None:
        index, start, seconds, steps, _rewind, load, eased = numbers
        if not all(map(math.isfinite, numbers)) or seconds <= 0:
            return
        self._cut_blocks(start)
        self.blocks.append(
            BlockSeen(int(index), start, seconds, int(steps), load, bool(eased))
        )  # fmt: skip
        oldest = start - KEPT
        gone = sum(b.end < oldest for b in self.blocks[:-1])
        del self.blocks[: max(gone, len(self.blocks) - _MOST_BLOCKS)]
        self.playhead.extend(start + seconds)
        self.blocks_changed.emit()

    def _clear(self, since: float) -> None:
        if not since > 0:
            self._which[:] = _NONE
            self.blocks.clear()
            self.blocks_changed.emit()
            self.cleared.emit()
            return
        self._cut_blocks(since)
        self.blocks_changed.emit()
        if len(self._which):
            first = math.ceil(since / self.hop - 1e-3)  # 39.48 s by 0.04 s is 987, and a little
            self._which[self._which >= first] = _NONE
            self.changed.emit(first, len(self._which))

    def _cut_blocks(self, since: float) -> None:
        """Remove blocks from a position on: they are replaced or dropped."""
        while self.blocks and self.blocks[-1].start >= since - 1e-3:
            self.blocks.pop()
        if self.blocks and self.blocks[-1].end > since:
            last = self.blocks[-1]
            self.blocks[-1] = BlockSeen(
                last.index, last.start, since - last.start, last.steps, last.load, last.eased
            )


def _numbers(arguments: tuple[object, ...], count: int) -> tuple[float, ...]:
    """The first `count` arguments as numbers; NaN for any other type."""
    found = [float(a) if isinstance(a, (int, float)) else math.nan for a in arguments[:count]]
    return (*found, *[math.nan] * (count - len(found)))
