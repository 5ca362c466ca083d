"""Actions at a given time: a bounded queue, ordered by time, on the OSC thread's loop.

Times are those of OSC time tags: seconds since 1970. The machine's clock is read each time, so
changes of the clock are followed. A late action is run at once and counted. The loop wakes to
about a millisecond; what has to be more exact is planned in advance on the instrument's own clock
(osc/timed_controls.py).
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
MOST_BYTES = 8 << 20  # approximate memory of all of them
FURTHEST = 3_600.0  # seconds ahead
_LATE = 0.001  # seconds: less than this is on time
_LONGEST_SLEEP = 0.5
_READINGS = 5
_AT_ONCE = 16  # due actions before incoming packets have their turn


class Schedule:
    """Runs actions at their times, in order.

    Parameters
    ----------
    loop : where the actions run.
    wall : returns the time in seconds since 1970.
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
        self.latest = 0.0  # largest lateness in seconds

    def __len__(self) -> int:
        return self._waiting

    def ahead(self, when: float) -> float:
        """Seconds from now until `when`; negative if that is in the past."""
        return when - self.wall()

    def was_late(self, seconds: float) -> None:
        """Count a late action."""
        self.late += 1
        self.latest = max(self.latest, seconds)

    def at(self, when: float, action: Callable[[], None], size: int = 0) -> None:
        """Run `action`, which holds `size` bytes, at `when`, or now if that is in the past.

        Raises
        ------
        ConfigError
            The time is too far ahead, or too much waits already; the action will not run.
        """
        ahead = self.ahead(when)
        if ahead <= 0:
            if ahead < -_LATE:
                self.was_late(-ahead)
            action()
            return
        self._push(when, self.booked(when, action, size))

    def booked(self, when: float, action: Callable[[], None], size: int) -> Callable[[], None]:
        """Wrap `action` so that it counts as waiting until it runs.

        Raises
        ------
        ConfigError
            The time is too far ahead, or too much waits already.
        """
        ahead = self.ahead(when)
        if ahead > FURTHEST:
            raise ConfigError(
                f"the time tag is {ahead:.0f} s ahead; send at most {FURTHEST:.0f} s ahead"
            )
        if self._waiting >= MOST:
            raise ConfigError(
                f"{MOST} packets already wait for their time; send closer to the time"
            )
        if self._bytes + size > MOST_BYTES:
            raise ConfigError(
                f"{self._bytes} bytes already wait for their time; send closer to the time"
            )
        self._waiting += 1
        self._bytes += size

        def carry_out() -> None:
            self._waiting -= 1
            self._bytes -= size
            action()

        return carry_out

    def before(self, when: float, early: float, action: Callable[[], None]) -> None:
        """Run `action` about `early` seconds before `when`, or now, to prepare an `at`.

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
    """The time of the monotonic `clock` at which `wall` shows `at`.

    Reads the wall clock between two readings of the monotonic clock, several times, and uses the
    tightest pair, since the thread may be delayed between them. Computed each time, so that changes
    of the wall clock are followed.
    """
    there, tightest = 0.0, math.inf
    for _ in range(_READINGS):
        before, day, after = clock(), wall(), clock()
        if after - before < tightest:
            tightest = after - before
            there = (before + after) / 2 + (at - day)
    return there
