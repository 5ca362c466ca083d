"""A vertical slider for one control: drag it, or click beside it; keys: `number_widget.py`."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from gui.models.control import ControlModel
from gui.theme import colours_of
from gui.widgets.number_widget import NumberWidget

__all__ = ["Fader"]

_WIDE, _HANDLE, _GROOVE = 22, 12, 5  # pixels


class Fader(NumberWidget):
    """Changes a number.

    Parameters
    ----------
    model : a control of kind `number` or `whole`.
    height : in pixels.
    """

    def __init__(self, model: ControlModel, height: int, parent: QWidget | None = None) -> None:
        self._height = height
        super().__init__(model, parent)
        self.setFixedSize(QSize(_WIDE, height))

    @property
    def travel(self) -> float:
        """Pixels of a drag over the whole range."""
        return float(self._height - _HANDLE - 4)

    def mousePressEvent(self, e: QMouseEvent | None) -> None:  # noqa: N802, D102
        event = e
        super().mousePressEvent(event)
        if event is None or self._drag is None:
            return
        y = event.position().y()
        if abs(y - self._middle) > _HANDLE / 2:  # beside the handle: move it to the pointer
            place = 1.0 - (y - 2 - _HANDLE / 2) / self.travel
            self._model.set_normalised(min(max(place, 0.0), 1.0))
            self._drag = (y, self._model.normalised)

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(_WIDE, self._height)

    @property
    def _middle(self) -> float:
        """Pixels from the top to the middle of the handle."""
        return 2 + _HANDLE / 2 + (1.0 - self._model.normalised) * self.travel

    def paintEvent(self, e: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter, colours = QPainter(self), colours_of(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle, left = self._middle, (self.width() - _GROOVE) / 2
        painter.setBrush(colours.groove)
        painter.drawRoundedRect(QRectF(left, 2, _GROOVE, self.height() - 4), 2, 2)
        painter.setBrush(colours.accent if self.isEnabled() else colours.dim)
        painter.drawRoundedRect(QRectF(left, middle, _GROOVE, self.height() - 2 - middle), 2, 2)
        focus = self.hasFocus()
        painter.setPen(QPen(colours.accent if focus else colours.dim, 1.5 if focus else 1))
        painter.setBrush(self.palette().button())
        painter.drawRoundedRect(QRectF(2, middle - _HANDLE / 2, _WIDE - 4, _HANDLE), 3, 3)
