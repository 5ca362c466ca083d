"""Soft takeover: a controller has no effect until it reaches its control's value.

Owned by the desk's thread. A knob takes over a control when its position is within one step of the
control's value, or when two of its values enclose it. It keeps the control until something else
changes it. Switches and `free` controls are taken over at once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from engine.controls.control import Control, Value

__all__ = ["Takeover"]


@dataclass
class _State:
    place: float | None = None  # last position of the controller
    last_set: Value | None = None  # last value it set


class Takeover:
    """Stores the controller's position and last value of each mapping.

    Parameters
    ----------
    on : if off, every move has an effect.
    """

    def __init__(self, on: bool = True) -> None:
        self.on = on
        self._states: dict[Hashable, _State] = {}

    def takes(
        self, key: Hashable, control: Control, place: float, value: Value, current: Value,
        *, step: float, low: float = 0.0, high: float = 1.0,
    ) -> bool:  # fmt: skip
        """Whether a controller that moved to `place`, which means `value`, may set the control.

        `current` is the control's value; the controller moves from `low` to `high`, in steps of
        `step`. All places are from 0 to 1 of the control's range.
        """
        state = self._states.setdefault(key, _State())
        before, state.place = state.place, place
        may = self._may(state, before, control, place, value, current, step, low, high)
        state.last_set = value if may else None
        return may

    def _may(
        self, state: _State, before: float | None, control: Control, place: float, value: Value,
        current: Value, step: float, low: float, high: float,
    ) -> bool:  # fmt: skip
        if not self.on or control.kind == "switch" or current in (state.last_set, value):
            return True
        where = control.to_position(current)
        if isinstance(where, str):
            return True
        # A value outside of the controller's range is reached at the nearest end.
        where = min(max(where, min(low, high)), max(low, high))
        crossed = before is not None and (before - where) * (place - where) <= 0
        return crossed or abs(place - where) <= step

    def forget(self) -> None:
        """Forget all positions."""
        self._states.clear()
