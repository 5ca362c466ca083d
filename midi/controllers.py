"""From messages to moves: which controller stands where, from 0 to 1. Owned by the desk's thread.

A 7-bit value v stands at v/128 up to its middle 64 and in equal steps from there to 1, so that the
middle is the middle exactly (min-center-max scaling, MIDI 2.0 Bit Scaling and Resolution, M2-115);
14 bits likewise. Of a 14-bit pair the coarse half comes first (MIDI 1.0 Detailed Specification,
Control Change); the fine one is waited for, for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mido

from midi.mapping import Kind, Source

__all__ = ["FINE", "Controllers", "Moved", "share"]

FINE = 32  # a pair's fine half is so many numbers above the coarse one
_WAIT = 0.01  # seconds for the fine half


@dataclass(frozen=True)
class Moved:
    """A controller stands at `share`, 0 to 1, in steps of `step`.

    `pressed` is True for a key that went down and False for one that came up; None for the rest.
    """

    source: Source
    share: float
    step: float
    pressed: bool | None = None


def share(value: int, bits: int) -> float:
    """Where a value of so many bits stands from 0 to 1; its middle is at 0.5."""
    middle, top = 1 << (bits - 1), (1 << bits) - 1
    return value / (2 * middle) if value <= middle else 0.5 + (value - middle) / (top - middle) / 2


class Controllers:
    """Reads messages of all ports.

    Parameters
    ----------
    paired : answers whether on a channel (1 to 16) a CC is mapped as the coarse half of a pair.
    """

    def __init__(self, paired: Callable[[int, int], bool]) -> None:
        self._paired = paired
        self._coarse: dict[tuple[str, int, int], int] = {}
        self._waiting: dict[tuple[str, int, int], float] = {}

    def take(self, port: str, message: mido.Message, now: float) -> list[Moved]:
        """The moves in a message; none where it is no controller's."""
        match message.type:
            case "control_change":
                return self._change(port, message, now)
            case "pitchwheel":
                return [_moved("bend", message, message.pitch + 8192, 14)]
            case "aftertouch":
                return [_moved("pressure", message, message.value, 7)]
            case "note_on" | "note_off":
                down = message.type == "note_on" and message.velocity > 0
                source = Source("note", message.note, message.channel + 1)
                return [Moved(source, float(down), 1.0, down)]
        return []

    def _change(self, port: str, message: mido.Message, now: float) -> list[Moved]:
        number, channel = message.control, message.channel + 1
        moves = [_moved("cc", message, message.value, 7, number)]
        if number < FINE and self._paired(channel, number):
            key = (port, channel, number)
            self._coarse[key] = message.value
            self._waiting[key] = now + _WAIT
        elif FINE <= number < 2 * FINE and self._paired(channel, number - FINE):
            key = (port, channel, number - FINE)
            coarse = self._coarse.get(key)
            self._waiting.pop(key, None)
            if coarse is not None:  # a fine half alone says nothing yet
                moves.append(_pair(key, (coarse << 7) | message.value))
        return moves

    def due(self, now: float) -> list[tuple[str, Moved]]:
        """Pairs whose fine half did not come, with their ports: it is 0 then."""
        late = [key for key, at in self._waiting.items() if at <= now]
        for key in late:
            del self._waiting[key]
        return [(key[0], _pair(key, self._coarse[key] << 7)) for key in late]

    @property
    def next_due(self) -> float | None:
        """When `due` has something."""
        return min(self._waiting.values(), default=None)

    def forget(self, port: str) -> None:
        """A port is gone: what stood there is no longer known."""
        for table in (self._coarse, self._waiting):
            for key in [k for k in table if k[0] == port]:
                del table[key]


def _moved(kind: Kind, message: mido.Message, value: int, bits: int, number: int = 0) -> Moved:
    source = Source(kind, number, message.channel + 1)
    return Moved(source, share(value, bits), 1 / ((1 << bits) - 1))


def _pair(key: tuple[str, int, int], value: int) -> Moved:
    _, channel, number = key
    return Moved(Source("cc14", number, channel), share(value, 14), 1 / 16383)
