"""Registered and non-registered parameters: which one a channel's data entry changes.

CC 99 and 98 select an NRPN, CC 101 and 100 an RPN, in two halves of 7 bits; 127 in both selects
none. The selection stays until the next, also for devices that select once and then send data
alone (MIDI 1.0 Detailed Specification). Owned by the desk's thread.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["COARSE", "DECREMENT", "FINE_DATA", "INCREMENT", "SELECTORS", "Selected"]

COARSE, FINE_DATA = 6, 38  # data entry
INCREMENT, DECREMENT = 96, 97
ParameterKind = Literal["nrpn", "rpn"]
# The kind, and the half of the number: 0 is the coarse one.
SELECTORS: dict[int, tuple[ParameterKind, int]] = {
    99: ("nrpn", 0), 98: ("nrpn", 1), 101: ("rpn", 0), 100: ("rpn", 1),
}  # fmt: skip
_NULL = (127, 127)


class Selected:
    """The parameter that is selected on one channel of one port.

    Attributes
    ----------
    coarse : the coarse half of its value, once that arrived.
    """

    def __init__(self) -> None:
        self.coarse: int | None = None
        self._kind: ParameterKind | None = None
        self._halves: dict[ParameterKind, dict[int, int]] = {"nrpn": {}, "rpn": {}}

    def select(self, selector: int, value: int) -> None:
        """Handle CC 98, 99, 100 or 101."""
        kind, half = SELECTORS[selector]
        if (self._kind, self._halves[kind].get(half)) != (kind, value):
            self.coarse = None
        self._kind = kind
        self._halves[kind][half] = value

    @property
    def parameter(self) -> tuple[ParameterKind, int] | None:
        """Its kind and number; None while no parameter is selected."""
        if self._kind is None:
            return None
        coarse, fine = (self._halves[self._kind].get(half) for half in (0, 1))
        if coarse is None or fine is None or (coarse, fine) == _NULL:
            return None
        return self._kind, (coarse << 7) | fine
