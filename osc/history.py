"""Undo and redo of what was set over OSC, gesture by gesture. The OSC thread's own.

A fader that moves sends a hundred values; what one client does to the same controls without a pause
of a second is one gesture. Only the controls that a gesture changed are put back, so that what
others changed since stays.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.params import Value

__all__ = ["PAUSE", "History"]

PAUSE = 1.0  # seconds of rest that end a gesture
_MOST = 200  # gestures remembered


@dataclass
class _Gesture:
    who: Hashable
    before: dict[str, Value]
    after: dict[str, Value]
    last: float


class History:
    """Gestures done, and gestures undone.

    Parameters
    ----------
    now : seconds of a clock that only goes on.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._done: list[_Gesture] = []
        self._undone: list[_Gesture] = []

    def note(self, who: Hashable, before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
        """Remember that `who` changed these controls; both have the same names."""
        if not after:
            return
        now = self._now()
        self._undone.clear()
        last = self._done[-1] if self._done else None
        if (
            last is not None and last.who == who and last.after.keys() == after.keys()
            and now - last.last < PAUSE
        ):  # fmt: skip
            last.after.update(after)
            last.last = now
            return
        self._done.append(_Gesture(who, dict(before), dict(after), now))
        del self._done[:-_MOST]

    def undo(self) -> dict[str, Value]:
        """What to set to take the last gesture back.

        Raises
        ------
        ConfigError
            There is none.
        """
        if not self._done:
            raise ConfigError("/undo: nothing is left to undo")
        gesture = self._done.pop()
        self._undone.append(gesture)
        return dict(gesture.before)

    def redo(self) -> dict[str, Value]:
        """What to set to do the gesture undone last again.

        Raises
        ------
        ConfigError
            There is none.
        """
        if not self._undone:
            raise ConfigError("/redo: nothing was undone, or something was changed since")
        gesture = self._undone.pop()
        gesture.last = -PAUSE  # what follows is another gesture
        self._done.append(gesture)
        return dict(gesture.after)
