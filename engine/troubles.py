"""What goes wrong again and again: reported at once, then once in a while, and shown meanwhile.

`note` may be called from any thread, the mixer's too: it takes a short lock and passes one line on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Troubles"]

_EVERY = 10.0  # seconds between two reports of one kind
_FRESH = 2.0  # seconds for which a trouble counts as going on


@dataclass
class _Trouble:
    text: str
    until: float
    reported: float
    times: int = 0  # since it was reported


class Troubles:
    """Troubles by kind.

    Parameters
    ----------
    say : called with (`error`, text) in the thread that notes it; must not wait.
    now : seconds of a clock that only goes on.
    """

    def __init__(self, say: Callable[[str, str], None], now: Callable[[], float]) -> None:
        self._say, self._now = say, now
        self._lock = threading.Lock()
        self._by_kind: dict[str, _Trouble] = {}

    def note(self, kind: str, text: str, lasts: float = _FRESH) -> None:
        """Something of this kind went wrong; it counts as going on for `lasts` seconds."""
        with self._lock:
            now, known = self._now(), self._by_kind.get(kind)
            if known is not None and now < known.reported + _EVERY:
                known.text, known.until = text, now + lasts
                known.times += 1
                return
            again = f" ({known.times} more times)" if known is not None and known.times else ""
            self._by_kind[kind] = _Trouble(text, now + lasts, now)
        self._say("error", text + again)

    @property
    def current(self) -> str:
        """What goes wrong now, in one line; nothing when all is well."""
        with self._lock:
            now = self._now()
            going_on = [t for t in self._by_kind.values() if now < t.until]
        return max(going_on, key=lambda t: t.until).text if going_on else ""
