"""MIDI learn: after `arm`, the next controller that moves is chosen. Owned by the desk's thread.

A control change is observed for a moment, since the fine half of a 14-bit pair comes after or
before the coarse one. Other messages are clear at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from midi.controllers import FINE, Moved
from midi.mapping import KINDS, Source
from midi.relative import Recogniser

__all__ = ["Learned", "Learner"]

_WATCH = 0.15  # seconds from the first control change
# Not knobs: bank select belongs to program changes, the others select or step a parameter.
_NO_KNOBS = {0, 32, *range(96, 102)}
_RELATIVE = ("cc", "cc14", "nrpn", "rpn")  # kinds that an encoder may send


@dataclass(frozen=True)
class Learned:
    """A controller of a port, and its moves so far; None if it cannot be an encoder."""

    port: str
    source: Source
    encoder: Recogniser | None


class Learner:
    """At most one target waits for a controller."""

    def __init__(self) -> None:
        self.arm("")

    def arm(self, target: str) -> None:
        """Wait for a controller for `target`; "" cancels."""
        self.armed = target
        self._seen: dict[tuple[str, int], set[int]] = {}
        self._first: tuple[str, Source] | None = None
        self._values: list[tuple[int, float]] = []  # of the first controller, with arrival times
        self._until: float | None = None

    def take(self, port: str, moved: Moved, now: float) -> Learned | None:
        """The controller, as soon as it is clear which one; the caller then arms again."""
        source = moved.source
        if not self.armed or moved.pressed is False:
            return None
        if source.kind == "cc":
            return self._change(port, moved, now)
        if source.kind == "cc14":  # of another mapping: its halves are learned as control changes
            return None
        if source.kind not in _RELATIVE or moved.steps is not None:
            return Learned(port, source, None)
        return Learned(port, source, Recogniser(moved.bits, [(moved.value, now)]))

    def _change(self, port: str, moved: Moved, now: float) -> Learned | None:
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
            # Only the pair touched first: another knob may jitter meanwhile.
            if (
                0 <= coarse < FINE and {coarse, coarse + FINE} <= seen
                and (first_port, first.channel) == (port, channel)
                and first.number in (coarse, coarse + FINE)
            ):  # fmt: skip
                return Learned(port, Source("cc14", coarse, channel), Recogniser(14))
        return None

    def due(self, now: float) -> Learned | None:
        """The controller touched first, if no fine half followed in time."""
        if self._until is None or now < self._until or self._first is None:
            return None
        return Learned(*self._first, Recogniser(7, self._values))

    @property
    def next_due(self) -> float | None:
        """The time of the next `due` controller."""
        return self._until
