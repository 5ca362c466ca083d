"""The mark of an engine that a window started: its process number, in a file beside the log.

By it a later window knows whether the engine that it finds on its port is a window's, to be ended
with the window and started again when it dies, or somebody's own `attacca play`, which is neither.
Whoever ends an engine on purpose takes the mark away first. Any thread; small files.
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
        """A window has started this one."""
        self._write(str(pid))

    def clear(self) -> None:
        """It ends on purpose, or has ended."""
        with contextlib.suppress(OSError):  # a folder that cannot be written had no mark either
            self._path.unlink(missing_ok=True)

    @property
    def is_there(self) -> bool:
        """Whether a window started the engine that plays, or played last."""
        try:
            return self._path.is_file()
        except OSError:  # a folder that is not ours to read
            return False

    def forget_stale(self) -> None:
        """Take away the mark of an engine that is gone while another one answers."""
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
