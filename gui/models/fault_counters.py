"""Counters of dropouts and faults since the last reset: xruns, gaps, restarts, errors.

The engine resets its xruns on request; the window remembers where the others stood. `errors` is the
sum of all counters that stay at 0 as long as all is well. Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures
from osc.fixed_addresses import ERRORS

__all__ = ["FAULT_COUNTERS", "FaultCounters"]

FAULT_COUNTERS = ("xruns", "gaps", "restarts", "errors")


class FaultCounters(QObject):
    """The counters."""

    changed = pyqtSignal()

    def __init__(
        self, send: Callable[..., bool], figures: Figures, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._send, self._figures = send, figures
        self._offsets: dict[str, int] = dict.fromkeys(FAULT_COUNTERS, 0)
        figures.changed.connect(self._look)

    def count(self, name: str) -> int:
        """The count since the last reset."""
        return max(0, self._reported(name) - self._offsets[name])

    def reset(self) -> None:
        """Reset all counters to 0."""
        if self._send("/xruns/reset", 1):
            self._offsets |= {
                name: self._reported(name) for name in FAULT_COUNTERS if name != "xruns"
            }
            self._send("/status")
            self.changed.emit()

    def _reported(self, name: str) -> int:
        names = ERRORS if name == "errors" else (name,)
        return sum(int(self._figures.number(n)) for n in names)

    def _look(self) -> None:
        for name in FAULT_COUNTERS:  # a new engine counts from 0
            self._offsets[name] = min(self._offsets[name], self._reported(name))
        self.changed.emit()
