"""From messages to moves: which controller sent which value. Owned by the desk's thread.

A 7-bit value v stands at v/128 up to its middle 64 and in equal steps from there to 1, so that the
middle is the middle exactly (min-center-max scaling, MIDI 2.0 Bit Scaling and Resolution, M2-115);
14 bits likewise. Of a 14-bit pair, and of a parameter's value, the coarse half comes first (MIDI
1.0 Detailed Specification, Control Change), and the fine one is awaited for a moment. A coarse half
without a fine one is a value of 7 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from midi.mapping import Source
from midi.message import Message
from midi.parameters import COARSE, DECREMENT, FINE_DATA, INCREMENT, SELECTORS, Selected

__all__ = ["FINE", "Controllers", "Moved", "share"]

FINE = 32  # a pair's fine half is so many numbers above the coarse one
_WAIT = 0.01  # seconds for the fine half
_RESET = 121  # all controllers; it selects no parameter (MMA RP-015)

_Key = tuple[str, Source]  # of a port


def share(value: int, bits: int) -> float:
    """Where a value of so many bits stands from 0 to 1; its middle is at 0.5."""
    middle, top = 1 << (bits - 1), (1 << bits) - 1
    return value / (2 * middle) if value <= middle else 0.5 + (value - middle) / (top - middle) / 2


@dataclass(frozen=True)
class Moved:
    """A controller sent a value.

    Attributes
    ----------
    value, bits : what it sent, 0 to 2**bits - 1.
    pressed : True for a key that went down and False for one that came up; None for the rest.
    steps : of a parameter that is incremented or decremented; None for the rest.
    """

    source: Source
    value: int
    bits: int = 7
    pressed: bool | None = None
    steps: int | None = None

    @property
    def share(self) -> float:
        """The position of the controller, 0 to 1."""
        return share(self.value, self.bits)

    @property
    def step(self) -> float:
        """The smallest move that it can make, from 0 to 1."""
        return 1 / ((1 << self.bits) - 1)


class Controllers:
    """Parses messages of all ports.

    Parameters
    ----------
    paired : whether a CC on a channel (1 to 16) is mapped as the coarse half of a pair.
    """

    def __init__(self, paired: Callable[[int, int], bool]) -> None:
        self._paired = paired
        self._coarse: dict[_Key, int] = {}  # of pairs
        self._selected: dict[tuple[str, int], Selected] = {}
        # Ports and channels whose parameters have 7 bits, so no fine half is awaited.
        self._coarse_only: set[tuple[str, int]] = set()
        self._waiting: dict[_Key, tuple[float, int]] = {}  # until when, and the coarse half

    def take(self, port: str, message: Message, now: float) -> list[Moved]:
        """The moves in a message; empty if no controller sent it.

        `due` returns coarse halves without a fine one; `forget_waiting` drops them.
        """
        channel = getattr(message, "channel", 0) + 1
        match message.type:
            case "control_change" if message.control == _RESET:
                self._selected.pop((port, channel), None)
            case "control_change":
                data = self._data_entry(port, channel, message.control, message.value, now)
                if data is not None:
                    return data
                return self._change(port, channel, message.control, message.value, now)
            case "pitchwheel":
                return [Moved(Source("bend", 0, channel), message.pitch + 8192, 14)]
            case "aftertouch":
                return [Moved(Source("pressure", 0, channel), message.value)]
            case "note_on" | "note_off":
                down = message.type == "note_on" and message.velocity > 0
                return [Moved(Source("note", message.note, channel), 127 * down, pressed=down)]
        return []

    def _change(self, port: str, channel: int, number: int, value: int, now: float) -> list[Moved]:
        moves = [Moved(Source("cc", number, channel), value)]
        if number < FINE and self._paired(channel, number):
            key = (port, Source("cc14", number, channel))
            self._coarse[key] = value
            self._waiting[key] = (now + _WAIT, value)
        elif FINE <= number < 2 * FINE and self._paired(channel, number - FINE):
            key = (port, Source("cc14", number - FINE, channel))
            coarse = self._coarse.get(key)
            self._waiting.pop(key, None)
            if coarse is not None:  # a fine half alone has no meaning yet
                moves.append(Moved(key[1], (coarse << 7) | value, 14))
        return moves

    def _data_entry(
        self, port: str, channel: int, number: int, value: int, now: float
    ) -> list[Moved] | None:
        """The moves of the selected parameter; None for an ordinary CC."""
        place = (port, channel)
        if number in SELECTORS:
            self._selected.setdefault(place, Selected()).select(number, value)
            return None
        selected = self._selected.get(place)
        parameter = selected.parameter if selected is not None else None
        if selected is None or parameter is None:
            return None
        source = Source(*parameter, channel)
        if number in (INCREMENT, DECREMENT):
            return [Moved(source, 0, steps=1 if number == INCREMENT else -1)]
        if number == COARSE:
            selected.coarse = value
            if place in self._coarse_only:
                return [Moved(source, value)]
            self._waiting[port, source] = (now + _WAIT, value)
            return []
        if number == FINE_DATA:
            self._waiting.pop((port, source), None)
            self._coarse_only.discard(place)
            coarse = selected.coarse  # None: a fine half alone says nothing yet
            return [] if coarse is None else [Moved(source, (coarse << 7) | value, 14)]
        return None

    def due(self, now: float) -> list[tuple[str, Moved]]:
        """Values without a fine half, with their ports."""
        late = [(key, value) for key, (until, value) in self._waiting.items() if until <= now]
        for (port, source), _ in late:
            del self._waiting[port, source]
            if source.kind != "cc14":
                self._coarse_only.add((port, source.channel))
        return [(port, Moved(source, value)) for (port, source), value in late]

    def forget_waiting(self, port: str) -> None:
        """Stop waiting for fine halves on this port."""
        self._waiting = {k: v for k, v in self._waiting.items() if k[0] != port}

    @property
    def next_due(self) -> float | None:
        """The time of the next `due` value."""
        return min((until for until, _ in self._waiting.values()), default=None)

    def forget(self, port: str) -> None:
        """Forget the state of a port that has disappeared."""
        self._coarse = {k: v for k, v in self._coarse.items() if k[0] != port}
        self._waiting = {k: v for k, v in self._waiting.items() if k[0] != port}
        self._selected = {k: v for k, v in self._selected.items() if k[0] != port}
        self._coarse_only = {place for place in self._coarse_only if place[0] != port}
