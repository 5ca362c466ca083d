"""Detects a hung generator by the measured times of its work.

The generator announces each part of its work before it starts: a file to check, a graph to open, a
sampler step, the decoding of a block. A part is late when it takes several times as long as its
slowest recent run. Pure logic with an injected clock: the pipe's reader thread calls `began` and
`finished`, the waiting thread calls the other methods.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["ALLOWANCES", "Allowance", "Heartbeat"]


@dataclass(frozen=True)
class Allowance:
    """Seconds that a part may take: before it was first measured, and the least timeout."""

    first: float
    least: float


# By the first word of a part's name. `least` allows for a process that is suspended on a busy
# machine.
ALLOWANCES: Mapping[str, Allowance] = {
    "start": Allowance(60.0, 10.0),  # including a cold disk and a slow machine
    "check": Allowance(60.0, 10.0),  # of one file
    "open": Allowance(60.0, 10.0),  # of one graph
    "build": Allowance(1800.0, 1800.0),  # of one engine for a graphics card
    "warm-up": Allowance(60.0, 10.0),
    "listen": Allowance(30.0, 5.0),  # transcription of 2 s
    "send": Allowance(5.0, 2.0),
    "answer": Allowance(10.0, 0.5),  # from a request to the first part
    "continue": Allowance(10.0, 0.5),
    "context": Allowance(10.0, 0.5),
    "step": Allowance(10.0, 0.5),
    "encode": Allowance(10.0, 2.0),  # of one text
    "network": Allowance(10.0, 0.5),
    "decode": Allowance(10.0, 0.5),
    "perform": Allowance(10.0, 0.5),
}
_MARGIN = 8.0  # times the slowest run
_RUNS = 64  # measured times per part
_MOST_DOUBLED = 64.0


class Heartbeat:
    """The parts of one generator's work, over all its processes.

    Parameters
    ----------
    now : seconds of a monotonic clock.
    patience : factor on every timeout; large for rendering, where waiting costs no sound.
    """

    def __init__(self, now: Callable[[], float], patience: float = 1.0) -> None:
        self._now, self._patience = now, patience
        self._doubled = 1.0
        self._lock = threading.Lock()
        self._runs: dict[str, deque[float]] = {}
        self._part, self._since, self._waited = "", now(), 0.0

    def started(self) -> None:
        """A new process starts; the last part of the old one is not measured."""
        with self._lock:
            self._part, self._since, self._waited = "start", self._now(), 0.0

    def began(self, part: str) -> None:
        """A part starts, so the one before it is finished."""
        with self._lock:
            now = self._now()
            if self._part:
                runs = self._runs.setdefault(self._part, deque(maxlen=_RUNS))
                runs.append(now - self._since)
            self._part, self._since, self._waited = part, now, 0.0

    def finished(self) -> None:
        """The last part is finished, and the generator is idle."""
        self.began("")

    def waited(self, seconds: float) -> None:
        """Add waiting time for the present part.

        Only this sum counts, not the clock: while this process itself is suspended, it does not
        wait.
        """
        with self._lock:
            self._waited += seconds

    @property
    def late(self) -> str:
        """A description if the part is late, else nothing."""
        with self._lock:
            if not self._part or self._waited <= self._limit(self._part):
                return ""
            return f"no progress for {self._waited:.1f} s ({self._part})"

    def limit(self, part: str) -> float:
        """Seconds that a part may take now."""
        with self._lock:
            return self._limit(part)

    def _limit(self, part: str) -> float:
        allowance = ALLOWANCES[part.split()[0]]
        runs = self._runs.get(part)
        seconds = max(allowance.least, _MARGIN * max(runs)) if runs else allowance.first
        return seconds * self._patience * self._doubled

    def double_patience(self) -> None:
        """Double all timeouts after a timeout, in case the process was only slow."""
        with self._lock:
            self._doubled = min(2 * self._doubled, _MOST_DOUBLED)

    def reset_patience(self) -> None:
        """Restore the timeouts, after a block."""
        with self._lock:
            self._doubled = 1.0
