"""Real-time scheduling for the threads that must not be late, where the system allows it.

Called by a thread for itself. On Linux that needs root or an `rtprio` line in limits.conf;
elsewhere, and without the right, nothing changes and the caller is told so.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["raised_priority"]


@contextmanager
def raised_priority(level: int = 5) -> Generator[bool, None, None]:
    """Run the calling thread under SCHED_FIFO at `level` (1 to 99); put it back afterwards.

    A thread started meanwhile inherits it: PortAudio's ALSA thread gets it that way, for which
    PortAudio itself has no option.

    Yields
    ------
    bool
        Whether the system allowed it.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield False
        return
    # On Linux, process id 0 means the calling thread.
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(level))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, policy, parameters)
