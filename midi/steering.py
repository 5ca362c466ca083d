"""Controllers move controls: mappings, learning, takeover. Owned by the desk's thread.

What came in together is set at once by `settle`. `kept` and `armed` are immutable values that any
thread may read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Mapping as Names
from dataclasses import replace

from engine.controls.bus import MIDI
from engine.controls.control import Control, Value
from engine.errors import AttaccaError, ConfigError
from engine.instrument import Instrument
from engine.time.quantised_actions import RESET, Part, until_block
from midi.controllers import Controllers, Moved
from midi.learn import Learner, Learnt
from midi.mapping import ACTIONS, ANY, Mapping, Source, checked_target, with_mode
from midi.message import Message
from midi.relative import steps_of
from midi.store import Kept
from midi.takeover import Takeover

__all__ = ["Steering"]

Actions = Names[str, Callable[[], object]]
_ON = 0.5  # from here on a controller presses a button: 64 of 127
_TRAVEL = 128  # steps of an encoder through the whole range of a continuous control


def _nobody(_: Kept) -> None:
    pass


class Steering:
    """Acts on messages.

    Parameters
    ----------
    instrument : playing.
    say : told in one line what a performer should know.
    actions : what the other names of `ACTIONS` do; none may wait.
    """

    def __init__(
        self,
        instrument: Instrument,
        say: Callable[[str], None],
        actions: Actions,
    ) -> None:
        self._instrument, self._say = instrument, say
        self.kept = Kept()
        self.keep: Callable[[Kept], None] = _nobody
        self._by_source: dict[Source, list[Mapping]] = {}
        self._controllers = Controllers(self._is_pair)
        self._learner, self._takeover = Learner(), Takeover()
        self._watched: Learnt | None = None  # what was learnt last, while it may be an encoder
        self._before: dict[tuple[str, Mapping], float] = {}  # where buttons stood
        self._wanted: dict[str, Value] = {}
        self._refused: set[tuple[str, str]] = set()
        self._actions: dict[str, Callable[[], object]] = {
            "play": lambda: self._set({"pause": False}),
            "stop": lambda: self._set({"pause": True}),
            "panic": instrument.panic,
            "reset": lambda: instrument.quantised_actions.at(
                RESET, Part(instrument.new_piece, lambda: until_block(instrument))
            ),
            **actions,
        }

    # ------------------------------------------------------------------ mappings

    @property
    def armed(self) -> str:
        """What is being learnt, or ""."""
        return self._learner.armed

    def check(self, target: str) -> None:
        """Any thread: refuse what a controller cannot move.

        Raises
        ------
        ConfigError
            It is neither an action nor a control that has a position from 0 to 1.
        """
        if not target or target in ACTIONS:
            return
        table = self._instrument.settings.table
        if target in table and not table[target].has_position:
            raise ConfigError(
                f"midi: {target} is a {table[target].kind.replace('_', ' ')}, which a controller "
                "cannot move; choose a number, a switch, a choice or an action"
            )
        if not any(m.target == target for m in self.kept.mappings):
            table[checked_target(target)]

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

    def set_mode(self, target: str, mode: str) -> None:
        """How the values of what moves `target` are read.

        Raises
        ------
        ConfigError
            There is no such mode for it, or no controller moves it.
        """
        self._watched = None
        self._change(replace(self.kept, mappings=with_mode(self.kept.mappings, target, mode)))
        self._say(f"the controller of {target} is read as {mode}")

    def forget_port(self, port: str) -> None:
        """A port is gone."""
        self._controllers.forget(port)
        self._takeover.forget()  # it may come back with its knobs elsewhere
        for key in [k for k in self._before if k[0] == port]:
            del self._before[key]

    def _learnt(self, learnt: Learnt) -> None:
        """The controller moves this target from now on and no other, and nothing else moves it."""
        source, target = learnt.source, self._learner.armed
        self._learner.arm("")
        others = [m for m in self.kept.mappings if m.source != source and m.target != target]
        taken = [m.target for m in self.kept.mappings if m.source == source and m.target != target]
        encoder = learnt.encoder if target not in ACTIONS else None
        mapping = Mapping(target, source, mode=encoder.mode if encoder else "absolute")
        self._watched = replace(learnt, encoder=encoder) if encoder else None
        self._change(replace(self.kept, mappings=(*others, mapping)))
        instead = f", no longer {', '.join(taken)}" if taken else ""
        self._say(f"{mapping.controller} moves {target}{instead}")

    def _watch(self, port: str, moved: Moved, now: float) -> None:
        """Find out from its next messages whether the controller learnt last is an encoder."""
        learnt = self._watched
        if learnt is None or learnt.encoder is None or learnt.encoder.is_done:
            self._watched = None
            return
        if (port, moved.source) != (learnt.port, learnt.source) or moved.steps is not None:
            return
        before = learnt.encoder.mode
        learnt.encoder.take(moved.value, now)
        mode = learnt.encoder.mode
        if mode != before:
            mappings = tuple(
                replace(m, mode=mode) if m.source == learnt.source else m
                for m in self.kept.mappings
            )
            self._change(replace(self.kept, mappings=mappings))
            self._say(f"{learnt.source} is read as {mode}")

    def _of(self, source: Source) -> list[Mapping]:
        everywhere = replace(source, channel=ANY)
        return [*self._by_source.get(source, ()), *self._by_source.get(everywhere, ())]

    def _is_pair(self, channel: int, number: int) -> bool:
        return bool(self._of(Source("cc14", number, channel)))

    # ------------------------------------------------------------------ messages

    def take(self, port: str, message: Message, now: float, *, is_duplicate: bool = False) -> bool:
        """Act on a message. True when it was a controller's: it plays no key then.

        A duplicate of a message of another port changes what is known of its own port (where its
        knobs stand, which parameter is selected), and no control.
        """
        used = False
        for moved in self._controllers.take(port, message, now):
            if is_duplicate:
                used |= self._pass_over(port, moved)
            else:
                used |= self._arrived(port, moved, now)
        if is_duplicate:
            self._controllers.forget_waiting(port)
        return used

    def _arrived(self, port: str, moved: Moved, now: float) -> bool:
        learnt = self._learner.take(port, moved, now)
        if learnt is not None:
            self._learnt(learnt)
            return True
        self._watch(port, moved, now)
        return self._moved(port, moved)

    def _pass_over(self, port: str, moved: Moved) -> bool:
        mappings = self._of(moved.source)
        for mapping in mappings:
            if mapping.target in ACTIONS:
                self._is_pressed(port, mapping, moved)
            elif not self._has(mapping):
                continue
            elif moved.pressed is None and not _is_relative(mapping, moved):
                self._takes(port, mapping, moved)
        return bool(mappings)

    @property
    def next_due(self) -> float | None:
        """When `settle` has something to do, if nothing comes in."""
        dues = (self._learner.next_due, self._controllers.next_due)
        return min((d for d in dues if d is not None), default=None)

    def settle(self, now: float) -> None:
        """Set all that was moved."""
        learnt = self._learner.due(now)
        if learnt is not None:
            self._learnt(learnt)
        for port, moved in self._controllers.due(now):
            self._arrived(port, moved, now)
        wanted, self._wanted = self._wanted, {}
        if not wanted:
            return
        try:
            self._set(wanted)
        except AttaccaError:  # one by one, to find which
            for name, value in wanted.items():
                self._one(name, value)

    def _set(self, values: dict[str, Value]) -> None:
        self._instrument.controls.set(values, MIDI)

    def _one(self, name: str, value: Value) -> None:
        try:
            self._set({name: value})
        except AttaccaError as error:
            key = (self._instrument.manifest.name, name)
            if key not in self._refused:  # once: a knob sends a hundred
                self._refused.add(key)
                self._say(str(error))

    def _moved(self, port: str, moved: Moved) -> bool:
        mappings = self._of(moved.source)
        for mapping in mappings:
            if mapping.target in ACTIONS:
                if self._is_pressed(port, mapping, moved):
                    self._actions[mapping.target]()
            elif not self._has(mapping):
                self._say_unused(mapping.target)
            elif self._control(mapping).kind == "action":
                if self._is_pressed(port, mapping, moved):
                    self._wanted[mapping.target] = True
            elif moved.pressed is not None:
                if moved.pressed:
                    self._switch(mapping)
            elif _is_relative(mapping, moved):
                self._step(mapping, moved)
            elif self._takes(port, mapping, moved):
                self._wanted[mapping.target] = self._value_at(mapping, moved)
        return bool(mappings)

    def _is_pressed(self, port: str, mapping: Mapping, moved: Moved) -> bool:
        """Whether a button went down. Some send only that, the same again and again."""
        if moved.pressed is not None:
            return moved.pressed
        if moved.steps is not None:
            return moved.steps > 0
        key = (port, mapping)
        before, self._before[key] = self._before.get(key), moved.share
        return moved.share >= _ON and (before is None or before < _ON or before == moved.share)

    def _takes(self, port: str, mapping: Mapping, moved: Moved) -> bool:
        """Whether a knob has met its control."""
        return self._takeover.takes(
            (port, mapping), self._control(mapping), _place_of(mapping, moved),
            self._value_at(mapping, moved), self._now(mapping.target),
            step=moved.step * abs(mapping.high - mapping.low), low=mapping.low, high=mapping.high,
        )  # fmt: skip

    def _step(self, mapping: Mapping, moved: Moved) -> None:
        """An encoder moves a control from where it is, a whole value a step where it has few."""
        control = self._control(mapping)
        steps = moved.steps
        if steps is None:
            steps = steps_of(moved.value, moved.bits, mapping.mode)
        reach = mapping.high - mapping.low
        if control.kind == "number":
            size = abs(reach) / _TRAVEL
        elif control.kind == "whole":
            size = 1 / (control.high - control.low)
        else:
            size = 1 / max(1, len(control.choices) - 1)
        where = control.to_position(self._now(mapping.target))
        if isinstance(where, str):  # left to the music: it begins in the middle
            where = (mapping.low + mapping.high) / 2
        place = where + steps * size * (1 if reach >= 0 else -1)
        low, high = sorted((mapping.low, mapping.high))
        self._wanted[mapping.target] = control.from_position(min(max(place, low), high))

    def _switch(self, mapping: Mapping) -> None:
        """A key or pad puts a control to one end of the mapping's reach and back to the other."""
        control = self._control(mapping)
        where = control.to_position(self._now(mapping.target))
        low, high = mapping.low, mapping.high
        is_high = not isinstance(where, str) and abs(where - high) < abs(where - low)
        self._wanted[mapping.target] = control.from_position(low if is_high else high)

    def _has(self, mapping: Mapping) -> bool:
        """Whether the pack that plays has the control, and a controller can move it."""
        table = self._instrument.settings.table
        return mapping.target in table and table[mapping.target].has_position

    def _control(self, mapping: Mapping) -> Control:
        return self._instrument.settings.table[mapping.target]

    def _say_unused(self, target: str) -> None:
        pack = self._instrument.manifest.name
        if (pack, target) not in self._refused:  # once: a knob sends a hundred
            self._refused.add((pack, target))
            self._say(f"{target}: pack {pack!r} does not have this control")

    def _value_at(self, mapping: Mapping, moved: Moved) -> Value:
        return self._control(mapping).from_position(_place_of(mapping, moved))

    def _now(self, name: str) -> Value:
        return self._wanted.get(name, self._instrument.settings[name])


def _is_relative(mapping: Mapping, moved: Moved) -> bool:
    return moved.steps is not None or mapping.mode != "absolute"


def _place_of(mapping: Mapping, moved: Moved) -> float:
    """Where a knob puts its control, from 0 to 1."""
    return mapping.low + moved.share * (mapping.high - mapping.low)
