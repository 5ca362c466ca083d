"""The clock: everything that waits or measures time takes one.

A clock tells the time and makes what threads wait with: sleeps, events, conditions and the threads
themselves. So a test can put another kind of time under the whole engine (tests/virtual_clock.py).
Any thread may use it; times are in seconds.
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
        """Whether it is set."""
        ...

    def set(self) -> None:
        """Set it and wake every thread that waits for it."""
        ...

    def clear(self) -> None:
        """Take it back."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, `timeout` seconds at most; returns whether it is."""
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
        """Release the lock until notified, `timeout` seconds at most; whether it was notified."""
        ...

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until the predicate holds, `timeout` seconds at most; returns its last value."""
        ...

    def notify_all(self) -> None:
        """Wake every thread that waits."""
        ...


class Clock(Protocol):
    """Monotonic time and every way to wait for it."""

    def now(self) -> float:
        """Seconds since some fixed moment."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def event(self) -> Event:
        """An event whose time-outs are of this clock."""
        ...

    def condition(self) -> Condition:
        """A condition whose time-outs are of this clock."""
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
        """Wait, letting other threads run."""
        time.sleep(seconds)

    def event(self) -> threading.Event:
        """A new event."""
        return threading.Event()

    def condition(self) -> threading.Condition:
        """A new condition with a lock of its own."""
        return threading.Condition()

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        """A daemon thread, not started."""
        return threading.Thread(target=target, name=name, daemon=True)
