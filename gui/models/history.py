"""Undo and redo of gestures; the engine keeps them, for all clients together. Qt's main thread."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

__all__ = ["History"]


class History(QObject):
    """The two buttons, and whether they may have something to do.

    The engine does not tell what it remembers, so a button is offered until it was refused, and
    again when something has changed.
    """

    changed = pyqtSignal()

    def __init__(self, send: Callable[..., bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._send = send
        self.can_undo = self.can_redo = False

    def undo(self) -> None:
        """Put the controls back as before the last gesture."""
        if self._send("/undo", 1):
            self._set(self.can_undo, True)

    def redo(self) -> None:
        """Take the last undo back."""
        if self._send("/redo", 1):
            self._set(True, self.can_redo)

    def note_change(self) -> None:
        """A control was turned here, which ends what could be done again."""
        self._set(True, False)

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was a refusal to go back or on."""
        if address != "/error" or not arguments or arguments[0] not in ("/undo", "/redo"):
            return False
        undo = arguments[0] == "/undo"
        self._set(self.can_undo and not undo, self.can_redo and undo and self.can_undo)
        return True

    def take_connected(self, connected: bool) -> None:
        """An engine answers, or none does; what an unknown one remembers is not known."""
        self._set(connected, connected)

    def _set(self, can_undo: bool, can_redo: bool) -> None:
        if (can_undo, can_redo) != (self.can_undo, self.can_redo):
            self.can_undo, self.can_redo = can_undo, can_redo
            self.changed.emit()
