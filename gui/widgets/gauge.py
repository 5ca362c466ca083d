"""A caption over a value, with a bar if the value is a share: one part of the status strip."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.theme import colours_of

__all__ = ["Gauge"]

_BAR, _HEIGHT = 54, 36  # pixels
_GAP = 6


class Gauge(QWidget):
    """Custom painted, since it changes several times a second.

    Parameters
    ----------
    caption : the name of the value.
    longest : the longest value; the width is fixed for it.
    about : one sentence, as a tool tip and for screen readers.
    bar : whether it has a bar.
    """

    def __init__(
        self, caption: str, longest: str, about: str, *, bar: bool = False,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._caption, self._longest, self._has_bar = caption, longest, bar
        self.text, self.share, self.is_high, self.lamp = "", 0.0, False, False
        self._has_lamp = False
        self.setAccessibleName(caption)
        self.setToolTip(about)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_value(self, text: str, share: float = 0.0, *, high: bool = False) -> None:
        """Set the value; `share` (0 to 1) is for the bar, `high` is a warning."""
        share = round(min(max(share, 0.0), 1.0) * _BAR) / _BAR
        if (text, share, high) != (self.text, self.share, self.is_high):
            if text != self.text:
                self.setAccessibleDescription(text)
            self.text, self.share, self.is_high = text, share, high
            self.update()

    def set_lamp(self, lit: bool) -> None:
        """Set the lamp before the caption: filled if lit, else a ring."""
        if (lit, True) != (self.lamp, self._has_lamp):
            self.lamp, self._has_lamp = lit, True
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        metrics = QFontMetricsF(self.font())
        value = metrics.horizontalAdvance(self._longest) + (_BAR + _GAP if self._has_bar else 0)
        caption = metrics.horizontalAdvance(self._caption) + (14 if self._has_lamp else 0)
        return QSize(round(max(value, caption)) + 4, _HEIGHT)

    def minimumSizeHint(self) -> QSize:  # noqa: N802, D102
        return self.sizeHint()

    def paintEvent(self, a0: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter, colours = QPainter(self), colours_of(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        small = self.font()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        painter.setFont(small)
        left = 0.0
        if self._has_lamp:
            painter.setPen(QPen(colours.accent if self.lamp else colours.dim, 1.5))
            painter.setBrush(colours.accent if self.lamp else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QRectF(1, 4, 8, 8))
            left = 14.0
        painter.setPen(colours.dim)
        where = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left, 0, self.width(), 16), where, self._caption)
        painter.setFont(self.font())
        left = 0.0
        if self._has_bar:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.fillRect(QRectF(0, 23, _BAR, 7), colours.groove)
            lit = colours.warn if self.is_high else colours.accent
            painter.fillRect(QRectF(0, 23, _BAR * self.share, 7), lit)
            left = _BAR + _GAP
        painter.setPen(self.palette().windowText().color())
        room = self.width() - left
        text = QFontMetricsF(self.font()).elidedText(self.text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(left, 16, room, 20), where, text)
