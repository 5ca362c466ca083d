"""The end of the program: what may keep it, and for how long. Main thread only."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

__all__ = ["leave"]

_OURS = "attacca-"
# Threads that write files. They are waited for: what they hold would be lost.
_FILES = ("attacca-recorder", "attacca-osc-files", "attacca-midi-files")
_FILES_LIMIT_S = 10.0
_GRACE_S = 0.1  # for threads that are about to end


def leave(status: int) -> int:
    """Return the exit status; where a library call hangs, end the process with it instead.

    A thread that waits in a sound library for a server that has stopped or died cannot be ended,
    and the libraries' own clean-up at the end of a process would wait as well. By now the take is
    closed and everything else has ended; so as a last resort the process ends without that
    clean-up.
    """
    _join(_FILES, _FILES_LIMIT_S)
    if _join((_OURS,), _GRACE_S):
        return status
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _join(names: tuple[str, ...], limit_s: float) -> bool:
    """Wait for the threads with these names; whether they have ended in time."""
    deadline = time.monotonic() + limit_s
    threads = [t for t in threading.enumerate() if t.name.startswith(names)]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(t.is_alive() for t in threads)
