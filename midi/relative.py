"""Relative controllers: endless encoders, which send steps instead of positions.

Three encodings are in use, shown for 7 bits; with 14 bits the middle is 8192 and the end 16383:

- twos-complement: 1, 2, ... to the right; 127, 126, ... to the left.
- binary-offset: 65, 66, ... to the right; 63, 62, ... to the left.
- signed-bit: 1, 2, ... to the right; 65, 66, ... to the left.

An encoder that accelerates sends more than one step in a message. Pure functions and values, any
thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

__all__ = ["MODES", "Mode", "Recogniser", "steps_of"]

Mode = Literal["absolute", "twos-complement", "binary-offset", "signed-bit"]
MODES: tuple[Mode, ...] = get_args(Mode)
_RELATIVE = MODES[1:]

_FAST = 0.07  # seconds: faster than anyone presses a button twice
_SLOW = 8  # steps in a message, at most, of an encoder that is turned slowly
_TURN = 2  # and of one that is about to change its direction
_EVIDENCE = 2  # repeated values, or jumps from one direction to the other
_MOST = 64  # messages that are watched


def steps_of(value: int, bits: int, mode: Mode) -> int:
    """The steps in a message: positive to the right, negative to the left. 0 for `absolute`."""
    half = 1 << (bits - 1)
    if mode == "twos-complement":
        return value if value < half else value - 2 * half
    if mode == "binary-offset":
        return value - half
    if mode == "signed-bit":
        return value if value < half else half - value
    return 0


class Recogniser:
    """Detects from its messages whether a controller is relative, and in which encoding.

    A knob sends a value when it changes, so it neither repeats one nor jumps from one end of its
    travel to the other. An encoder does both. One that was turned in one direction only may be
    mistaken for another encoding, so the recogniser watches until it has seen both directions.

    Parameters
    ----------
    bits : of the controller's values.
    arrivals : earlier values with their times in seconds.
    """

    def __init__(self, bits: int, arrivals: Sequence[tuple[int, float]] = ()) -> None:
        self._bits = bits
        self._arrivals: list[tuple[int, float]] = []
        self.mode: Mode = "absolute"
        self.is_done = False
        for value, at in arrivals:
            self.take(value, at)

    def take(self, value: int, at: float) -> None:
        """Process another value."""
        if self.is_done:
            return
        self._arrivals.append((value, at))
        plausible: list[Mode] = [mode for mode in _RELATIVE if self._is_plausible(mode)]
        certain: list[Mode] = [mode for mode in plausible if self._is_certain(mode)]
        likely: list[Mode] = [mode for mode in plausible if self._is_likely(mode)]
        self.mode = (*certain, *likely, "absolute")[0]
        self.is_done = bool(certain) or not plausible or len(self._arrivals) >= _MOST

    def _steps(self, mode: Mode) -> list[int]:
        return [steps_of(value, self._bits, mode) for value, _ in self._arrivals]

    def _is_plausible(self, mode: Mode) -> bool:
        """No message is empty or moves by a quarter of the travel or more."""
        return all(0 < abs(steps) < 1 << (self._bits - 2) for steps in self._steps(mode))

    def _is_certain(self, mode: Mode) -> bool:
        steps = self._steps(mode)
        if all(s > 0 for s in steps) or all(s < 0 for s in steps):
            return False
        pairs = list(pairwise(zip(steps, self._values(), strict=True)))
        repeats = sum(a == b and abs(a[0]) <= _SLOW for a, b in pairs)
        jumps = sum(
            (a[0] > 0) != (b[0] > 0) and max(abs(a[0]), abs(b[0])) <= _TURN
            and abs(a[1] - b[1]) >= 1 << (self._bits - 2)
            for a, b in pairs
        )  # fmt: skip
        return repeats + jumps >= _EVIDENCE

    def _is_likely(self, mode: Mode) -> bool:
        """It repeated a value quickly. Buttons send only the highest value."""
        if set(self._values()) == {(1 << self._bits) - 1}:
            return False
        pairs = pairwise(zip(self._steps(mode), self._arrivals, strict=True))
        repeats = sum(
            a[0] == b[0] and abs(a[0]) <= _SLOW and b[1][1] - a[1][1] < _FAST for a, b in pairs
        )
        return repeats >= _EVIDENCE

    def _values(self) -> list[int]:
        return [value for value, _ in self._arrivals]
