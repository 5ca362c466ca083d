"""Keeps the output of libraries on standard error out of a live view, and prints it afterwards.

Main thread, and one thread that reads. PortAudio, ALSA and a crashing child process write directly
to file descriptor 2. Their output goes through a pipe, and only the last lines are kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque

__all__ = ["LibraryOutput"]

MOST_LINES = 20
_LONGEST = 4096  # bytes of a line; a longer one is split
_END = b"attacca: end of what libraries wrote"
_AT_EXIT = 0.5  # seconds to empty the pipe at the end


class LibraryOutput:
    """While entered, file descriptor 2 is a pipe; its last lines are printed on exit."""

    def __init__(self) -> None:
        self._before = -1
        self._lines: deque[bytes] = deque(maxlen=MOST_LINES)
        self._count = 0
        self._ended = threading.Event()

    def __enter__(self) -> LibraryOutput:
        _flush()
        try:
            before = os.dup(2)
        except OSError:
            return self  # no free file descriptor: the view may break, but the music plays
        try:
            reading, writing = os.pipe()
        except OSError:
            os.close(before)
            return self
        self._before = before
        os.dup2(writing, 2)
        os.close(writing)
        threading.Thread(
            target=self._read, args=(reading,), name="attacca-library-output", daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        before, self._before = self._before, -1
        if before < 0:
            return
        _flush()
        os.write(2, b"\n" + _END + b"\n")
        os.dup2(before, 2)
        os.close(before)
        self._ended.wait(_AT_EXIT)
        lines, count = list(self._lines), self._count
        with contextlib.suppress(OSError):
            if count > len(lines):
                print(f"({count - len(lines)} more lines before these)", file=sys.stderr)
            for line in lines:
                print(line.decode(errors="replace"), file=sys.stderr)

    def _read(self, reading: int) -> None:
        """Keep the last lines; after the end, pass on the output of child processes."""
        rest = b""
        with contextlib.suppress(OSError):
            while data := os.read(reading, 65536):
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > _LONGEST:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._take(line)
        os.close(reading)

    def _take(self, line: bytes) -> None:
        if line == _END:
            self._ended.set()
        elif self._ended.is_set():
            os.write(2, line + b"\n")
        elif line.strip():
            self._lines.append(line)
            self._count += 1


def _flush() -> None:
    with contextlib.suppress(OSError, AttributeError):  # closed or missing
        sys.stderr.flush()
