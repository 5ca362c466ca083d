"""A field that shows a control's value with its unit and takes one that is typed.

Enter takes it, Escape puts it back; Up and Down turn it by steps. What is no value is refused in
one line below the field, and stays there to be mended.
"""

from __future__ import annotations

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QFocusEvent, QKeyEvent
from PyQt6.QtWidgets import QLineEdit, QToolTip, QWidget

from engine.errors import ConfigError
from gui.models.control import ControlModel

__all__ = ["Entry"]


class Entry(QLineEdit):
    """Types a number, or the word `free` where the control takes it."""

    def __init__(self, model: ControlModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.returnPressed.connect(self._take)
        model.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the model holds, unless something is being typed."""
        self.setEnabled(self._model.is_enabled)
        if not (self.hasFocus() and self.isModified()):
            known = self._model.is_known or not self._model.is_heard
            self.setText(self._model.text if known else "\N{EN DASH}")
            if self.hasFocus():
                self.selectAll()

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802, D102
        super().focusInEvent(event)
        self.selectAll()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802, D102
        super().focusOutEvent(event)
        self._take(quietly=True)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802, D102
        if event is None:
            return
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape and self.isModified():
            self._put_back()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.setModified(False)
            self._model.nudge(1 if key == Qt.Key.Key_Up else -1)
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    def _take(self, *, quietly: bool = False) -> None:
        if not self.isModified():
            return
        unit = self._model.param.unit
        typed = self.text().strip().replace("\N{MINUS SIGN}", "-").replace(",", ".")
        typed = typed.removesuffix(unit).strip() if unit else typed
        try:
            self._model.set(typed)
        except ConfigError as error:
            if not quietly:
                QToolTip.showText(self.mapToGlobal(QPoint(0, self.height())), str(error), self)
                self.selectAll()
                return
        self._put_back()

    def _put_back(self) -> None:
        self.setModified(False)
        self.refresh()
