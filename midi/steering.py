"""Controllers move controls: mappings, learning, takeover. Owned by the desk's thread.

Every change that came in together is set in one `Instrument.set` by `settle`. `kept` and `armed`
are immutable values that any thread may read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import mido

from engine.controls.bus import MIDI
from engine.errors import AttaccaError
from engine.instrument import Instrument
from engine.norm import from_norm, to_norm
from engine.params import Value, param
from engine.punches import RESET, Part, until_block
from midi.controllers import Controllers, Moved
from midi.learn import Learner
from midi.mapping import ACTIONS, ANY, Mapping, Source, checked_target
from midi.store import Kept
from midi.takeover import Takeover

__all__ = ["Steering"]

_ON = 0.5  # from here on a controller presses a button: 64 of 127


def _nobody(_: Kept) -> None:
    pass


class Steering:
    """Acts on messages.

    Parameters
    ----------
    instrument : playing.
    say : told in one line what a performer should know.
    record : begins or ends a take; it must not wait.
    """

    def __init__(
        self, instrument: Instrument, say: Callable[[str], None], record: Callable[[], None]
    ) -> None:
        self._instrument, self._say = instrument, say
        self.kept = Kept()
        self.keep: Callable[[Kept], None] = _nobody
        self._by_source: dict[Source, list[Mapping]] = {}
        self._controllers = Controllers(self._is_pair)
        self._learner, self._takeover = Learner(), Takeover()
        self._before: dict[tuple[str, Mapping], float] = {}  # where buttons stood
        self._wanted: dict[str, Value] = {}
        self._refused: set[tuple[str, str]] = set()
        self._actions: dict[str, Callable[[], object]] = {
            "play": lambda: instrument.controls.set({"pause": False}, MIDI),
            "stop": lambda: instrument.controls.set({"pause": True}, MIDI),
            "panic": instrument.panic,
            "reset": lambda: instrument.punches.at(
                RESET, Part(instrument.new_piece, lambda: until_block(instrument))
            ),
            "record": record,
        }

    # ------------------------------------------------------------------ mappings

    @property
    def armed(self) -> str:
        """What is being learnt, or ""."""
        return self._learner.armed

    @staticmethod
    def check(target: str) -> None:
        """Any thread: refuse what is no target.

        Raises
        ------
        ConfigError
            It is neither a control nor an action.
        """
        if target:
            checked_target(target)

    def load(self, kept: Kept) -> None:
        """Take these mappings."""
        self.kept = kept
        self._takeover.on = kept.takeover
        table: dict[Source, list[Mapping]] = defaultdict(list)
        for mapping in kept.mappings:
            table[mapping.source].append(mapping)
        self._by_source = dict(table)

    def _change(self, kept: Kept) -> None:
        self.load(kept)
        self.keep(kept)

    def arm(self, target: str) -> None:
        """Learn a controller for `target`; "" learns none."""
        self._learner.arm(target)
        self._say(f"move a controller for {target}" if target else "learning nothing")

    def forget(self, target: str) -> None:
        """Nothing moves it any more."""
        left = tuple(m for m in self.kept.mappings if m.target != target)
        self._change(replace(self.kept, mappings=left))
        self._say(f"nothing moves {target} any more")

    def set_takeover(self, on: bool) -> None:
        """Whether controllers have to meet their controls first."""
        self._takeover.forget()
        self._change(replace(self.kept, takeover=on))
        self._say(f"soft takeover is {'on' if on else 'off'}")

    def forget_port(self, port: str) -> None:
        """A port is gone."""
        self._controllers.forget(port)
        self._takeover.forget()  # it may come back with its knobs elsewhere
        for key in [k for k in self._before if k[0] == port]:
            del self._before[key]

    def _learnt(self, source: Source) -> None:
        """The controller moves this target from now on and no other, and nothing else moves it."""
        target = self._learner.armed
        self._learner.arm("")
        others = [m for m in self.kept.mappings if m.source != source and m.target != target]
        taken = [m.target for m in self.kept.mappings if m.source == source and m.target != target]
        self._change(replace(self.kept, mappings=(*others, Mapping(target, source))))
        instead = f", no longer {', '.join(taken)}" if taken else ""
        self._say(f"{source} moves {target}{instead}")

    def _of(self, source: Source) -> list[Mapping]:
        everywhere = replace(source, channel=ANY)
        return [*self._by_source.get(source, ()), *self._by_source.get(everywhere, ())]

    def _is_pair(self, channel: int, number: int) -> bool:
        return bool(self._of(Source("cc14", number, channel)))

    # ------------------------------------------------------------------ messages

    def take(self, port: str, message: mido.Message, now: float) -> bool:
        """Act on a message. True when it was a controller's: it plays no key then."""
        if self._learner.armed:
            source = self._learner.take(port, message, now)
            if source is not None:
                self._learnt(source)
                return True
        used = False
        for moved in self._controllers.take(port, message, now):
            used |= self._moved(port, moved)
        return used

    @property
    def next_due(self) -> float | None:
        """When `settle` has something to do, if nothing comes in."""
        dues = (self._learner.next_due, self._controllers.next_due)
        return min((d for d in dues if d is not None), default=None)

    def settle(self, now: float) -> None:
        """Set all that was moved."""
        source = self._learner.due(now)
        if source is not None:
            self._learnt(source)
        for port, moved in self._controllers.due(now):
            self._moved(port, moved)
        wanted, self._wanted = self._wanted, {}
        if not wanted:
            return
        try:
            self._instrument.controls.set(wanted, MIDI)
        except AttaccaError:  # one by one, to find which
            for name, value in wanted.items():
                self._one(name, value)

    def _one(self, name: str, value: Value) -> None:
        try:
            self._instrument.controls.set({name: value}, MIDI)
        except AttaccaError as error:
            key = (self._instrument.manifest.name, name)
            if key not in self._refused:  # once: a knob sends a hundred
                self._refused.add(key)
                self._say(str(error))

    def _moved(self, port: str, moved: Moved) -> bool:
        mappings = self._of(moved.source)
        for mapping in mappings:
            if mapping.target in ACTIONS:
                if self._pressed(port, mapping, moved):
                    self._actions[mapping.target]()
            elif moved.pressed is None:
                self._turn(port, mapping, moved)
            elif moved.pressed:
                self._switch(mapping)
        return bool(mappings)

    def _pressed(self, port: str, mapping: Mapping, moved: Moved) -> bool:
        """Whether a button went down. Some send only that, the same again and again."""
        if moved.pressed is not None:
            return moved.pressed
        key = (port, mapping)
        before, self._before[key] = self._before.get(key), moved.share
        return moved.share >= _ON and (before is None or before < _ON or before == moved.share)

    def _turn(self, port: str, mapping: Mapping, moved: Moved) -> None:
        control = param(mapping.target)
        reach = mapping.high - mapping.low
        place = mapping.low + moved.share * reach
        value = from_norm(control, place)
        may = self._takeover.takes(
            (port, mapping), control, place, value, self._now(mapping.target),
            step=moved.step * abs(reach), low=mapping.low, high=mapping.high,
        )  # fmt: skip
        if may:
            self._wanted[mapping.target] = value

    def _switch(self, mapping: Mapping) -> None:
        """A key or pad puts a control to one end of the mapping's reach and back to the other."""
        control = param(mapping.target)
        where = to_norm(control, self._now(mapping.target))
        low, high = mapping.low, mapping.high
        is_high = not isinstance(where, str) and abs(where - high) < abs(where - low)
        self._wanted[mapping.target] = from_norm(control, low if is_high else high)

    def _now(self, name: str) -> Value:
        return self._wanted.get(name, self._instrument.settings[name])
