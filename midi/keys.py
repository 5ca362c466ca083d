"""Keys held on MIDI keyboards, by finger or pedal. Owned by the desk's thread."""

from __future__ import annotations

from collections import defaultdict

from engine.notes.note import LOWEST, PITCHES
from midi.message import Message

__all__ = ["HeldKeys"]

PEDAL = 64  # the controller's number, and also the value from which it is down
# All sound off, all notes off, and the modes that also release all notes. MIDI 1.0, channel mode.
_LET_GO = frozenset({120, 123, 124, 125, 126, 127})
_RESET = 121  # all controllers: the pedal comes up


class HeldKeys:
    """Held keys by port and channel; keys outside of a piano's range are ignored."""

    def __init__(self) -> None:
        self._down: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._rung: dict[tuple[str, int], set[int]] = defaultdict(set)  # held only by the pedal
        self._pedal: set[tuple[str, int]] = set()

    @property
    def held(self) -> tuple[int, ...]:
        """MIDI pitches in order, each once."""
        every = [*self._down.values(), *self._rung.values()]
        return tuple(sorted(set().union(*every)))

    def take(self, port: str, message: Message) -> None:
        """Handle a message: keys, pedal, and all notes off."""
        if message.type in ("note_on", "note_off"):
            down = message.type == "note_on" and message.velocity > 0
            if LOWEST <= message.note < LOWEST + PITCHES:
                self._key((port, message.channel), message.note, down)
        elif message.type == "control_change":
            place = (port, message.channel)
            if message.control == PEDAL and message.value >= PEDAL:
                self._pedal.add(place)
            elif message.control in (PEDAL, _RESET):
                self._pedal.discard(place)
                self._rung.pop(place, None)
            elif message.control in _LET_GO:
                self._down.pop(place, None)
                self._rung.pop(place, None)

    def _key(self, place: tuple[str, int], pitch: int, down: bool) -> None:
        if down:
            self._down[place].add(pitch)
            self._rung[place].discard(pitch)
        elif pitch in self._down[place]:
            self._down[place].discard(pitch)
            if place in self._pedal:
                self._rung[place].add(pitch)

    def forget(self, port: str | None = None) -> None:
        """Release the keys of a port, or with None of all ports."""
        for place in {*self._down, *self._rung, *self._pedal}:
            if port in (None, place[0]):
                self._down.pop(place, None)
                self._rung.pop(place, None)
                self._pedal.discard(place)
