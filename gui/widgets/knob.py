"""A knob, drawn as vectors, over one control.

Drag up and down, with Shift ten times finer; wheel and arrows by steps, Page keys by ten of them;
Home and End to the bounds; a double click, Backspace or Delete back to the default. Under it is a
QDial, so screen readers and focus know it for what it is.
"""

from __future__ import annotations

import math

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PyQt6.QtWidgets import QDial, QWidget

from gui.models.control import ControlModel
from gui.theme import colours_of

__all__ = ["Knob"]

_TRAVEL = 180.0  # pixels of a drag over the whole range
_BEGIN, _SWEEP = 225.0, 270.0  # degrees, from the lower left clockwise to the lower right
_FINE = 0.1  # with Shift
_PLACES = 1000  # of a control that is no whole number


class Knob(QDial):
    """Turns a number.

    Parameters
    ----------
    model : a control of kind `float` or `int`.
    size : of one side, in pixels.
    """

    def __init__(self, model: ControlModel, size: int = 48, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._size = model, size
        self._drag: tuple[float, float] | None = None  # y of the pointer, place from 0 to 1
        span = model.param.high - model.param.low
        whole = model.param.kind == "int" and span <= _PLACES
        self.setRange(0, int(span) if whole else _PLACES)
        self.setFixedSize(QSize(size, size))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)  # the cell around has it
        self.valueChanged.connect(self._moved)
        model.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the model holds."""
        place = round(self._model.norm * self.maximum())
        if place != self.value():
            blocked = self.blockSignals(True)
            self.setValue(place)
            self.blockSignals(blocked)
        self.setEnabled(self._model.is_enabled)
        self.update()

    def _moved(self, place: int) -> None:
        """A screen reader, or a part of QDial that is not overridden, has moved it."""
        if place != round(self._model.norm * self.maximum()):
            self._model.set_norm(place / self.maximum())

    # ------------------------------------------------------------------ the hand

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._drag = (event.position().y(), self._model.norm)
        self._model.grab()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if event is None or self._drag is None:
            return
        y, place = self._drag
        fine = _FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
        place = min(max(place + fine * (y - event.position().y()) / _TRAVEL, 0.0), 1.0)
        self._drag = (event.position().y(), place)
        self._model.set_norm(place)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if self._drag is not None:
            self._drag = None
            self._model.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._model.reset()

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802, D102
        if event is None:
            return
        # Qt turns the wheel sideways where Alt is held.
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        self._model.nudge(notches * self._fine(event.modifiers()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802, D102
        if event is None:
            return
        key, fine = Qt.Key(event.key()), self._fine(event.modifiers())
        steps = {
            Qt.Key.Key_Up: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_Left: -1,
            Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10,
        }.get(key)  # fmt: skip
        if steps is not None:
            self._model.nudge(steps * fine)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._model.set_norm(float(key == Qt.Key.Key_End))
        elif key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self._model.reset()
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    def _fine(self, modifiers: Qt.KeyboardModifier) -> float:
        whole = self._model.param.kind == "int"
        return _FINE if modifiers & Qt.KeyboardModifier.ShiftModifier and not whole else 1.0

    # ------------------------------------------------------------------ drawing

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(self._size, self._size)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, model = colours_of(self), self._model
        width = self._size / 12
        ring = QRectF(self.rect()).adjusted(width, width, -width, -width)
        lit = colours.accent if self.isEnabled() else colours.dim
        _arc(painter, ring, colours.groove, width, 0.0, 1.0)
        begin, place = self._from(), model.norm
        if not model.is_free:
            low, high = sorted((begin, place))
            # A value that is not heard yet is drawn in dashes, whatever its colour.
            dashed = model.pending_seconds is not None
            _arc(painter, ring, lit, width, low, high, dashed=dashed)
        self._face(painter, ring.adjusted(width, width, -width, -width), lit)
        if self.hasFocus():
            painter.setPen(QPen(colours.accent, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def _from(self) -> float:
        """Where the lit arc begins: at nought where the range goes to both sides of it."""
        low, high = self._model.param.low, self._model.param.high
        return -low / (high - low) if low < 0 < high and low == -high else 0.0

    def _face(self, painter: QPainter, face: QRectF, lit: QColor) -> None:
        palette = self.palette()
        painter.setPen(QPen(colours_of(self).line, 1))
        painter.setBrush(palette.button())
        painter.drawEllipse(face)
        if self._model.is_free:  # no pointer: it stands nowhere
            painter.setPen(QPen(lit, 1.5))
            painter.drawEllipse(face.center(), face.width() / 10, face.height() / 10)
            return
        angle = math.radians(_BEGIN - _SWEEP * self._model.norm)
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
