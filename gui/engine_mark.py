"""Marks an engine that a window started, by a file with its process number beside the log.

With it, a later window knows whether the engine on its port belongs to a window (then it is ended
with the window and restarted after a crash) or was started by `attacca play` (then it is left
alone). The mark is removed before an engine is ended on purpose. Any thread; small files.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

__all__ = ["EngineMark"]


class EngineMark:
    """The file `engine-PORT.pid` of a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self._path = folder / f"engine-{port}.pid"

    def set(self, pid: int) -> None:
        """A window has started this engine."""
        self._write(str(pid))

    def clear(self) -> None:
        """The engine ends on purpose, or has ended."""
        with contextlib.suppress(OSError):  # a read-only folder has no mark
            self._path.unlink(missing_ok=True)

    @property
    def is_there(self) -> bool:
        """Whether a window started the current or last engine."""
        try:
            return self._path.is_file()
        except OSError:  # a folder that is not ours to read
            return False

    def forget_stale(self) -> None:
        """Remove the mark if its engine has ended and another one answers."""
        try:
            pid = int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            self.clear()
            return
        if not _is_alive(pid):
            self.clear()

    def _write(self, text: str) -> None:
        part = self._path.with_suffix(".part")
        part.write_text(text, encoding="ascii")
        part.replace(self._path)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # signal 0 would end it there; a stale mark costs less
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
