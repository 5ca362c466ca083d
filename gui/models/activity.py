"""Activity of other clients, over OSC or MIDI, from the counters of `/status`.

The window polls a few times a second; its own packets are subtracted.
Qt's main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures

__all__ = ["NAMES", "Activity"]

NAMES = ("osc", "midi")
_GLOW = 0.6  # seconds that a lamp stays on: two polls, so that a steady stream shines steadily
_SETTLES = 2.0  # seconds until the first packets have been counted


class Activity(QObject):
    """The lamps and counters.

    Parameters
    ----------
    figures : the status values.
    sent : returns the number of packets that the window has sent.
    now : monotonic clock in seconds.
    """

    changed = pyqtSignal()

    def __init__(
        self, figures: Figures, sent: Callable[[], int],
        now: Callable[[], float] = time.monotonic, parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._figures, self._sent, self._now = figures, sent, now
        self.forget()
        figures.changed.connect(self._look)

    def forget(self) -> None:
        """Start again: another engine has other counters."""
        self._most: dict[str, int] = {}
        self._settled: dict[str, float] = {}
        self._until: dict[str, float] = dict.fromkeys(NAMES, 0.0)
        self._counts: dict[str, int] = dict.fromkeys(NAMES, 0)
        self._lit: tuple[bool, ...] = (False,) * len(NAMES)

    def is_reported(self, name: str) -> bool:
        """Whether the engine reports this counter."""
        return self._count(name) is not None

    def is_lit(self, name: str) -> bool:
        """Whether something arrived just now."""
        return self._now() < self._until[name]

    def count(self, name: str) -> int:
        """Packets since the window connected, without its own."""
        return self._counts[name]

    def _count(self, name: str) -> int | None:
        if name == "osc":
            packets = self._figures["osc/packets"]
            return None if packets is None else int(float(packets)) - self._sent()
        ways = [self._figures[f"midi/{way}"] for way in ("in", "out")]
        counts = [int(float(w)) for w in ways if w is not None]
        return sum(counts) if counts else None

    def _look(self) -> None:
        now = self._now()
        for name in NAMES:
            count = self._count(name)
            if count is None:
                self._most.pop(name, None)
                self._settled.pop(name, None)
                continue
            # Own packets on their way make the difference too small, never too large.
            most = self._most.setdefault(name, count)
            settled = self._settled.setdefault(name, now + _SETTLES)
            if count <= most:
                continue
            self._most[name] = count
            if now >= settled:
                self._counts[name] += count - most
                self._until[name] = now + _GLOW
        lit = tuple(self.is_lit(name) for name in NAMES)
        if lit != self._lit:
            self._lit = lit
            self.changed.emit()
