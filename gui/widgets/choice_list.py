"""A list to choose one name from, which changes only while it is open.

The wheel over the closed list scrolls the page. Return or Alt+Down opens it; Up and Down step
through it. A screen reader reads its name from a label beside it: of a list alone, Qt tells its
value only.
"""

from __future__ import annotations

from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QKeyEvent, QWheelEvent
from PyQt6.QtWidgets import QComboBox, QLabel, QWidget

__all__ = ["ChoiceList"]


class ChoiceList(QComboBox):
    """The list."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = QLabel(name)
        self._label.setBuddy(self)
        self._label.hide()
        self.setAccessibleName(name)
        self._beside()

    def setAccessibleName(self, name: str | None) -> None:  # noqa: N802, D102
        super().setAccessibleName(name)
        self._label.setText(name or "")

    def event(self, event: QEvent | None) -> bool:  # noqa: D102
        done = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._beside()
        return done

    def _beside(self) -> None:
        """Qt looks for the label among the children of the same parent."""
        parent = self.parentWidget()
        if parent is not None:
            self._label.setParent(parent)

    def wheelEvent(self, e: QWheelEvent | None) -> None:  # noqa: N802, D102
        if e is not None:
            e.ignore()  # the open list is a separate widget

    def keyPressEvent(self, e: QKeyEvent | None) -> None:  # noqa: N802, D102
        event = e
        if event is not None and event.key() == Qt.Key.Key_Space:
            event.ignore()  # Space plays and pauses, even while held down
        else:
            super().keyPressEvent(event)
