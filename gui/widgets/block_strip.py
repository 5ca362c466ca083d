"""The blocks over the picture: steps above it, thin lines at the seams.

Drawn into a pixmap when the blocks change, a few times a second at most; a frame only moves it. A
block that the governor eased has a triangle before its steps, and a line under them. Qt's main
thread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from PyQt6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap, QPolygonF
from PyQt6.QtWidgets import QWidget

from gui.models.picture import BlockSeen, Picture
from gui.theme import colours_of

__all__ = ["BlockStrip"]

_SEAM = QColor(255, 255, 255, 90)
_MARGIN = 256  # device pixels at each side, for scrolling
_MARK = 10  # pixels for the triangle


@dataclass(frozen=True)
class _Drawn:
    """A drawn pixmap: from pixel `first` on, in device pixels, for one `look`."""

    first: int
    width: int
    look: tuple[object, ...]
    pixmap: QPixmap
    seams: list[QLineF]


class BlockStrip:
    """Blocks of a picture, drawn on a widget.

    Parameters
    ----------
    picture : has the blocks.
    widget : to draw on, for its font and colours.
    height : of the part above the picture.
    """

    def __init__(self, picture: Picture, widget: QWidget, height: int) -> None:
        self._picture, self._widget, self._height = picture, widget, height
        self._revision = 0
        self._drawn: _Drawn | None = None
        picture.blocks_changed.connect(self.forget)

    def forget(self) -> None:
        """The blocks or the colours have changed."""
        self._revision += 1

    def draw(self, painter: QPainter, area: QRect, first: int, width: int, scale: float) -> None:
        """Draw `width` device pixels from `first` on; one second has `scale` of them."""
        ratio = self._widget.devicePixelRatioF()
        look = (self._revision, ratio, scale, area.height(), painter.font().key())
        drawn = self._drawn
        if (
            drawn is None or drawn.look != look or first < drawn.first
            or first + width > drawn.first + drawn.width
        ):  # fmt: skip
            drawn = self._drawn = self._draw(painter, area, first, width, scale, look)
        shift = (drawn.first - first) / ratio
        painter.drawPixmap(QPointF(area.left() + shift, 0), drawn.pixmap)
        painter.setPen(QPen(_SEAM, 1))
        painter.translate(area.left() + shift, 0)
        for seam in drawn.seams:
            painter.drawLine(seam)
        painter.translate(-area.left() - shift, 0)

    def _draw(
        self, painter: QPainter, area: QRect, first: int, width: int, scale: float,
        look: tuple[object, ...],
    ) -> _Drawn:  # fmt: skip
        ratio = self._widget.devicePixelRatioF()
        first, width = first - _MARGIN, width + 2 * _MARGIN
        pixmap = QPixmap(width, math.ceil(self._height * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(self._widget.palette().window().color())
        inner = QPainter(pixmap)
        inner.setRenderHint(QPainter.RenderHint.Antialiasing)
        inner.setFont(painter.font())
        seams: list[QLineF] = []
        for block in self._picture.blocks:
            left, right = (
                (round(place * scale) - first) / ratio for place in (block.start, block.end)
            )
            if right < 0 or left > width / ratio:
                continue
            # Draw the line on pixels, not between them.
            seams.append(QLineF(left + 0.5, area.top(), left + 0.5, area.bottom()))
            inner.setPen(QPen(colours_of(self._widget).line, 1))
            inner.drawLine(QLineF(left + 0.5, 3, left + 0.5, self._height))
            self._label(inner, block, left, right)
        inner.end()
        return _Drawn(first, width, look, pixmap, seams)

    def _label(self, painter: QPainter, block: BlockSeen, left: float, right: float) -> None:
        """A block's steps, if there is room."""
        colours, height = colours_of(self._widget), self._height
        text = f"{block.steps}" if block.index >= 0 else "\N{EN DASH}"
        wide = QFontMetricsF(painter.font()).horizontalAdvance(text)
        mark = _MARK if block.eased else 0
        if block.eased:
            painter.fillRect(QRectF(left + 2, height - 3, right - left - 3, 2), colours.warn)
        at = (left + right - wide - mark) / 2
        if wide + mark > right - left - 2:
            return
        if block.eased:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.warn)
            painter.drawPolygon(
                QPolygonF([QPointF(at, 6), QPointF(at + 7, 6), QPointF(at + 3.5, 12)])
            )
        painter.setPen(colours.dim)
        painter.drawText(
            QRectF(at + mark, 0, wide + 2, height - 3), Qt.AlignmentFlag.AlignVCenter, text
        )
