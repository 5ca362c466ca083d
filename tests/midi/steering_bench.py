"""A steering that tests feed with messages, on an instrument that plays into nothing."""

from __future__ import annotations

import mido

from engine.instrument import Instrument
from midi.mapping import ACTIONS, Mapping, Source
from midi.steering import Steering
from midi.store import Kept


class Bench:
    """A steering with a clock that is turned by hand."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.said: list[str] = []
        self.takes = 0
        self.saved: list[Kept] = []
        self.now = 100.0
        self.pressed: list[str] = []
        others = {name: lambda name=name: self.pressed.append(name) for name in ACTIONS[5:]}
        self.steering = Steering(
            instrument, self.said.append, {"record": self._record, **others}
        )  # fmt: skip
        self.steering.keep = self.saved.append

    def _record(self) -> None:
        self.takes += 1

    def map(self, *mappings: Mapping, takeover: bool = False) -> None:
        self.steering.load(Kept(mappings, takeover))

    def send(self, *messages: mido.Message, after: float = 0.001, port: str = "nano") -> list[bool]:
        used = []
        for message in messages:
            used.append(self.steering.take(port, message, self.now))
            self.steering.settle(self.now)
            self.now += after
        return used

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.steering.settle(self.now)

    def touch(self, *values: int, number: int = 16, after: float = 0.03) -> None:
        """One controller of channel 1 sends these values, so far apart."""
        self.send(*(cc(number, value) for value in values), after=after)

    def __getitem__(self, name: str):
        return self.instrument.settings[name]


def cc(number: int, value: int, channel: int = 1) -> mido.Message:
    return mido.Message("control_change", control=number, value=value, channel=channel - 1)


def note(pitch: int, velocity: int = 100, channel: int = 1) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, channel=channel - 1)


GAIN = Mapping("gain", Source("cc", 7, 1))
