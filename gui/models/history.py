"""Undo and redo of gestures; the engine keeps one history for all clients. Qt's main thread."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

__all__ = ["History"]


class History(QObject):
    """The two buttons, and whether they are enabled.

    The engine does not report its history, so a button is enabled until the engine refuses, and
    again after a change.
    """

    changed = pyqtSignal()

    def __init__(self, send: Callable[..., bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._send = send
        self.can_undo = self.can_redo = False

    def undo(self) -> None:
        """Undo the last gesture."""
        if self._send("/undo", 1):
            self._set(self.can_undo, True)

    def redo(self) -> None:
        """Redo the last undone gesture."""
        if self._send("/redo", 1):
            self._set(True, self.can_redo)

    def note_change(self) -> None:
        """A control was changed here, so there is nothing to redo."""
        self._set(True, False)

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was a refused undo or redo."""
        if address != "/error" or not arguments or arguments[0] not in ("/undo", "/redo"):
            return False
        undo = arguments[0] == "/undo"
        self._set(self.can_undo and not undo, self.can_redo and undo and self.can_undo)
        return True

    def take_connected(self, connected: bool) -> None:
        """The connection is open, or lost; the history of a new engine is unknown."""
        self._set(connected, connected)

    def _set(self, can_undo: bool, can_redo: bool) -> None:
        if (can_undo, can_redo) != (self.can_undo, self.can_redo):
            self.can_undo, self.can_redo = can_undo, can_redo
            self.changed.emit()
