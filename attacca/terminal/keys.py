"""Single keys from the terminal, without Enter: POSIX termios or the Windows console.

Main thread only. `poll` doubles as the pause of the player's loop: it waits up to its time-out for
keys. The terminal is put back as it was on leaving, and again made ready after Ctrl-Z and `fg`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any, Protocol

__all__ = ["Keys", "NoKeys", "PosixKeys", "open_keys", "parse"]

# What terminals send for keys that are no characters.
_SEQUENCES = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}


def parse(text: str) -> list[str]:
    """Split what a terminal sent into keys: characters, `up`, `down`; other sequences are dropped.

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


class Keys(Protocol):
    """Where keys come from."""

    def poll(self, timeout: float) -> list[str]:
        """Wait up to `timeout` seconds; the keys pressed, perhaps none."""
        ...

    def __enter__(self) -> Keys: ...

    def __exit__(self, *_: object) -> None: ...


class NoKeys:
    """Nobody at the keyboard: `poll` only waits."""

    def poll(self, timeout: float) -> list[str]:
        """Wait."""
        time.sleep(timeout)
        return []

    def __enter__(self) -> NoKeys:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class PosixKeys:
    """Keys of a POSIX terminal, which stops to wait for Enter and to show what is typed.

    Ctrl-C stays a signal.

    Parameters
    ----------
    fd : file descriptor of a terminal.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._before: Any = None
        self._handler: Any = None

    def __enter__(self) -> PosixKeys:
        import termios

        self._before = termios.tcgetattr(self._fd)
        self._prepare()
        # After Ctrl-Z the shell puts its own settings; `fg` has to bring ours back.
        self._handler = signal.signal(signal.SIGCONT, self._prepare)
        return self

    def _prepare(self, *_: object) -> None:
        import termios
        import tty

        # Not TCSAFLUSH, which would drop what was typed before.
        tty.setcbreak(self._fd, termios.TCSADRAIN)

    def poll(self, timeout: float) -> list[str]:
        """Wait up to `timeout` seconds; the keys pressed, perhaps none.

        Raises
        ------
        EOFError
            The terminal is gone.
        """
        import select

        if not select.select([self._fd], [], [], timeout)[0]:
            return []
        try:
            data = os.read(self._fd, 256)
        except OSError as error:
            raise EOFError("the terminal is gone") from error
        if not data:
            raise EOFError("the terminal is gone")
        return parse(data.decode(errors="ignore"))

    def __exit__(self, *_: object) -> None:
        import termios

        signal.signal(signal.SIGCONT, self._handler or signal.SIG_DFL)
        try:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        except termios.error:
            return  # the terminal is gone, and its settings with it


class WindowsKeys:
    """Keys of the Windows console."""

    def poll(self, timeout: float) -> list[str]:
        """Wait up to `timeout` seconds; the keys pressed, perhaps none."""
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
    """The keyboard of standard input, or none where it is no terminal or not ours to read."""
    if sys.stdin is None or not sys.stdin.isatty():
        return NoKeys()
    if sys.platform == "win32":
        return WindowsKeys()
    fd = sys.stdin.fileno()
    try:
        # A job in the background (`attacca play &`) would be stopped for touching the terminal.
        ours = os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        ours = False
    return PosixKeys(fd) if ours else NoKeys()
