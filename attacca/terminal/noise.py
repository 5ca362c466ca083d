"""Keeps what libraries write to standard error out of a live view, and prints it afterwards.

Main thread only. PortAudio, ALSA and a dying child process write to file descriptor 2 directly.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import IO

__all__ = ["Noise"]

MOST_LINES = 20


class Noise:
    """While entered, file descriptor 2 goes to a temporary file; its last lines come out after."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._before = -1

    def __enter__(self) -> Noise:
        sys.stderr.flush()
        self._file = tempfile.TemporaryFile()
        self._before = os.dup(2)
        os.dup2(self._file.fileno(), 2)
        return self

    def __exit__(self, *_: object) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        sys.stderr.flush()
        os.dup2(self._before, 2)
        os.close(self._before)
        with file:
            file.seek(0)
            lines = file.read().decode(errors="replace").splitlines()
        if len(lines) > MOST_LINES:
            print(f"({len(lines) - MOST_LINES} lines more before these)", file=sys.stderr)
        for line in lines[-MOST_LINES:]:
            print(line, file=sys.stderr)
