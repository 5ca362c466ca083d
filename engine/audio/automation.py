"""Scheduled changes of live controls: a bounded list, and the spans that they divide a period into.

Any thread may call `add`; the mixer thread calls `spans`. They share a lock that is held for a few
list operations, and not acquired while nothing is scheduled.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

__all__ = ["MOST", "Automation"]

MOST = 512  # scheduled changes
_Controls = TypeVar("_Controls")


class Automation(Generic[_Controls]):
    """Changes in the order of their frames; changes at one frame in the order of their arrival."""

    def __init__(self) -> None:
        self._scheduled: list[tuple[int, int, Callable[[], _Controls]]] = []
        self._number = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._scheduled)

    def add(self, frame: int, change: Callable[[], _Controls]) -> bool:
        """Schedule a change, which returns the new controls. False: too many are scheduled."""
        with self._lock:
            if len(self._scheduled) >= MOST:
                return False
            # The number is unique, so that insort never compares two changes.
            insort(self._scheduled, (frame, next(self._number), change))
            return True

    def clear(self) -> None:
        """Drop all scheduled changes."""
        with self._lock:
            self._scheduled.clear()

    def spans(
        self, start: int, frames: int, controls: _Controls
    ) -> list[tuple[int, int, _Controls]]:
        """Divide the period of `frames` from frame `start` on where controls change.

        Parameters
        ----------
        controls : before the period. Changes that are late apply at the start of the period.

        Returns
        -------
        list of (first, end, controls)
            Offsets into the period; the spans are contiguous and cover it.
        """
        if not self._scheduled:
            return [(0, frames, controls)]
        spans: list[tuple[int, int, _Controls]] = []
        at = 0
        for frame, change in self._due(start + frames):
            offset = max(0, frame - start)
            if offset > at:
                spans.append((at, offset, controls))
                at = offset
            controls = change()
        spans.append((at, frames, controls))
        return spans

    def _due(self, end: int) -> list[tuple[int, Callable[[], _Controls]]]:
        with self._lock:
            n = 0
            while n < len(self._scheduled) and self._scheduled[n][0] < end:
                n += 1
            due, self._scheduled[:n] = self._scheduled[:n], []
        return [(frame, change) for frame, _, change in due]
