"""A field that shows a control's value with its unit, and accepts a typed value.

Enter applies it and Escape discards it, and both return the focus; Up and Down change the control
by steps. What is not a value of the control, or out of its range, is refused in one line below the
field, and stays there to be corrected.
"""

from __future__ import annotations

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent
from PyQt6.QtWidgets import QToolTip, QWidget

from engine.errors import ConfigError
from gui.models.control import ControlModel
from gui.widgets.field import Field

__all__ = ["Entry"]


class Entry(Field):
    """Accepts a number, or the word `free` if the control can be free."""

    def __init__(self, model: ControlModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._clicked = False
        self.problem = ""  # why the last text was refused
        self.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.textEdited.connect(lambda _: self._refuse(""))
        model.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the model holds, unless something is being typed."""
        self.setEnabled(self._model.is_enabled)
        if not self.isModified():
            self.setText(self._model.text if self._model.is_known else "\N{EN DASH}")
            if self.hasFocus():
                self.selectAll()

    def focusInEvent(self, a0: QFocusEvent | None) -> None:  # noqa: N802, D102
        super().focusInEvent(a0)
        self.selectAll()
        self._clicked = a0 is not None and a0.reason() == Qt.FocusReason.MouseFocusReason

    def mouseReleaseEvent(self, a0: QMouseEvent | None) -> None:  # noqa: N802, D102
        super().mouseReleaseEvent(a0)
        if self._clicked and not self.hasSelectedText():  # the press has set a cursor
            self.selectAll()
        self._clicked = False

    def focusOutEvent(self, a0: QFocusEvent | None) -> None:  # noqa: N802, D102
        event = a0
        super().focusOutEvent(event)
        if event is not None and event.reason() == Qt.FocusReason.ActiveWindowFocusReason:
            return  # another program is active: keep what is half typed
        if self.accept():
            return
        problem = self.problem
        self.cancel()  # a refused text must not look like the value
        self._show(problem)

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:  # noqa: N802, D102
        event = a0
        key = Qt.Key(event.key()) if event is not None else None
        if event is not None and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.setModified(False)
            self._model.nudge(1 if key == Qt.Key.Key_Up else -1)
            event.accept()
        else:
            super().keyPressEvent(event)

    def accept(self) -> bool:
        """Apply the typed text."""
        if self.isModified():
            try:
                self._model.set_text(self.text())
            except ConfigError as error:
                self._refuse(str(error))
                return False
            self.cancel()
        return True

    def cancel(self) -> None:
        """Show what the model holds."""
        self._refuse("")
        self.setModified(False)
        self.refresh()

    def _refuse(self, problem: str) -> None:
        if self.problem and not problem:
            QToolTip.hideText()
        self.problem = problem
        if problem:
            self._show(problem)
            self.selectAll()

    def _show(self, problem: str) -> None:
        QToolTip.showText(self.mapToGlobal(QPoint(0, self.height())), problem, self)
