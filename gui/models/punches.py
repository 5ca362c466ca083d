"""What waits for the next beat or bar, where /quantise has it wait: a recall, a new piece, a take.

The engine tells `ADDRESS/pending [WHAT] SECONDS`: 0 when it is done, -1 when another has taken its
place. Qt's main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

__all__ = ["Punches"]

_WORDS = {
    "/preset/recall": "\N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}",
    "/snapshot/recall": "snapshot \N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}",
    "/reset": "new piece", "/record": "take",
}  # fmt: skip


class Punches(QObject):
    """At most one of each kind waits."""

    changed = pyqtSignal()

    def __init__(
        self, now: Callable[[], float] = time.monotonic, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._now = now
        self._waiting: dict[str, tuple[str, float]] = {}  # by address: words, when it is done

    @property
    def text(self) -> str:
        """What waits and for how long, for people; nothing when nothing does."""
        return ", ".join(
            f"{words} in {max(0.0, at - self._now()):.1f} s"
            for words, at in self._waiting.values()
        )  # fmt: skip

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether something waits, or waits no more."""
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
        """The engine is gone."""
        self._waiting.clear()
        self.changed.emit()
