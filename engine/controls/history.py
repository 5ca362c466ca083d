"""Undo and redo, gesture by gesture, for all interfaces together.

A moving fader sends a hundred values. Changes of the same controls by one origin without a pause of
a second are one gesture. Undo restores only the controls of the gesture, so later changes of other
controls stay. `ControlBus` owns the history, under its lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass

from engine.controls.control import Value
from engine.errors import ConfigError

__all__ = ["PAUSE", "History"]

PAUSE = 1.0  # seconds without a change that end a gesture
_MOST = 200  # gestures kept


@dataclass
class _Gesture:
    origin: Hashable
    before: dict[str, Value]
    after: dict[str, Value]
    last: float


class History:
    """Gestures that can be undone, and gestures that can be redone.

    Parameters
    ----------
    now : seconds of a monotonic clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._done: list[_Gesture] = []
        self._undone: list[_Gesture] = []

    def add(
        self,
        origin: Hashable,
        before: Mapping[str, Value],
        after: Mapping[str, Value],
        *,
        may_continue: bool = True,
    ) -> None:
        """Record a change by `origin`; `before` and `after` have the same names.

        `may_continue`: whether it may be part of the last gesture.
        """
        if not after:
            return
        now = self._now()
        self._undone.clear()
        last = self._done[-1] if self._done else None
        same = last is not None and last.origin == origin and last.after.keys() == after.keys()
        if last is not None and same and may_continue and now - last.last < PAUSE:
            last.after.update(after)
            last.last = now
            return
        self._done.append(_Gesture(origin, dict(before), dict(after), now))
        del self._done[:-_MOST]

    def undo(self, locked: Collection[str] = ()) -> dict[str, Value]:
        """The values to set to undo the last gesture that changed a control that is not locked.

        Raises
        ------
        ConfigError
            There is no such gesture.
        """
        gesture = _last(self._done, locked)
        if gesture is None:
            raise ConfigError("nothing is left to undo")
        self._done.remove(gesture)
        self._undone.append(gesture)
        return _unlocked(gesture.before, locked)

    def redo(self, locked: Collection[str] = ()) -> dict[str, Value]:
        """The values to set to redo the gesture that was undone last.

        Raises
        ------
        ConfigError
            Nothing was undone, or a control has been changed since.
        """
        gesture = _last(self._undone, locked)
        if gesture is None:
            raise ConfigError("nothing is left to redo: no undo since the last change")
        self._undone.remove(gesture)
        gesture.last = -PAUSE  # the next change starts a new gesture
        self._done.append(gesture)
        return _unlocked(gesture.after, locked)


def _last(gestures: list[_Gesture], locked: Collection[str]) -> _Gesture | None:
    return next((g for g in reversed(gestures) if _unlocked(g.after, locked)), None)


def _unlocked(values: Mapping[str, Value], locked: Collection[str]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in locked}
