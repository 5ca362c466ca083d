"""Moments of the music to return to: the snapshots' names, how far back the history reaches.

The engine keeps the files and the history. Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures
from gui.models.natural_order import in_natural_order

__all__ = ["Moments"]


class Moments(QObject):
    """The moments of the engine that is connected.

    Parameters
    ----------
    send : sends a message.
    figures : of the engine.

    Attributes
    ----------
    names : of the snapshots, in natural order; whoever took them.
    last : the name of the one that was taken or recalled last, or "".
    is_connected : whether an engine is.
    """

    changed = pyqtSignal()

    def __init__(
        self, send: Callable[..., bool], figures: Figures, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._send, self._figures = send, figures
        self.names: tuple[str, ...] = ()
        self.last = ""
        self.is_connected = False
        self._reach = -1
        figures.changed.connect(self._look)

    @property
    def history(self) -> float:
        """Seconds by which the music can go back."""
        return self._figures.number("history")

    def take_snapshot(self) -> None:
        """Take one under a new name."""
        self._send("/snapshot/take", 1)

    def recall(self, name: str = "") -> None:
        """Return to a snapshot, or to the last one."""
        self._send("/snapshot/recall", name or 1)

    def delete(self, name: str) -> None:
        """Delete one."""
        self._send("/snapshot/delete", name)

    def refresh(self) -> None:
        """Request the names."""
        self._send("/snapshot/list")

    def go_back(self, measure: str) -> None:
        """Go back by one of `beats`, `bars` or `blocks`."""
        self._send(f"/go_back/{measure}", 1)

    def fork(self) -> None:
        """Continue with the next seed."""
        self._send("/fork", 1)

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was about snapshots."""
        if address == "/snapshot/list":
            self.names = in_natural_order(str(a) for a in arguments)
            self.last = self.last if self.last in self.names else ""
            self.changed.emit()
            return True
        about = str(arguments[0]) if arguments else ""
        if address != "/done" or not about.startswith("/snapshot/"):
            return False
        if about in ("/snapshot/take", "/snapshot/recall"):
            self.last = str(arguments[-1])
            self.changed.emit()
        return True

    def take_connected(self, connected: bool) -> None:
        """An engine is connected, or none is."""
        self.is_connected = connected
        self.last = ""
        if connected:
            self.refresh()
        else:
            self.names = ()
        self.changed.emit()

    def _look(self) -> None:
        """The status has come: whole seconds are all that is shown of the history."""
        reach = int(self.history)
        if reach != self._reach:
            self._reach = reach
            self.changed.emit()
