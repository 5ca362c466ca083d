"""The end of the program, even if a sound library hangs. Main thread only."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

__all__ = ["leave"]

_OURS = "attacca-"
# Threads that write files. The exit waits for them, or their data would be lost.
_FILES = ("attacca-recorder", "attacca-osc-files", "attacca-midi-files")
_FILES_LIMIT_S = 10.0
_GRACE_S = 0.1  # for threads that are about to end


def leave(status: int) -> int:
    """Return the exit status, or end the process with it if a library call hangs.

    A thread that waits in a sound library for a server that has stopped or died cannot be ended,
    and the library's clean-up at exit would wait as well. At this point the recording is closed and
    everything else has ended, so the process ends without that clean-up.
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
