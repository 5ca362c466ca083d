"""The clock, which is injected into everything that waits or measures time.

A clock provides the time, sleeps, events, conditions and threads, so that tests can run the whole
engine on virtual time (tests/virtual_clock.py). Any thread may use it; times are in seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, TypeVar

__all__ = ["Clock", "Condition", "Event", "SystemClock"]

T = TypeVar("T")


class Event(Protocol):
    """A flag that threads wait for, as `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the event is set."""
        ...

    def set(self) -> None:
        """Set the event and wake all waiting threads."""
        ...

    def clear(self) -> None:
        """Reset the event."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, or for `timeout` seconds; returns whether it is set."""
        ...


class Condition(Protocol):
    """A lock with a queue of waiting threads, as `threading.Condition`."""

    def __enter__(self) -> bool: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock until notified, or for `timeout` seconds; returns whether notified."""
        ...

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until the predicate is true, or for `timeout` seconds; returns its last value."""
        ...

    def notify_all(self) -> None:
        """Wake all waiting threads."""
        ...


class Clock(Protocol):
    """Monotonic time, and all ways to wait."""

    def now(self) -> float:
        """Seconds since a fixed moment."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def event(self) -> Event:
        """An event with timeouts of this clock."""
        ...

    def condition(self) -> Condition:
        """A condition with timeouts of this clock."""
        ...

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        """A daemon thread that may wait on this clock; not started."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Seconds of `time.perf_counter`."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def event(self) -> threading.Event:
        """A new event."""
        return threading.Event()

    def condition(self) -> threading.Condition:
        """A new condition with its own lock."""
        return threading.Condition()

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        """A daemon thread, not started."""
        return threading.Thread(target=target, name=name, daemon=True)
