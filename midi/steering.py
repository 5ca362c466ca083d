"""MIDI controllers change controls: mappings, learning, takeover. Owned by the desk's thread.

`settle` sets all changes that arrived together. `kept` and `armed` are immutable values that any
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
from midi.learn import Learned, Learner
from midi.mapping import ACTIONS, ANY, Mapping, Source, checked_target, with_mode
from midi.message import Message
from midi.relative import steps_of
from midi.store import Kept
from midi.takeover import Takeover

__all__ = ["Steering"]

Actions = Names[str, Callable[[], object]]
_ON = 0.5  # value from which a controller counts as pressed: 64 of 127
_TRAVEL = 128  # steps of an encoder over the whole range of a continuous control


def _ignore(_: Kept) -> None:
    pass


class Steering:
    """Handles controller messages.

    Parameters
    ----------
    instrument : must be playing.
    say : called with one line for the performer.
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
        self.keep: Callable[[Kept], None] = _ignore
        self._by_source: dict[Source, list[Mapping]] = {}
        self._controllers = Controllers(self._is_pair)
        self._learner, self._takeover = Learner(), Takeover()
        self._watched: Learned | None = None  # learned last, while it may be an encoder
        self._before: dict[tuple[str, Mapping], float] = {}  # last values of buttons
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
        """The target that is being learned, or ""."""
        return self._learner.armed

    def check(self, target: str) -> None:
        """Any thread: check that a controller can be mapped to the target.

        Raises
        ------
        ConfigError
            It is neither an action nor a control with a position from 0 to 1.
        """
        if not target or target in ACTIONS:
            return
        table = self._instrument.settings.table
        if target in table and not table[target].has_position:
            raise ConfigError(
                f"midi: {target} is a {table[target].kind.replace('_', ' ')}, which a controller "
                "cannot change; choose a number, a switch, a choice or an action"
            )
        if not any(m.target == target for m in self.kept.mappings):
            table[checked_target(target)]

    def load(self, kept: Kept) -> None:
        """Use these mappings."""
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
        """Learn a controller for `target`; "" cancels."""
        self._learner.arm(target)
        self._say(f"move a controller for {target}" if target else "MIDI learn is off")

    def forget(self, target: str) -> None:
        """Remove the mapping of the target."""
        left = tuple(m for m in self.kept.mappings if m.target != target)
        self._change(replace(self.kept, mappings=left))
        self._say(f"mapping of {target} removed")

    def set_takeover(self, on: bool) -> None:
        """Set whether controllers have to reach their control's value first."""
        self._takeover.forget()
        self._change(replace(self.kept, takeover=on))
        self._say(f"soft takeover is {'on' if on else 'off'}")

    def set_mode(self, target: str, mode: str) -> None:
        """Set how the values of the target's controller are read.

        Raises
        ------
        ConfigError
            The mode does not exist or does not apply, or no controller is mapped.
        """
        self._watched = None
        self._change(replace(self.kept, mappings=with_mode(self.kept.mappings, target, mode)))
        self._say(f"the controller of {target} is read as {mode}")

    def forget_port(self, port: str) -> None:
        """Forget a port that has disappeared."""
        self._controllers.forget(port)
        self._takeover.forget()  # it may come back with other knob positions
        for key in [k for k in self._before if k[0] == port]:
            del self._before[key]

    def _learned(self, learned: Learned) -> None:
        """Map the controller to the target, and remove all other mappings of both."""
        source, target = learned.source, self._learner.armed
        self._learner.arm("")
        others = [m for m in self.kept.mappings if m.source != source and m.target != target]
        taken = [m.target for m in self.kept.mappings if m.source == source and m.target != target]
        encoder = learned.encoder if target not in ACTIONS else None
        mapping = Mapping(target, source, mode=encoder.mode if encoder else "absolute")
        self._watched = replace(learned, encoder=encoder) if encoder else None
        self._change(replace(self.kept, mappings=(*others, mapping)))
        instead = f", instead of {', '.join(taken)}" if taken else ""
        self._say(f"{mapping.controller} is mapped to {target}{instead}")

    def _watch(self, port: str, moved: Moved, now: float) -> None:
        """Check with further messages whether the controller learned last is an encoder."""
        learned = self._watched
        if learned is None or learned.encoder is None or learned.encoder.is_done:
            self._watched = None
            return
        if (port, moved.source) != (learned.port, learned.source) or moved.steps is not None:
            return
        before = learned.encoder.mode
        learned.encoder.take(moved.value, now)
        mode = learned.encoder.mode
        if mode != before:
            mappings = tuple(
                replace(m, mode=mode) if m.source == learned.source else m
                for m in self.kept.mappings
            )
            self._change(replace(self.kept, mappings=mappings))
            self._say(f"{learned.source} is read as {mode}")

    def _of(self, source: Source) -> list[Mapping]:
        everywhere = replace(source, channel=ANY)
        return [*self._by_source.get(source, ()), *self._by_source.get(everywhere, ())]

    def _is_pair(self, channel: int, number: int) -> bool:
        return bool(self._of(Source("cc14", number, channel)))

    # ------------------------------------------------------------------ messages

    def take(self, port: str, message: Message, now: float, *, is_duplicate: bool = False) -> bool:
        """Handle a message. Returns True if a mapped controller sent it; then it plays no key.

        A duplicate of another port's message updates only the state of its own port (positions of
        knobs, selected parameter), and no control.
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
        learned = self._learner.take(port, moved, now)
        if learned is not None:
            self._learned(learned)
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
        """When `settle` has to run next without a message."""
        dues = (self._learner.next_due, self._controllers.next_due)
        return min((d for d in dues if d is not None), default=None)

    def settle(self, now: float) -> None:
        """Set all controls that were changed."""
        learned = self._learner.due(now)
        if learned is not None:
            self._learned(learned)
        for port, moved in self._controllers.due(now):
            self._arrived(port, moved, now)
        wanted, self._wanted = self._wanted, {}
        if not wanted:
            return
        try:
            self._set(wanted)
        except AttaccaError:  # one by one, to find the failing one
            for name, value in wanted.items():
                self._one(name, value)

    def _set(self, values: dict[str, Value]) -> None:
        self._instrument.controls.set(values, MIDI)

    def _one(self, name: str, value: Value) -> None:
        try:
            self._set({name: value})
        except AttaccaError as error:
            key = (self._instrument.manifest.name, name)
            if key not in self._refused:  # once: a knob sends hundreds of messages
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
        """Whether a button was pressed. Some buttons send the same value with every press."""
        if moved.pressed is not None:
            return moved.pressed
        if moved.steps is not None:
            return moved.steps > 0
        key = (port, mapping)
        before, self._before[key] = self._before.get(key), moved.share
        return moved.share >= _ON and (before is None or before < _ON or before == moved.share)

    def _takes(self, port: str, mapping: Mapping, moved: Moved) -> bool:
        """Whether a knob has reached its control's value."""
        return self._takeover.takes(
            (port, mapping), self._control(mapping), _normalised_value(mapping, moved),
            self._value_at(mapping, moved), self._now(mapping.target),
            step=moved.step * abs(mapping.high - mapping.low), low=mapping.low, high=mapping.high,
        )  # fmt: skip

    def _step(self, mapping: Mapping, moved: Moved) -> None:
        """Move a control from its value by an encoder's steps; by whole values if it has few."""
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
        if isinstance(where, str):  # free: start in the middle
            where = (mapping.low + mapping.high) / 2
        place = where + steps * size * (1 if reach >= 0 else -1)
        low, high = sorted((mapping.low, mapping.high))
        self._wanted[mapping.target] = control.from_position(min(max(place, low), high))

    def _switch(self, mapping: Mapping) -> None:
        """Toggle a control between the two ends of the mapping's range by a key or pad."""
        control = self._control(mapping)
        where = control.to_position(self._now(mapping.target))
        low, high = mapping.low, mapping.high
        is_high = not isinstance(where, str) and abs(where - high) < abs(where - low)
        self._wanted[mapping.target] = control.from_position(low if is_high else high)

    def _has(self, mapping: Mapping) -> bool:
        """Whether the current pack has the control, and a controller can change it."""
        table = self._instrument.settings.table
        return mapping.target in table and table[mapping.target].has_position

    def _control(self, mapping: Mapping) -> Control:
        return self._instrument.settings.table[mapping.target]

    def _say_unused(self, target: str) -> None:
        pack = self._instrument.manifest.name
        if (pack, target) not in self._refused:  # once: a knob sends hundreds of messages
            self._refused.add((pack, target))
            self._say(f"{target}: pack {pack!r} does not have this control")

    def _value_at(self, mapping: Mapping, moved: Moved) -> Value:
        return self._control(mapping).from_position(_normalised_value(mapping, moved))

    def _now(self, name: str) -> Value:
        return self._wanted.get(name, self._instrument.settings[name])


def _is_relative(mapping: Mapping, moved: Moved) -> bool:
    return moved.steps is not None or mapping.mode != "absolute"


def _normalised_value(mapping: Mapping, moved: Moved) -> float:
    """The normalised value that a knob sets."""
    return mapping.low + moved.share * (mapping.high - mapping.low)
