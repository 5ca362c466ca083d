"""The common base of knob and fader, for mouse, keyboard and screen readers.

Wheel and arrow keys move by one step, Page keys by ten, Home and End to the bounds; Shift makes
steps ten times finer; a double click, Backspace or Delete resets to the default. It is a
QDoubleSpinBox without its text field, because a screen reader then reads the value in the control's
unit, its text ("-3.0 dB", "free") and its bounds; from a QDial or QSlider it reads only a position.
"""

from __future__ import annotations

from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QWidget

from engine.controls.control import as_number
from gui.models.control import ControlModel
from gui.widgets.scrolling import is_passing

__all__ = ["NumberWidget"]

_FINE = 0.1  # with Shift
_STEPS = {
    Qt.Key.Key_Up: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_Left: -1,
    Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10,
}  # fmt: skip


class NumberWidget(QDoubleSpinBox):
    """Changes a number; a subclass draws it.

    Parameters
    ----------
    model : a control of kind `number` or `whole`.
    """

    def __init__(self, model: ControlModel, parent: QWidget | None = None) -> None:
        self._model = model  # first: Qt asks for the text of a value while it is built
        super().__init__(parent)
        self._drag: tuple[float, float] | None = None  # y of the pointer, normalised value
        self.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.setFrame(False)
        field = self.lineEdit()
        assert field is not None
        field.setReadOnly(True)
        field.hide()
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, False)
        self.setDecimals(6)
        self.setRange(model.control.low, model.control.high)
        self.setSingleStep(model.step)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)  # the cell around has it
        self.valueChanged.connect(self._moved)
        model.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the model holds."""
        blocked = self.blockSignals(True)
        self.setValue(self._held)
        self.blockSignals(blocked)
        field = self.lineEdit()
        if field is not None and field.text() != self._model.text:
            field.setText(self._model.text)
        self.setEnabled(self._model.is_enabled)
        self.update()

    def textFromValue(self, v: float) -> str:  # noqa: N802, D102
        return self._model.text

    def stepBy(self, steps: int) -> None:  # noqa: N802, D102
        self._model.nudge(steps)

    @property
    def _held(self) -> float:
        """The value as a number; in the middle for `free`, which is not one."""
        if self._model.is_free:
            return (self._model.control.low + self._model.control.high) / 2
        return as_number(self._model.value)

    def _moved(self, value: float) -> None:
        """A screen reader has set the value."""
        if abs(value - self._held) > 1e-5:
            self._model.set(value)

    # ------------------------------------------------------------------ the hand

    @property
    def travel(self) -> float:
        """Pixels of a drag over the whole range."""
        raise NotImplementedError

    def event(self, event: QEvent | None) -> bool:  # noqa: D102
        if event is not None and event.type() == QEvent.Type.ShortcutOverride:
            event.ignore()  # it has no text field: Space and other keys belong to the window
            return False
        return super().event(event)

    def mousePressEvent(self, e: QMouseEvent | None) -> None:  # noqa: N802, D102
        event = e
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._drag = (event.position().y(), self._model.normalised)
        self._model.grab()

    def mouseMoveEvent(self, e: QMouseEvent | None) -> None:  # noqa: N802, D102
        event = e
        if event is None or self._drag is None:
            return
        y, place = self._drag
        fine = _FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
        place = min(max(place + fine * (y - event.position().y()) / self.travel, 0.0), 1.0)
        self._drag = (event.position().y(), place)
        self._model.set_normalised(place)

    def mouseReleaseEvent(self, e: QMouseEvent | None) -> None:  # noqa: N802, D102
        if self._drag is not None:
            self._drag = None
            self._model.release()

    def mouseDoubleClickEvent(self, a0: QMouseEvent | None) -> None:  # noqa: N802, D102
        if a0 is not None and a0.button() == Qt.MouseButton.LeftButton:
            self._model.reset()

    def wheelEvent(self, e: QWheelEvent | None) -> None:  # noqa: N802, D102
        event = e
        if event is None:
            return
        if is_passing(self, event):  # the page is scrolling: keep scrolling
            event.ignore()
            return
        # With Alt held, Qt reports a horizontal wheel.
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        self._model.nudge(notches * self._fine(event.modifiers()))
        event.accept()

    def keyPressEvent(self, e: QKeyEvent | None) -> None:  # noqa: N802, D102
        event = e
        if event is None:
            return
        key = Qt.Key(event.key())
        if key in _STEPS:
            self._model.nudge(_STEPS[key] * self._fine(event.modifiers()))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._model.set_normalised(float(key == Qt.Key.Key_End))
        elif key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self._model.reset()
        else:
            event.ignore()
            return
        event.accept()

    def _fine(self, modifiers: Qt.KeyboardModifier) -> float:
        whole = self._model.control.kind == "whole"
        return _FINE if modifiers & Qt.KeyboardModifier.ShiftModifier and not whole else 1.0
