"""Time for tests: it passes only while every thread waits for it, and then at once.

The thread that creates a `VirtualClock` and the threads that `VirtualClock.thread` makes take part:
time stands still while any of them runs, and one wakes at a time, in the order of their deadlines.
So a run with several threads is the same each time, however busy the machine is, and takes as long
as its work does. What a thread of the clock waits for in another way (a socket, a process, a plain
lock) takes no time. Threads that do not take part may wait on it, but hold nothing up.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
import threading
from collections.abc import Callable

__all__ = ["VirtualClock", "VirtualLoop"]


class _Waiter:
    """One wait of one thread; `notified` says that it was woken before its deadline."""

    def __init__(self, deadline: float, order: int) -> None:
        self.thread = threading.current_thread()
        self.deadline, self.order = deadline, order
        self.notified = False
        self.woken = threading.Semaphore(0)


class VirtualClock:
    """See the module's first lines."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._waiting: list[_Waiter] = []
        self._members: set[threading.Thread] = {threading.current_thread()}
        self._running = set(self._members)

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._wait(self._waiter(seconds))

    advance = sleep  # reads better where one thread alone takes part

    def event(self) -> _Event:
        return _Event(self)

    def condition(self) -> _Condition:
        return _Condition(self)

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        return _Thread(self, target, name)

    # ------------------------------------------------------------------ of this file

    def _waiter(self, timeout: float | None) -> _Waiter:
        deadline = math.inf if timeout is None else self._now + max(0.0, timeout)
        if timeout is not None and timeout > 0:  # even the shortest wait gets on
            deadline = max(deadline, math.nextafter(self._now, math.inf))
        return _Waiter(deadline, next(self._order))

    def _wait(self, waiter: _Waiter, release: Callable[[], object] = lambda: None) -> bool:
        """Wait until the deadline or `_wake`; `release` is called once the wait is known."""
        with self._lock:
            self._waiting.append(waiter)
            self._running.discard(waiter.thread)
            release()
            self._pass_time()
        waiter.woken.acquire()
        if waiter.thread not in self._members:
            with self._lock:
                self._running.discard(waiter.thread)
                self._pass_time()
        return waiter.notified

    def _wake(self, waiters: list[_Waiter]) -> None:
        with self._lock:
            for waiter in waiters:
                if waiter in self._waiting:
                    waiter.notified = True
                    self._resume(waiter)

    def _resume(self, waiter: _Waiter) -> None:
        self._waiting.remove(waiter)
        self._running.add(waiter.thread)
        waiter.woken.release()

    def _pass_time(self) -> None:
        """Go on to the next deadline, if every thread waits."""
        if self._running or not self._waiting:
            return
        first = min(self._waiting, key=lambda w: (w.deadline, w.order))
        if first.deadline < math.inf:
            self._now = max(self._now, first.deadline)
            self._resume(first)

    def _begin(self, thread: threading.Thread) -> None:
        with self._lock:
            self._members.add(thread)
            self._running.add(thread)

    def _end(self, thread: threading.Thread) -> None:
        with self._lock:
            self._members.discard(thread)
            self._running.discard(thread)
            self._pass_time()


class _Condition:
    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        waiter = self._clock._waiter(timeout)
        self._waiters.append(waiter)
        notified = self._clock._wait(waiter, self._lock.release)
        self._lock.acquire()
        self._waiters.remove(waiter)
        return notified

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        end = math.inf if timeout is None else self._clock.now() + timeout
        while not predicate() and self._clock.now() < end:
            self.wait(None if timeout is None else end - self._clock.now())
        return predicate()

    def notify_all(self) -> None:
        self._clock._wake(list(self._waiters))


class _Event:
    def __init__(self, clock: VirtualClock) -> None:
        self._condition = clock.condition()
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        with self._condition:
            self._set = True
            self._condition.notify_all()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._set, timeout)


class _Thread(threading.Thread):
    def __init__(self, clock: VirtualClock, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self._clock = clock
        self._ended = clock.event()

    def start(self) -> None:
        self._clock._begin(self)
        super().start()

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._ended.set()
            self._clock._end(self)

    def join(self, timeout: float | None = None) -> None:
        if self.ident is not None and not self._ended.wait(timeout):
            return
        super().join(timeout)


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: where nothing is ready, time passes instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time: when all its tasks wait, it goes on to the next deadline."""

    def __init__(self) -> None:
        self._time = _Selector()
        super().__init__(self._time)

    def time(self) -> float:
        return self._time.now
