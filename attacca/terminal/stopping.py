"""Ctrl-C, SIGTERM and a closed terminal as one flag that a loop can check.

Entered on the main thread, which receives signals; any thread may read the flag. The second signal
raises KeyboardInterrupt, in case something hangs; within `at_once` the first one does. A signal
that was ignored when the program started (`nohup`, `trap '' HUP`, a script's background job) stays
ignored.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from typing import Any

__all__ = ["Stopping", "is_ignored"]

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def is_ignored(name: str) -> bool:
    """Whether the signal of that name is ignored, or has a handler from outside of Python."""
    number = getattr(signal, name, None)
    return number is not None and signal.getsignal(number) in (signal.SIG_IGN, None)


class Stopping:
    """While entered, `requested` becomes true at the first signal."""

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._before: dict[int, Any] = {}
        self._interrupts = False

    @property
    def requested(self) -> bool:
        """Whether the program should end."""
        return self._requested.is_set()

    def request(self) -> None:
        """Set the flag without a signal."""
        self._requested.set()

    @contextlib.contextmanager
    def at_once(self) -> Generator[None]:
        """Let the first signal raise KeyboardInterrupt: nothing plays yet that has to fade out."""
        self._interrupts = True
        try:
            yield
        finally:
            self._interrupts = False

    def __enter__(self) -> Stopping:
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and not is_ignored(name):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, *_: object) -> None:
        interrupts = self.requested or self._interrupts
        self._requested.set()
        if interrupts:
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
