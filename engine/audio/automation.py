"""Live controls at frames to come: a bounded list, and the spans it cuts a period into.

`add` may be called from any thread; `spans` belongs to the mixer thread. Between them stands a
lock that is held for a few list operations, and not taken at all while nothing is planned.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

__all__ = ["MOST", "Automation"]

MOST = 512  # changes that wait
_Controls = TypeVar("_Controls")


class Automation(Generic[_Controls]):
    """Changes by the frame they begin at; of one frame's, in the order they came."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Callable[[], _Controls]]] = []
        self._number = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, frame: int, change: Callable[[], _Controls]) -> bool:
        """Plan a change, which answers with the controls as they then are; False: too many wait."""
        with self._lock:
            if len(self._waiting) >= MOST:
                return False
            # The number is unique, so that two changes themselves are never compared.
            insort(self._waiting, (frame, next(self._number), change))
            return True

    def clear(self) -> None:
        """Drop every planned change."""
        with self._lock:
            self._waiting.clear()

    def spans(
        self, start: int, frames: int, controls: _Controls
    ) -> list[tuple[int, int, _Controls]]:
        """Cut the period of `frames` from frame `start` on where controls change.

        Parameters
        ----------
        controls : in force before the period. What should have changed them earlier is carried out
            at the period's start.

        Returns
        -------
        list of (first, end, controls)
            Offsets into the period; the spans follow each other and fill it.
        """
        if not self._waiting:
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
            while n < len(self._waiting) and self._waiting[n][0] < end:
                n += 1
            due, self._waiting[:n] = self._waiting[:n], []
        return [(frame, change) for frame, _, change in due]
