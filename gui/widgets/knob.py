"""A knob for one control: drag it up and down; keys: `number_widget.py`."""

from __future__ import annotations

import math

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from gui.models.control import ControlModel
from gui.theme import colours_of
from gui.widgets.number_widget import NumberWidget

__all__ = ["Knob"]

_TRAVEL = 180.0  # pixels of a drag over the whole range
_BEGIN, _SWEEP = 225.0, 270.0  # degrees, from the lower left clockwise to the lower right


class Knob(NumberWidget):
    """Changes a number.

    Parameters
    ----------
    model : a control of kind `float` or `int`.
    size : of one side, in pixels.
    """

    def __init__(self, model: ControlModel, size: int = 48, parent: QWidget | None = None) -> None:
        self._size = size
        super().__init__(model, parent)
        self.setFixedSize(QSize(size, size))

    @property
    def travel(self) -> float:
        """Pixels of a drag over the whole range."""
        return _TRAVEL

    # ------------------------------------------------------------------ drawing

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(self._size, self._size)

    def paintEvent(self, e: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, model = colours_of(self), self._model
        width = self._size / 12
        ring = QRectF(self.rect()).adjusted(width, width, -width, -width)
        lit = colours.accent if self.isEnabled() else colours.dim
        _arc(painter, ring, colours.groove, width, 0.0, 1.0)
        begin, place = self._from(), model.normalised
        if not model.is_free:
            low, high = sorted((begin, place))
            # A value that is not audible yet is drawn dashed.
            dashed = model.pending_seconds is not None
            _arc(painter, ring, lit, width, low, high, dashed=dashed)
        self._face(painter, ring.adjusted(width, width, -width, -width), lit)
        if self.hasFocus():
            painter.setPen(QPen(colours.accent, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def _from(self) -> float:
        """Where the lit arc begins: at 0 if the range includes negative values."""
        low, high = self._model.control.low, self._model.control.high
        return -low / (high - low) if low < 0 < high and low == -high else 0.0

    def _face(self, painter: QPainter, face: QRectF, lit: QColor) -> None:
        palette = self.palette()
        painter.setPen(QPen(colours_of(self).line, 1))
        painter.setBrush(palette.button())
        painter.drawEllipse(face)
        if self._model.is_free:  # no pointer for free
            painter.setPen(QPen(lit, 1.5))
            painter.drawEllipse(face.center(), face.width() / 10, face.height() / 10)
            return
        angle = math.radians(_BEGIN - _SWEEP * self._model.normalised)
        out = QPointF(math.cos(angle), -math.sin(angle)) * (face.width() / 2)
        colour = palette.windowText().color() if self.isEnabled() else lit
        painter.setPen(QPen(colour, self._size / 18, cap=Qt.PenCapStyle.RoundCap))
        painter.drawLine(face.center() + out * 0.35, face.center() + out * 0.82)


def _arc(
    painter: QPainter, ring: QRectF, colour: QColor, width: float, low: float, high: float,
    *, dashed: bool = False,
) -> None:  # fmt: skip
    pen = QPen(colour, width, cap=Qt.PenCapStyle.FlatCap)
    if dashed:
        pen.setDashPattern([0.5, 0.4])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    begin = round(16 * (_BEGIN - _SWEEP * low))
    painter.drawArc(ring, begin, -round(16 * _SWEEP * (high - low)))
