"""Soft takeover: a controller that stands elsewhere than its control moves nothing until it has met
it. Owned by the desk's thread.

A knob picks a control up when it stands where the control does, within one step of it, or when two
of its values have the control between them. It then keeps it until something else moves the
control. Switches, and controls left to the music (`free`), are taken at once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from engine.controls.control import Control, Value

__all__ = ["Takeover"]


@dataclass
class _State:
    place: float | None = None  # where the controller stood last
    given: Value | None = None  # what it set last


class Takeover:
    """Remembers, for each mapping, where its controller stood and what it set.

    Parameters
    ----------
    on : off lets every move through.
    """

    def __init__(self, on: bool = True) -> None:
        self.on = on
        self._states: dict[Hashable, _State] = {}

    def takes(
        self, key: Hashable, control: Control, place: float, value: Value, current: Value,
        *, step: float, low: float = 0.0, high: float = 1.0,
    ) -> bool:  # fmt: skip
        """Whether a controller that moved to `place`, where `control` is `value`, may set it.

        `current` is what the control holds; the controller moves from `low` to `high`, in steps of
        `step`. All places are from 0 to 1 of the control's range.
        """
        state = self._states.setdefault(key, _State())
        before, state.place = state.place, place
        may = self._may(state, before, control, place, value, current, step, low, high)
        state.given = value if may else None
        return may

    def _may(
        self, state: _State, before: float | None, control: Control, place: float, value: Value,
        current: Value, step: float, low: float, high: float,
    ) -> bool:  # fmt: skip
        if not self.on or control.kind == "switch" or current in (state.given, value):
            return True
        where = control.to_position(current)
        if isinstance(where, str):
            return True
        # A control outside of the controller's reach is met at the end that is nearest to it.
        where = min(max(where, min(low, high)), max(low, high))
        crossed = before is not None and (before - where) * (place - where) <= 0
        return crossed or abs(place - where) <= step

    def forget(self) -> None:
        """Nothing is known of any controller any more."""
        self._states.clear()
