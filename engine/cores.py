"""The number of processor cores that this process may use.

A container, a service or `taskset` may allow fewer than the machine has. Pure functions over the
system's files; any thread.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["usable_cores"]


def usable_cores(
    cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int:
    """The cores that the affinity mask and the quota of the control group allow, at least 1.

    Parameters
    ----------
    cgroups, own : where Linux lists control groups, and the group of this process.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = _quota(cgroups, own)
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def _quota(cgroups: Path, own: Path) -> float | None:
    """The smallest `cpu.max` (control groups version 2) from this process's group up to the root.

    `max 100000` means no limit; `150000 100000` means one and a half cores.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
        group = next(line[3:] for line in lines if line.startswith("0::"))
    except (OSError, ValueError, StopIteration):
        return None
    found: list[float] = []
    place = cgroups / group.lstrip("/")
    for folder in (place, *place.parents):
        try:
            limit, period = (folder / "cpu.max").read_text(encoding="ascii").split()
            if limit != "max":
                found.append(int(limit) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            pass
        if folder == cgroups:
            break
    return min(found, default=None)
