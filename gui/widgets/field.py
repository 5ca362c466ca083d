"""A text field that returns the focus to where it came from, after Enter and after Escape.

So the keys of the window (Space, Ctrl+Z) work again as soon as a value is typed. The window calls
`came_from` when a field receives the focus.
"""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QLineEdit, QWidget

__all__ = ["Field"]

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Field(QLineEdit):
    """One line of text; a subclass defines what Enter and Escape do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._origin: QWidget | None = None

    def came_from(self, part: QWidget | None) -> None:
        """Remember `part`, which had the focus; from one field to the next, keep the first one."""
        if isinstance(part, Field):
            self._origin = part._origin
        elif part is not None and part.window() is self.window():
            self._origin = part

    def accept(self) -> bool:
        """Accept the text on Enter. Returns False if it is invalid and stays for correction."""
        return True

    def cancel(self) -> None:
        """Restore the text on Escape."""

    def leave(self) -> None:
        """Return the focus."""
        origin = self._origin
        if origin is not None and origin.isVisible() and origin.isEnabled():
            origin.setFocus()
        else:
            self.clearFocus()

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:  # noqa: N802, D102
        event = a0
        if event is None:
            return
        key = Qt.Key(event.key())
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key in _ENTER:
            if self.accept():
                self.leave()
            event.accept()
        elif key == Qt.Key.Key_Escape:
            self.cancel()
            self.leave()
            event.accept()
        else:
            super().keyPressEvent(event)
