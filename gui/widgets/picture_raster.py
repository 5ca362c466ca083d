"""The spectrogram as pixels: each is computed once, and scrolling only moves them.

A ring of pixel columns, as wide as the view and a margin; pixel column `p` shows the time
`p / pixels_a_second` and lies at `p` modulo the width. Between the columns and bands of the model
it interpolates, so that it is smooth at every scale. Drawing is two copies of memory. Pixels are
device pixels here. Qt's main thread.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRect, QRectF
from PyQt6.QtGui import QImage, QPainter

from gui.models.picture import Picture
from gui.spectrum_colours import colour_table

__all__ = ["Raster"]

_LOW, _HIGH = -78.0, -12.0  # range of the colours in dB
_MARGIN = 64  # pixel columns that are computed at once


class Raster:
    """Pixels of one picture.

    Parameters
    ----------
    picture : whose levels are shown.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._table = colour_table(_LOW, _HIGH)
        self._unknown = np.uint32(0xFF000004)
        self.width = self.height = 0
        self.pixels_a_second = 1.0
        self._have = (0, 0)  # pixel columns from .. to that are computed
        self._dirty = (0, 0)  # of these, what has changed since
        self._resize(1, 1)

    def fit(self, width: int, height: int, pixels_a_second: float, unknown: int) -> None:
        """Set the size of the view; `unknown` is the colour 0xffRRGGBB of unknown columns."""
        size = (max(1, width) + 2 * _MARGIN, max(1, height))
        colour = np.uint32(unknown)
        if size != (self.width, self.height) or pixels_a_second != self.pixels_a_second:
            self.pixels_a_second = pixels_a_second
            self._resize(*size)
        elif colour != self._unknown:
            self.forget()
        self._unknown = colour

    def forget(self) -> None:
        """Everything has changed."""
        self._have = self._dirty = (0, 0)

    def change(self, first: int, count: int) -> None:
        """Columns of the model have changed."""
        wide = self._picture.hop * self.pixels_a_second  # of a column
        low, high = int((first - 1) * wide), int((first + count) * wide) + 1
        if self._dirty[0] < self._dirty[1]:
            low, high = min(low, self._dirty[0]), max(high, self._dirty[1])
        self._dirty = (low, high)

    def draw(self, painter: QPainter, left: float, top: float, first: int, count: int) -> None:
        """Draw pixel columns `first` to `first + count`, the first at `left` of the painter."""
        self._compute(first, first + count)
        ratio = self._image.devicePixelRatio()
        done = 0
        while done < count:
            at = (first + done) % self.width
            wide = min(count - done, self.width - at)
            painter.drawImage(
                QRectF(left + done / ratio, top, wide / ratio, self.height / ratio), self._image,
                QRectF(QRect(at, 0, wide, self.height)),
            )  # fmt: skip
            done += wide

    def set_ratio(self, ratio: float) -> None:
        """Device pixels in one of the painter's."""
        self._image.setDevicePixelRatio(ratio)

    # ------------------------------------------------------------------ pixels

    def _resize(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._pixels = np.full((height, width), self._unknown, np.uint32)
        # The image shares the memory of the array.
        self._image = QImage(
            cast("bytes", self._pixels.data),  # PyQt takes any buffer; its stubs name only bytes
            width, height, 4 * width, QImage.Format.Format_RGB32,
        )  # fmt: skip
        self.forget()

    def _compute(self, low: int, high: int) -> None:
        """Update the columns from `low` to `high` from the model."""
        have, dirty = self._have, self._dirty
        if have[1] <= low or have[0] >= high or high - min(low, have[0]) > 4 * self.width:
            have = (low, low)
        old, new = max(dirty[0], have[0], low), min(dirty[1], have[1])
        if old < new:
            self._render(old, new)
        if low < have[0]:
            self._render(low, have[0])
            have = (low, min(have[1], low + self.width))  # columns beyond used the same memory
        if have[1] < high:
            end = high + _MARGIN
            self._render(have[1], end)
            have = (have[0], end)
        self._have = (max(have[0], have[1] - self.width, low), have[1])
        self._dirty = (0, 0)

    def _render(self, low: int, high: int) -> None:
        low = max(low, high - self.width)
        values, known = self._between(low, high)
        colours = np.where(known[:, None], self._table[values], self._unknown)
        begin = low % self.width
        split = min(high - low, self.width - begin)
        self._pixels[:, begin : begin + split] = colours[:split].T
        self._pixels[:, : high - low - split] = colours[split:].T

    def _between(self, low: int, high: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Levels at pixel columns and rows [shape=(high - low, height)], and which are known."""
        picture = self._picture
        if not picture.hop or not picture.bands:
            count = high - low
            return np.zeros((count, self.height), np.uint8), np.zeros(count, np.bool_)
        place = (np.arange(low, high) + 0.5) / (self.pixels_a_second * picture.hop)
        before = np.floor(place).astype(np.int64)
        levels, known = picture.levels(int(before[0]), int(before[-1] - before[0]) + 2)
        at = before - before[0]
        share = (place - before).astype(np.float32)
        # Beside an unknown column, use the other one alone.
        share = np.where(known[at], np.where(known[at + 1], share, 0), 1).astype(np.float32)
        rows = levels.astype(np.float32)
        across = rows[at] + share[:, None] * (rows[at + 1] - rows[at])
        band = (picture.bands - 1) * (1 - (np.arange(self.height) + 0.5) / self.height)
        lower = np.minimum(band.astype(np.int64), picture.bands - 2 if picture.bands > 1 else 0)
        upper = np.minimum(lower + 1, picture.bands - 1)
        part = (band - lower).astype(np.float32)
        found = across[:, lower] * (1 - part) + across[:, upper] * part
        near = np.where(share < 0.5, known[at], known[at + 1])
        return np.clip(found + 0.5, 0, 255).astype(np.uint8), near
