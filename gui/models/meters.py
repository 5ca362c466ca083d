"""Levels and the lead from the `/meters` and `/lead` streams. Qt's main thread.

Levels are in dB of full scale, -90 for silence. Peaks are held for `HOLD` seconds and then fall, so
that they are visible. The engine counts clips; an older engine's are counted by peaks at 0 dB.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

__all__ = ["FLOOR", "HOLD", "Meters"]

FLOOR = -90.0  # dB
HOLD = 1.5  # seconds
_FALL = 20.0  # dB a second after that


class Meters(QObject):
    """Levels of the left and right channel.

    Attributes
    ----------
    peak, rms, held : dB, of left and right.
    reduction : of the limiter in dB, 0 or more.
    lead : seconds that are generated and not yet audible; None if unknown.
    clips : frames that would have clipped, since the last reset.
    """

    levels_changed = pyqtSignal()
    lead_changed = pyqtSignal()

    def __init__(
        self, now: Callable[[], float] = time.monotonic, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._now = now
        self.lead: float | None = None
        self.clips = self._forgotten = 0
        self._silence()

    def _silence(self) -> None:
        self.peak = self.rms = self.held = (FLOOR, FLOOR)
        self.reduction = 0.0
        self._held_at = [self._now()] * 2

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about levels or the lead."""
        numbers = [float(a) for a in arguments if isinstance(a, (int, float))]
        if address == "/meters":
            if len(numbers) >= 5:
                self._levels(numbers)
        elif address == "/lead":
            self.lead = numbers[0] if numbers else None
            self.lead_changed.emit()
        else:
            return False
        return True

    def take_lost(self) -> None:
        """The connection is lost."""
        self._silence()
        self.lead = None
        self.levels_changed.emit()
        self.lead_changed.emit()

    def forget_clips(self) -> None:
        """Reset the clips to 0."""
        self._forgotten += self.clips
        self.clips = 0
        self.levels_changed.emit()

    def _levels(self, numbers: list[float]) -> None:
        now = self._now()
        self.peak, self.rms = (numbers[0], numbers[1]), (numbers[2], numbers[3])
        self.reduction = max(0.0, -numbers[4])
        if len(numbers) > 5:
            self._forgotten = min(self._forgotten, int(numbers[5]))  # a new engine
            self.clips = int(numbers[5]) - self._forgotten
        else:
            self.clips += any(level >= 0.0 for level in self.peak)
        self.held = (self._hold(0, now), self._hold(1, now))
        self.levels_changed.emit()

    def _hold(self, i: int, now: float) -> float:
        over = now - self._held_at[i] - HOLD
        fallen = self.held[i] - max(0.0, over) * _FALL
        if self.peak[i] >= fallen:
            self._held_at[i] = now
            return self.peak[i]
        if over > 0:  # count the fall from here
            self._held_at[i] = now - HOLD
        return max(FLOOR, fallen)
