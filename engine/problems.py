"""Recurring problems: reported at once, then every 10 s with a count, and shown while they last.

`Problems.report` may be called from any thread, including the mixer's: it takes a short lock and
publishes at most one line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Problems"]

_INTERVAL = 10.0  # seconds between two events of one kind
_LASTS = 2.0  # seconds for which a problem counts as current


@dataclass
class _Problem:
    text: str
    until: float
    published: float
    repeats: int = 0  # since it was published


class Problems:
    """Problems by kind.

    Parameters
    ----------
    on_event : called with (`error`, text) in the thread that reports; must not wait.
    now : seconds of a monotonic clock.
    """

    def __init__(self, on_event: Callable[[str, str], None], now: Callable[[], float]) -> None:
        self._on_event, self._now = on_event, now
        self._lock = threading.Lock()
        self._by_kind: dict[str, _Problem] = {}

    def report(self, kind: str, text: str, lasts: float = _LASTS) -> None:
        """Report a problem of this kind; it counts as current for `lasts` seconds."""
        with self._lock:
            now, known = self._now(), self._by_kind.get(kind)
            if known is not None and now < known.published + _INTERVAL:
                known.text, known.until = text, now + lasts
                known.repeats += 1
                return
            again = f" ({known.repeats} more times)" if known is not None and known.repeats else ""
            self._by_kind[kind] = _Problem(text, now + lasts, now)
        self._on_event("error", text + again)

    @property
    def current(self) -> str:
        """The latest current problem in one line, or nothing."""
        with self._lock:
            now = self._now()
            current = [p for p in self._by_kind.values() if now < p.until]
        return max(current, key=lambda p: p.until).text if current else ""
