"""Ctrl-C, SIGTERM and a closed terminal as one flag that a loop can look at.

Entered on the main thread (signals come to it); the flag may be read from any. The second signal
raises KeyboardInterrupt, for whoever waits on something that does not end; `at_once` makes it the
first. A signal that was ignored when the program started (`nohup`, `trap '' HUP`, a script's
background job) stays ignored.
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
    """While entered, `asked` turns true at the first such signal."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._before: dict[int, Any] = {}
        self._interrupts = False

    @property
    def asked(self) -> bool:
        """Whether somebody wants an end."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Want an end without a signal."""
        self._asked.set()

    @contextlib.contextmanager
    def at_once(self) -> Generator[None]:
        """The first signal raises KeyboardInterrupt here: nothing plays yet that has to fade."""
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
        interrupts = self.asked or self._interrupts
        self._asked.set()
        if interrupts:
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
