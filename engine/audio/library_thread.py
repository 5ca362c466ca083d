"""A thread for library calls that may never return, each with a time limit.

A sound server that has stopped can block a library call for ever. A caller of a `LibraryThread`
waits for a limited time only. Any thread may call it; the calls run one after another in one
thread, as a library needs that is not thread-safe.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from engine.errors import DeviceError
from engine.time.clock import Event

__all__ = ["LibraryThread"]

T = TypeVar("T")
_POLL_S = 0.02  # between two checks whether to wait any longer


class _Call:
    """One call: its function, and its result or error once it has returned."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function
        self.returned = threading.Event()
        self.result: object = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.function()
        except BaseException as error:  # raised again in the waiting thread
            self.error = error
        self.returned.set()


class LibraryThread:
    """Runs calls in order, in a daemon thread that starts with the first one.

    Parameters
    ----------
    name : of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._timed_out: _Call | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether a call that timed out has still not returned."""
        call = self._timed_out
        return call is not None and not call.returned.is_set()

    def call(
        self,
        function: Callable[[], T],
        what: str,
        limit_s: float,
        *endings: Event,
    ) -> T:
        """Run `function` in the thread and return its result, or raise its error.

        Parameters
        ----------
        what : describes the call in an error: "opening the device 'pulse'".
        limit_s : seconds to wait.
        endings : events that end the wait early.

        Raises
        ------
        DeviceError
            The call has not returned in time, or an earlier one still has not. It continues in the
            thread.
        """
        if threading.current_thread() is self._thread:
            return function()
        if self.is_stuck:
            raise DeviceError(f"{what}: the sound system does not answer; restart the sound server")
        call = self._enqueue(function)
        waited = 0.0
        try:
            while not call.returned.wait(_POLL_S):
                waited += _POLL_S
                if waited >= limit_s or any(e.is_set() for e in endings):
                    raise DeviceError(
                        f"{what}: the sound system has not answered for {waited:.1f} s; restart "
                        "the sound server, or choose another device"
                    )
        except BaseException:  # Ctrl-C too
            self._timed_out = call
            raise
        if call.error is not None:
            raise call.error
        return cast("T", call.result)

    def finish(self, function: Callable[[], Any], limit_s: float) -> bool:
        """Run `function` after all earlier calls, even if one is stuck.

        Returns whether it returned within `limit_s` seconds; there is no wait for a stuck thread.
        """
        if threading.current_thread() is self._thread:
            function()
            return True
        stuck = self.is_stuck
        call = self._enqueue(function)
        if stuck or not call.returned.wait(limit_s):
            self._timed_out = call
            return False
        if call.error is not None:
            raise call.error
        return True

    def end(self) -> None:
        """End the thread, unless it is stuck; a later call starts a new one."""
        with self._starting:
            if self._thread is not None and not self.is_stuck:
                self._calls.put(None)
                self._thread, self._calls = None, queue.SimpleQueue()

    def _enqueue(self, function: Callable[[], object]) -> _Call:
        call = _Call(function)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_run, args=(self._calls,), name=self._name, daemon=True
                )
                self._thread.start()
            self._calls.put(call)
        return call


def _run(calls: queue.SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        call.run()
        del call  # releases its objects
