"""Listeners: functions that are called with each event of one kind, and cannot stop the music.

Any thread adds and removes them. A listener is called in the thread of the event and must not wait.
If it raises, that is counted and reported; other listeners and later events are not affected.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from engine.arguments import checked_function

__all__ = ["Listeners"]

T = TypeVar("T")
_log = logging.getLogger("attacca.listeners")


class _Listener(Generic[T]):
    def __init__(self, function: Callable[[T], object]) -> None:
        self.function = function
        self.failed = False


class Listeners(Generic[T]):
    """The listeners to one kind of event; call it with an event to call them all.

    Parameters
    ----------
    kind : of the events, for messages.
    report : called with one line when a listener raises.

    Attributes
    ----------
    errors : how often a listener raised.
    """

    def __init__(self, kind: str, report: Callable[[str], None]) -> None:
        self._kind, self._report = kind, report
        self._listeners: tuple[_Listener[T], ...] = ()
        self._lock = threading.Lock()
        self.errors = 0

    def __len__(self) -> int:
        return len(self._listeners)

    def add(self, function: Callable[[T], object], first: Iterable[T] = ()) -> Callable[[], None]:
        """Add a listener, and call it with the events `first`.

        Returns
        -------
        A function that removes the listener; calling it again does nothing. An event that another
        thread is sending may still arrive.

        Raises
        ------
        ConfigError
            `function` cannot be called.
        """
        listener = _Listener(checked_function("listener", function))
        for event in first:
            self._call(listener, event)
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return remove

    def __call__(self, event: T) -> None:
        """Call every listener with an event."""
        for listener in self._listeners:
            self._call(listener, event)

    def _call(self, listener: _Listener[T], event: T) -> None:
        try:
            listener.function(event)
        except Exception as error:
            with self._lock:
                self.errors += 1
                known, listener.failed = listener.failed, True
            if not known:
                _log.warning("a listener to %s failed", self._kind, exc_info=True)
            name = getattr(listener.function, "__qualname__", type(listener.function).__name__)
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            self._report(
                f"listener {name!r} to {self._kind} failed ({reason}); the music continues; fix or "
                "remove it"
            )
