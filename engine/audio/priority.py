"""Real-time scheduling for threads that must not be late, if the system allows it.

A thread calls it for itself. On Linux it needs root or an `rtprio` line in limits.conf. On other
systems, and without permission, nothing changes and the result is False.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["raised_priority"]


@contextmanager
def raised_priority(level: int = 5) -> Generator[bool, None, None]:
    """Run the calling thread under SCHED_FIFO at `level` (1 to 99), and restore it afterwards.

    A thread that starts in the meantime inherits it: so does PortAudio's ALSA thread, for which
    PortAudio has no option.

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
