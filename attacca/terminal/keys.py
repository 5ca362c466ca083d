"""Single keys from the terminal, without Enter: POSIX termios or the Windows console.

Main thread only. `poll` waits up to its time-out for keys, so it also paces the main loop. The
terminal's settings are restored at the end, and set again after Ctrl-Z and `fg`. In the background
(Ctrl-Z, then `bg`) the terminal belongs to the shell. It is then neither read nor set, because the
system stops a background job that does so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any, Protocol

from attacca.terminal.stopping import is_ignored

__all__ = ["Keys", "NoKeys", "PosixKeys", "in_foreground", "open_keys", "parse"]

# Escape sequences of keys that are not characters.
_SEQUENCES = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}


def parse(text: str) -> list[str]:
    """Split terminal input into keys: characters, `up`, `down`; other sequences are dropped.

    >>> parse("s\\x1b[A+")
    ['s', 'up', '+']
    """
    keys: list[str] = []
    i = 0
    while i < len(text):
        if text[i] != "\x1b":
            keys.append(text[i])
            i += 1
            continue
        end = i + 1
        if text[end : end + 1] in ("[", "O"):
            end += 1
            while end < len(text) and not "@" <= text[end] <= "~":
                end += 1
            end += 1
        name = _SEQUENCES.get(text[i:end])
        if name is not None:
            keys.append(name)
        i = end
    return keys


def in_foreground(fd: int) -> bool:
    """Whether this process may read and set the terminal `fd`; always true on Windows."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


class Keys(Protocol):
    """A source of keys."""

    def poll(self, timeout: float) -> list[str]:
        """Wait up to `timeout` seconds. Returns the keys pressed, if any."""
        ...

    def __enter__(self) -> Keys: ...

    def __exit__(self, *_: object) -> None: ...


class NoKeys:
    """No keyboard: `poll` only waits."""

    def poll(self, timeout: float) -> list[str]:
        """Wait."""
        time.sleep(timeout)
        return []

    def __enter__(self) -> NoKeys:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class PosixKeys:
    """Keys of a POSIX terminal, without waiting for Enter and without echo.

    Ctrl-C stays a signal.

    Parameters
    ----------
    fd : file descriptor of a terminal.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._before: Any = None
        self._handler: Any = None
        self._is_prepared = False

    def __enter__(self) -> PosixKeys:
        import termios

        try:
            self._before = termios.tcgetattr(self._fd)
        except termios.error:
            return self  # the terminal is closed: the first `poll` raises
        self._prepare()
        # After Ctrl-Z the shell restores its settings; `fg` has to set ours again.
        if not is_ignored("SIGCONT"):
            self._handler = signal.signal(signal.SIGCONT, self._forget)
        return self

    def _forget(self, *_: object) -> None:
        self._is_prepared = False

    def _prepare(self) -> bool:
        """Set the terminal to single keys if it is ours now. Returns whether it is."""
        import termios
        import tty

        if not in_foreground(self._fd):
            self._is_prepared = False
        elif not self._is_prepared:
            # Not TCSAFLUSH, which drops earlier input, nor TCSADRAIN, which waits for ever while
            # Ctrl-S stops the output.
            with contextlib.suppress(termios.error):
                tty.setcbreak(self._fd, termios.TCSANOW)
                self._is_prepared = True
        return self._is_prepared

    def poll(self, timeout: float) -> list[str]:
        """Wait up to `timeout` seconds. Returns the keys pressed, if any.

        Raises
        ------
        EOFError
            The terminal is closed.
        """
        import select

        # Checked before and after the wait: the shell may take the terminal meanwhile.
        self._prepare()
        if not select.select([self._fd], [], [], timeout)[0]:
            return []
        if os.isatty(self._fd) and not self._prepare():
            time.sleep(timeout)
            return []
        try:
            data = os.read(self._fd, 256)
        except OSError as error:
            raise EOFError("the terminal is closed") from error
        if not data:
            raise EOFError("the terminal is closed")
        return parse(data.decode(errors="ignore"))

    def __exit__(self, *_: object) -> None:
        import termios

        if self._handler is not None:
            signal.signal(signal.SIGCONT, self._handler)
        if self._before is not None and in_foreground(self._fd):
            with contextlib.suppress(termios.error):  # the terminal is closed
                termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        self._is_prepared = False


class WindowsKeys:
    """Keys of the Windows console."""

    def poll(self, timeout: float) -> list[str]:
        """Wait up to `timeout` seconds. Returns the keys pressed, if any."""
        import msvcrt

        console: Any = msvcrt
        deadline = time.monotonic() + timeout
        while not console.kbhit():
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            time.sleep(min(0.02, left))
        keys: list[str] = []
        while console.kbhit():
            key = console.getwch()
            if key in ("\x00", "\xe0"):
                key = {"H": "up", "P": "down"}.get(console.getwch(), "")
            if key:
                keys.append(key)
        return keys

    def __enter__(self) -> WindowsKeys:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def open_keys() -> Keys:
    """The keyboard of standard input; `NoKeys` if that is no terminal or not ours to read."""
    if sys.stdin is None or not sys.stdin.isatty():
        return NoKeys()
    if sys.platform == "win32":
        return WindowsKeys()
    fd = sys.stdin.fileno()
    # The system would stop a background job (`attacca play &`) that reads the terminal.
    return PosixKeys(fd) if in_foreground(fd) else NoKeys()
