"""The log: the engine's events and errors, and messages of the window.

Bounded: the oldest lines are dropped. Qt's main thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.home_paths import shortened

__all__ = ["Line", "Log"]

Level = Literal["note", "warning", "error"]
_MOST = 500
# Kinds of the engine's events; every other is a note.
_LEVELS: dict[str, Level] = {
    "failed": "error", "error": "error", "refused": "error", "restarted": "warning",
    "eased": "warning", "device": "warning",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line. `kind`: the event's kind, the address of an error, or `window`."""

    at: datetime
    level: Level
    kind: str
    text: str


class Log(QObject):
    """The lines, oldest first."""

    added = pyqtSignal(object)  # a Line

    def __init__(
        self, now: Callable[[], datetime] = datetime.now, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._now = now
        self.lines: deque[Line] = deque(maxlen=_MOST)

    def say(self, text: str, level: Level = "note", kind: str = "window") -> None:
        """Add a message of the window."""
        line = Line(self._now(), level, kind, shortened(" ".join(text.split())))
        self.lines.append(line)
        self.added.emit(line)

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was an event or an error."""
        words = [str(a) for a in arguments]
        if address == "/event" and len(words) == 2:
            self.say(words[1], _LEVELS.get(words[0], "note"), words[0])
        elif address == "/error" and len(words) == 3:
            self.say(words[2], "error", words[0] or words[1])
        else:
            return False
        return True
