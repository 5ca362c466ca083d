"""What is to happen at a time: a bounded queue by time, on the OSC thread's loop.

Times are those of OSC's time tags: seconds since 1970 of the machine's clock, which is looked at
anew each time, so that a clock that is set is followed. What comes too late happens at once and is
counted. The loop wakes about a millisecond exact; a live control then waits for the mixer's next
period (2.7 ms), and a block control for the next block.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from engine.errors import ConfigError

__all__ = ["FURTHEST", "MOST", "Schedule"]

MOST = 4_096  # packets that wait
FURTHEST = 3_600.0  # seconds ahead
_LATE = 0.001  # seconds: what is as late as that was meant for now
_LONGEST_SLEEP = 0.5


class Schedule:
    """Carries out actions at their times, in the order of their times.

    Parameters
    ----------
    loop : where the actions run.
    wall : tells the time in seconds since 1970.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, wall: Callable[[], float] = time.time
    ) -> None:
        self._loop, self._wall = loop, wall
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._timer: asyncio.TimerHandle | None = None
        self.late = 0
        self.latest = 0.0  # seconds by which the latest was late

    def __len__(self) -> int:
        return len(self._queue)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Carry out `action` at `when`, or now if that is past.

        Raises
        ------
        ConfigError
            It is too far ahead, or too much waits already; it will not be carried out.
        """
        ahead = when - self._wall()
        if ahead <= 0:
            if ahead < -_LATE:
                self.late += 1
                self.latest = max(self.latest, -ahead)
            action()
            return
        if ahead > FURTHEST:
            raise ConfigError(f"time tag {ahead:.0f} s ahead: give {FURTHEST:.0f} s at most")
        if len(self._queue) >= MOST:
            raise ConfigError(f"{MOST} packets wait for their time already: send nearer to it")
        heappush(self._queue, (when, next(self._number), action))
        if self._queue[0][0] == when:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        ahead = self._queue[0][0] - self._wall()
        self._timer = self._loop.call_later(max(0.0, min(ahead, _LONGEST_SLEEP)), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._wall()
        while self._queue and self._queue[0][0] <= now:
            heappop(self._queue)[2]()
        if self._queue:
            self._arm()

    def close(self) -> None:
        """Drop what waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._queue.clear()
