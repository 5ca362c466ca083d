"""What went wrong so far: xruns, gaps, restarts, errors, counted from the last reset on.

The engine forgets its xruns when asked; the others are counted from here on by the window. Errors
are the sum of all counters that stay at 0 as long as all is well. Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures
from osc.addresses import ERRORS

__all__ = ["MISHAPS", "Mishaps"]

MISHAPS = ("xruns", "gaps", "restarts", "errors")


class Mishaps(QObject):
    """Counts."""

    changed = pyqtSignal()

    def __init__(
        self, send: Callable[..., bool], figures: Figures, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._send, self._figures = send, figures
        self._forgotten: dict[str, int] = dict.fromkeys(MISHAPS, 0)
        figures.changed.connect(self._look)

    def count(self, name: str) -> int:
        """How often since the last reset."""
        return max(0, self._told(name) - self._forgotten[name])

    def reset(self) -> None:
        """Count from 0 again."""
        if self._send("/xruns/reset", 1):
            self._forgotten |= {name: self._told(name) for name in MISHAPS if name != "xruns"}
            self._send("/status")
            self.changed.emit()

    def _told(self, name: str) -> int:
        names = ERRORS if name == "errors" else (name,)
        return sum(int(self._figures.number(n)) for n in names)

    def _look(self) -> None:
        for name in MISHAPS:  # an engine that was begun anew counts from 0
            self._forgotten[name] = min(self._forgotten[name], self._told(name))
        self.changed.emit()
