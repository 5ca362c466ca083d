"""Learning by touch: after `arm`, the controller that moves next is the one. Owned by the desk's
thread.

A control change is watched for a moment, since the fine half of a 14-bit pair comes after the
coarse one, or before it. Everything else is clear at once.
"""

from __future__ import annotations

import mido

from midi.controllers import FINE
from midi.mapping import KINDS, Source

__all__ = ["Learner"]

_WATCH = 0.15  # seconds from the first control change
# Numbers of parameters and steps up and down: they address something, they are no knobs. MIDI 1.0.
_NO_KNOBS = range(96, 102)


class Learner:
    """At most one target waits for a controller."""

    def __init__(self) -> None:
        self.armed = ""
        self._seen: dict[tuple[str, int], set[int]] = {}
        self._first: tuple[str, int, int] | None = None
        self._until: float | None = None

    def arm(self, target: str) -> None:
        """Wait for a controller for `target`; "" waits no longer."""
        self.armed = target
        self._seen, self._first, self._until = {}, None, None

    def take(self, port: str, message: mido.Message, now: float) -> Source | None:
        """The controller, as soon as it is clear which; the caller then arms it anew, or not."""
        if not self.armed:
            return None
        match message.type:
            case "control_change" if message.control <= KINDS["cc"]:
                return self._change(port, message.channel + 1, message.control, now)
            case "pitchwheel":
                return Source("bend", 0, message.channel + 1)
            case "aftertouch":
                return Source("pressure", 0, message.channel + 1)
            case "note_on" if message.velocity > 0:
                return Source("note", message.note, message.channel + 1)
        return None

    def _change(self, port: str, channel: int, number: int, now: float) -> Source | None:
        if number in _NO_KNOBS:
            return None
        if self._first is None:
            self._first, self._until = (port, channel, number), now + _WATCH
        seen = self._seen.setdefault((port, channel), set())
        seen.add(number)
        for coarse in (number, number - FINE):
            # Only the pair that was touched first: another knob may tremble meanwhile.
            if (
                0 <= coarse < FINE and {coarse, coarse + FINE} <= seen
                and self._first[:2] == (port, channel)
                and self._first[2] in (coarse, coarse + FINE)
            ):  # fmt: skip
                return Source("cc14", coarse, channel)
        return None

    def due(self, now: float) -> Source | None:
        """The controller that was touched first, when nothing finer followed it in time."""
        if self._until is None or now < self._until or self._first is None:
            return None
        _, channel, number = self._first
        return Source("cc", number, channel)

    @property
    def next_due(self) -> float | None:
        """When `due` has something."""
        return self._until
