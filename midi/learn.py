"""Learning by touch: after `arm`, the controller that moves next is the one. Owned by the desk's
thread.

A control change is watched for a moment, since the fine half of a 14-bit pair comes after the
coarse one, or before it. Everything else is clear at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from midi.controllers import FINE, Moved
from midi.mapping import KINDS, Source
from midi.relative import Recogniser

__all__ = ["Learner", "Learnt"]

_WATCH = 0.15  # seconds from the first control change
# Bank select belongs to program changes, the others select a parameter or step it: no knobs.
_NO_KNOBS = {0, 32, *range(96, 102)}
_RELATIVE = ("cc", "cc14", "nrpn", "rpn")  # kinds that an encoder may send


@dataclass(frozen=True)
class Learnt:
    """A controller of a port, and how it moved so far; None where it can be no encoder."""

    port: str
    source: Source
    encoder: Recogniser | None


class Learner:
    """At most one target waits for a controller."""

    def __init__(self) -> None:
        self.arm("")

    def arm(self, target: str) -> None:
        """Wait for a controller for `target`; "" waits no longer."""
        self.armed = target
        self._seen: dict[tuple[str, int], set[int]] = {}
        self._first: tuple[str, Source] | None = None
        self._values: list[tuple[int, float]] = []  # of the first, and when they arrived
        self._until: float | None = None

    def take(self, port: str, moved: Moved, now: float) -> Learnt | None:
        """The controller, as soon as it is clear which; the caller then arms the next, or none."""
        source = moved.source
        if not self.armed or moved.pressed is False:
            return None
        if source.kind == "cc":
            return self._change(port, moved, now)
        if source.kind == "cc14":  # of another mapping: its halves are learnt as control changes
            return None
        if source.kind not in _RELATIVE or moved.steps is not None:
            return Learnt(port, source, None)
        return Learnt(port, source, Recogniser(moved.bits, [(moved.value, now)]))

    def _change(self, port: str, moved: Moved, now: float) -> Learnt | None:
        number, channel = moved.source.number, moved.source.channel
        if number in _NO_KNOBS or number > KINDS["cc"]:
            return None
        if self._first is None:
            self._first, self._until = (port, moved.source), now + _WATCH
        if (port, moved.source) == self._first:
            self._values.append((moved.value, now))
        seen = self._seen.setdefault((port, channel), set())
        seen.add(number)
        first_port, first = self._first
        for coarse in (number, number - FINE):
            # Only the pair that was touched first: another knob may tremble meanwhile.
            if (
                0 <= coarse < FINE and {coarse, coarse + FINE} <= seen
                and (first_port, first.channel) == (port, channel)
                and first.number in (coarse, coarse + FINE)
            ):  # fmt: skip
                return Learnt(port, Source("cc14", coarse, channel), Recogniser(14))
        return None

    def due(self, now: float) -> Learnt | None:
        """The controller that was touched first, when nothing finer followed it in time."""
        if self._until is None or now < self._until or self._first is None:
            return None
        return Learnt(*self._first, Recogniser(7, self._values))

    @property
    def next_due(self) -> float | None:
        """When `due` has something."""
        return self._until
