"""What is to happen at a time: a bounded queue by time, on the OSC thread's loop.

Times are those of OSC's time tags: seconds since 1970 of the machine's clock, which is looked at
anew each time, so that a clock that is set is followed. What comes too late happens at once and is
counted. The loop wakes about a millisecond exact; what has to be more exact is planned before its
time (osc/ahead.py), on the instrument's own clock.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from engine.errors import ConfigError

__all__ = ["FURTHEST", "MOST", "MOST_BYTES", "Schedule", "on_clock"]

MOST = 4_096  # packets that wait
MOST_BYTES = 8 << 20  # of memory, about, that all of them take
FURTHEST = 3_600.0  # seconds ahead
_LATE = 0.001  # seconds: what is as late as that was meant for now
_LONGEST_SLEEP = 0.5
_LOOKS = 5
_AT_ONCE = 16  # that are due at the same time, before what comes in has its turn


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
        self._loop, self.wall = loop, wall
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting = self._bytes = 0
        self._number = count()
        self._timer: asyncio.TimerHandle | None = None
        self.late = 0
        self.latest = 0.0  # seconds by which the latest was late

    def __len__(self) -> int:
        return self._waiting

    def ahead(self, when: float) -> float:
        """Seconds from now until `when`; negative when that is past."""
        return when - self.wall()

    def was_late(self, seconds: float) -> None:
        """Count something that was."""
        self.late += 1
        self.latest = max(self.latest, seconds)

    def at(self, when: float, action: Callable[[], None], size: int = 0) -> None:
        """Carry out `action`, of so many bytes, at `when`, or now if that is past.

        Raises
        ------
        ConfigError
            It is too far ahead, or too much waits already; it will not be carried out.
        """
        ahead = self.ahead(when)
        if ahead <= 0:
            if ahead < -_LATE:
                self.was_late(-ahead)
            action()
            return
        self._push(when, self.booked(when, action, size))

    def booked(self, when: float, action: Callable[[], None], size: int) -> Callable[[], None]:
        """`action` as one that waits for `when`, and counts as waiting until it is carried out.

        Raises
        ------
        ConfigError
            It is too far ahead, or too much waits already.
        """
        ahead = self.ahead(when)
        if ahead > FURTHEST:
            raise ConfigError(f"time tag {ahead:.0f} s ahead: give {FURTHEST:.0f} s at most")
        if self._waiting >= MOST:
            raise ConfigError(f"{MOST} packets wait for their time already: send nearer to it")
        if self._bytes + size > MOST_BYTES:
            raise ConfigError(f"{self._bytes} bytes wait for their time already: send nearer to it")
        self._waiting += 1
        self._bytes += size

        def carry_out() -> None:
            self._waiting -= 1
            self._bytes -= size
            action()

        return carry_out

    def before(self, when: float, early: float, action: Callable[[], None]) -> None:
        """Carry out `action` about `early` seconds before `when`, or now: what prepares an `at`.

        It counts neither as waiting nor as late.
        """
        if self.ahead(when) <= early:
            action()
        else:
            self._push(when - early, action)

    def _push(self, when: float, action: Callable[[], None]) -> None:
        heappush(self._queue, (when, next(self._number), action))
        if self._queue[0][0] == when:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        ahead = self.ahead(self._queue[0][0])
        self._timer = self._loop.call_later(max(0.0, min(ahead, _LONGEST_SLEEP)), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self.wall()
        for _ in range(_AT_ONCE):
            if not self._queue or self._queue[0][0] > now:
                break
            heappop(self._queue)[2]()
        if self._queue:
            self._arm()

    def clear(self) -> None:
        """Drop everything that waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._queue.clear()
        self._waiting = self._bytes = 0


def on_clock(at: float, wall: Callable[[], float], clock: Callable[[], float]) -> float:
    """What `clock`, which only goes on, shows when `wall` shows `at`.

    Each look is the wall's time between two times of the clock; the tightest one counts, as a
    thread may be held up between them. Asked anew each time, so that a wall clock that is set is
    followed.
    """
    there, tightest = 0.0, math.inf
    for _ in range(_LOOKS):
        before, day, after = clock(), wall(), clock()
        if after - before < tightest:
            tightest = after - before
            there = (before + after) / 2 + (at - day)
    return there
