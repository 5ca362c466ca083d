"""Whether the generator still works, judged by how long the same work took it before.

The generator announces each part of its work before it does it: a file it checks, a graph it opens,
a step of a sampler, the decoding of a block. A part is late when it takes several times as long as
its slowest recent run. Pure logic: the pipe's reader thread calls `began` and `finished`, the
thread that waits calls the rest, and time comes in from outside.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["ALLOWANCES", "Allowance", "Heartbeat"]


@dataclass(frozen=True)
class Allowance:
    """Seconds that a part may take: before it was ever measured, and at least."""

    first: float
    least: float


# By the first word of a part's name. `least` is what a busy machine may hold a process up.
ALLOWANCES: Mapping[str, Allowance] = {
    "start": Allowance(60.0, 10.0),  # a cold disk and a slow machine included
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
_RUNS = 64  # remembered of each part
_MOST_PATIENT = 64.0


class Heartbeat:
    """The parts of one generator's work, over all its processes.

    Parameters
    ----------
    now : seconds of a clock that only goes on.
    patience : factor on every limit; large for rendering, where nothing is lost by waiting.
    """

    def __init__(self, now: Callable[[], float], patience: float = 1.0) -> None:
        self._now, self._patience = now, patience
        self._doubled = 1.0
        self._lock = threading.Lock()
        self._runs: dict[str, deque[float]] = {}
        self._part, self._since, self._waited = "", now(), 0.0

    def started(self) -> None:
        """Another process starts; what the one before was doing is not finished."""
        with self._lock:
            self._part, self._since, self._waited = "start", self._now(), 0.0

    def began(self, part: str) -> None:
        """A part begins, so the one before is finished, if there was one."""
        with self._lock:
            now = self._now()
            if self._part:
                runs = self._runs.setdefault(self._part, deque(maxlen=_RUNS))
                runs.append(now - self._since)
            self._part, self._since, self._waited = part, now, 0.0

    def finished(self) -> None:
        """The last part is finished, and nothing is being done."""
        self.began("")

    def waited(self, seconds: float) -> None:
        """So long was waited for the part that is being done.

        What is added up here counts, not the clock: while this process itself is held up (stopped,
        or on a machine that does not get round to it), it has not waited.
        """
        with self._lock:
            self._waited += seconds

    @property
    def late(self) -> str:
        """What is wrong, in words; nothing while the part may still be done."""
        with self._lock:
            if not self._part or self._waited <= self._limit(self._part):
                return ""
            return f"no sign of life for {self._waited:.1f} s ({self._part})"

    def limit(self, part: str) -> float:
        """Seconds that a part may take now."""
        with self._lock:
            return self._limit(part)

    def _limit(self, part: str) -> float:
        allowance = ALLOWANCES[part.split()[0]]
        runs = self._runs.get(part)
        seconds = max(allowance.least, _MARGIN * max(runs)) if runs else allowance.first
        return seconds * self._patience * self._doubled

    def gave_up(self) -> None:
        """It was late and was ended: be twice as patient with the next one, in case it was not."""
        with self._lock:
            self._doubled = min(2 * self._doubled, _MOST_PATIENT)

    def proved(self) -> None:
        """It has finished a block: be as strict as at first."""
        with self._lock:
            self._doubled = 1.0
