"""Actions that wait for the next beat or bar, as /quantise is set: recall, new piece, recording.

The engine sends `ADDRESS/pending [WHAT] SECONDS`: 0 when the action is done, -1 when another one
replaced it. Qt's main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

__all__ = ["QuantisedActions"]

_WORDS = {
    "/preset/recall": "\N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}",
    "/snapshot/recall": "snapshot \N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}",
    "/reset": "new piece", "/record": "recording",
}  # fmt: skip


class QuantisedActions(QObject):
    """The waiting actions, at most one of each kind."""

    changed = pyqtSignal()

    def __init__(
        self, now: Callable[[], float] = time.monotonic, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._now = now
        self._waiting: dict[str, tuple[str, float]] = {}  # by address: words, time

    @property
    def text(self) -> str:
        """The waiting actions and their times, for display; empty if none waits."""
        return ", ".join(
            f"{words} in {max(0.0, at - self._now()):.1f} s"
            for words, at in self._waiting.values()
        )  # fmt: skip

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about a waiting action."""
        path, _, last = address.rpartition("/")
        if last != "pending" or path not in _WORDS or not arguments:
            return False
        seconds = float(str(arguments[-1]))
        if seconds > 0:
            what = str(arguments[0]) if len(arguments) > 1 else ""
            self._waiting[path] = (_WORDS[path].format(what), self._now() + seconds)
        elif seconds == 0:
            self._waiting.pop(path, None)
        self.changed.emit()
        return True

    def take_lost(self) -> None:
        """The connection is lost."""
        self._waiting.clear()
        self.changed.emit()
