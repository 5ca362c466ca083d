"""Controls over OSC: set, get, what is pending, and publishing every change.

A set is applied at once. The applied value is sent to the client that set it and to all other
subscribers. A subscriber that sends the value that a control already has receives nothing, so that
programs which repeat what they receive come to rest. A block control is followed by
`ADDRESS/pending value seconds` until it is audible, then by the same with 0 seconds.

Runs in the OSC thread. Changes arrive from the control bus, in any thread, and wait in a queue:
each is published, in order, to everybody but the client that caused it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from engine.controls.bus import Change, Origin
from engine.controls.control import Control, Value
from engine.controls.settings import Settings
from engine.errors import AttaccaError, ConfigError
from engine.instrument import Instrument
from osc.addresses import Address, AddressSpace, address_space, control_address
from osc.clients import Client, Clients
from osc.descriptions import description
from osc.packets import bundles, message
from osc.values import Wire, from_norm, from_osc, to_norm, to_osc

__all__ = ["Controls"]

_HEARD = 0.002  # seconds: nearer than that is heard


@dataclass(frozen=True)
class _Pending:
    """A block control that is set and not yet heard: where in the music it will be, in seconds.

    `asker` set it; it is told when that is heard, whether it subscribes or not.
    """

    value: Value
    mark: float
    asker: Client | None


@dataclass(frozen=True)
class _Asked:
    """What a message asks to set: values by the names of controls."""

    client: Client
    addresses: tuple[Address, ...]
    arguments: tuple[object, ...]
    values: Mapping[str, Value]


class Controls:
    """The controls of an instrument that is playing.

    Parameters
    ----------
    instrument : whose.
    clients : the subscribers.
    soon : calls a function in the OSC thread, from any thread.
    """

    def __init__(
        self,
        instrument: Instrument,
        clients: Clients,
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        self._instrument, self._clients, self._soon = instrument, clients, soon
        self._thread = threading.get_ident()
        self._changes: deque[Change] = deque()
        self._applying = False
        self._known: Settings = instrument.settings
        self.moved: Callable[[AddressSpace, AddressSpace], None] = _nothing
        self._remove = instrument.controls.listen(self._take_change)
        self._pending: dict[str, _Pending] = {}
        self._asked: list[_Asked] = []
        self._rendered: Collection[str] = ()
        self._live = 0.0  # seconds from the mixer to the ear, as it was looked at last

    def close(self) -> None:
        """Listen no longer."""
        self._remove()

    @property
    def space(self) -> AddressSpace:
        """The addresses of the controls as they were published last."""
        return address_space(self._known.table)

    # ------------------------------------------------------------------ in

    def message(
        self, client: Client, addresses: Sequence[Address], arguments: Sequence[object]
    ) -> None:
        """Take note of what to set at `addresses`, or without an argument tell their values.

        What is noted is set by `settle`.

        Raises
        ------
        ConfigError
            The value cannot be used by any of them.
        """
        if not arguments:
            for address in addresses:
                self._clients.answer(client, address.path, *self._wire(address, self._known_now()))
            return
        values: dict[str, Value] = {}
        problem: ConfigError | None = None
        for address in addresses:
            control = self._known.table[address.param]
            try:
                values[control.name] = _taken(control, address, arguments)
            except ConfigError as error:
                problem = error
        if problem is not None and not values:
            raise problem
        self._asked.append(_Asked(client, tuple(addresses), tuple(arguments), values))

    def settle(self) -> list[tuple[str, AttaccaError]]:
        """Set all that was noted, in one go, so that one block hears all of a bundle.

        Returns the address and the error of each that could not be set; the others are.
        """
        asked, self._asked = self._asked, []
        if not asked:
            return []
        errors: list[tuple[str, AttaccaError]] = []
        together = {name: value for one in asked for name, value in one.values.items()}
        try:
            changed = self.apply(together, asked[0].client)
        except AttaccaError:  # one by one, to find whose it is
            changed = {}
            for one in list(asked):
                try:
                    changed |= self.apply(one.values, one.client)
                except AttaccaError as error:
                    asked.remove(one)
                    errors.append((one.addresses[0].path, error))
        for one in asked:
            self._answer(one, changed)
        self._clients.flush()
        return errors

    def _answer(self, asked: _Asked, changed: Mapping[str, Value]) -> None:
        """Tell whoever set controls what they are now; not a subscriber who changed nothing."""
        client = asked.client
        for address in asked.addresses:
            if address.param not in asked.values or address.param not in self._known.table:
                continue
            applied = self._wire(address, self._known)
            control = self._known.table[address.param]
            is_changed = (control.part_of or control.name) in changed
            held_already = not is_changed and applied == asked.arguments
            if not (held_already and address.path in client.wanted):
                self._clients.answer(client, address.path, *applied)
                if address.when == "block":
                    self._answer_pending(client, address)

    def apply(self, values: Mapping[str, Value], client: Client) -> Mapping[str, Value]:
        """Set controls by name, as `client`. Returns what has changed, as applied.

        Raises
        ------
        AttaccaError
            The pack does not use one of them; nothing is changed.
        """
        origin = Origin("osc", client.target)
        self._applying = True
        try:
            change = self._instrument.controls.set(values, origin, planned=self._rendered)
        finally:
            self._applying = False
        self.publish()
        return change.new

    @contextmanager
    def rendered(self, names: Collection[str]) -> Generator[None]:
        """Within it, these controls are only noted: the mixer has been told when they begin."""
        self._rendered = names
        try:
            yield
        finally:
            self._rendered = ()

    # ------------------------------------------------------------------ out

    def value(self, address: Address) -> tuple[Wire, ...]:
        """What a control, or its twin, holds now."""
        return self._wire(address, self._known_now())

    def dump(self, client: Client) -> None:
        """All controls in bundles, then how many there were."""
        settings = self._known_now()
        values = [
            message(a.path, *self._wire(a, settings))
            for a in self.space.addresses if a.kind == "control"
        ]  # fmt: skip
        for data in bundles(values):
            self._clients.answer_raw(client, data)
        self._clients.answer(client, "/dump/end", len(values))

    def describe(self, client: Client) -> None:
        """What every control is, so that a program can show controls that it has never seen."""
        table = self._known_now().table
        for data in bundles(
            message("/controls/info", control_address(control.name), description(control))
            for control in table
        ):
            self._clients.answer_raw(client, data)
        self._clients.answer(client, "/controls/end", len(table))

    def watch(self) -> None:
        """Publish which block controls have become audible. Call some times a second."""
        if self._pending:
            # Music that was generated already may have been dropped: what is set begins sooner.
            soonest = self._instrument.horizon()[1]
            for name, pending in self._pending.items():
                if pending.mark > soonest:
                    self._pending[name] = replace(pending, mark=soonest)
            self._live = self._instrument.latencies().live
            for name, left in list(self._waiting()):
                if left <= _HEARD:
                    done = self._pending.pop(name)
                    self._tell_pending(name, done.value, 0.0, None)
                    asker, address = done.asker, self.space.of(name)
                    if asker is not None and address.path not in asker.wanted:
                        self._answer_pending(asker, address)
        self._clients.flush()

    def _take_change(self, change: Change) -> None:
        """Any thread: queue a change; `apply` publishes its own."""
        self._changes.append(change)
        if not self._applying or threading.get_ident() != self._thread:
            self._soon(self._publish_now)

    def _publish_now(self) -> None:
        self.publish()
        self._clients.flush()

    def publish(self) -> None:
        """Publish the changes that wait, in their order."""
        while self._changes:
            change = self._changes.popleft()
            before, self._known = self._known, change.settings
            if change.settings.table is not before.table:
                self._move(address_space(before.table))
            self._tell(_with_parts(change), self._clients.of(change.origin.client))

    def _move(self, before: AddressSpace) -> None:
        """The controls are others now: tell whoever listens to some."""
        self._pending = {n: p for n, p in self._pending.items() if n in self._known.table}
        self._clients.move_to(self.space)
        for client in self._clients.all():
            if client.patterns:
                count = len(self._known.table)
                self._clients.answer(client, "/controls/changed", count)
        self.moved(before, self.space)

    def _known_now(self) -> Settings:
        """All controls, after everything that changed them has been published."""
        self.publish()
        return self._known

    def _tell(self, changed: Mapping[str, Value], but: Client | None) -> None:
        """Publish values; for block controls also when they will be audible."""
        mark = self._instrument.horizon()[1]
        for name, value in changed.items():
            address, control = self.space.of(name), self._known.table[name]
            self._clients.publish(address.path, address.path, *to_osc(control, value), but=but)
            if control.has_position:
                norm = address.path + "/norm"
                self._clients.publish(norm, norm, to_norm(control, value), but=but)
            if address.when == "block":
                self._pending[name] = _Pending(value, mark, but)
        for name in changed:
            if name in self._pending:
                self._tell_pending(name, changed[name], self._left(name), but)

    def _waiting(self) -> Iterator[tuple[str, float]]:
        """Seconds until each control that is pending is heard."""
        played = self._instrument.horizon()[0] - self._live
        for name, pending in self._pending.items():
            yield name, max(0.0, pending.mark - played)

    def _left(self, name: str) -> float:
        """Seconds until one control is heard; 0 when it is."""
        pending = self._pending.get(name)
        if pending is None:
            return 0.0
        return max(0.0, pending.mark - self._instrument.horizon()[0] + self._live)

    def _tell_pending(self, name: str, value: Value, left: float, but: Client | None) -> None:
        path = self.space.of(name).path
        wire = to_osc(self._known.table[name], value)
        self._clients.publish(path, path + "/pending", *wire, float(left), but=but)

    def _answer_pending(self, client: Client, address: Address) -> None:
        """Tell the sender of a block control when it will be audible."""
        left = self._left(address.param)
        control = self._known.table[address.param]
        path = self.space.of(control.name).path
        wire = to_osc(control, self._known[control.name])
        self._clients.answer(client, path + "/pending", *wire, float(left))

    def _wire(self, address: Address, settings: Settings) -> tuple[Wire, ...]:
        control = settings.table[address.param]
        value = settings[control.name]
        if address.kind == "norm":
            return (to_norm(control, value),)
        return to_osc(control, value)


def _taken(control: Control, address: Address, arguments: Sequence[object]) -> Value:
    if address.kind != "norm":
        return from_osc(control, arguments)
    if len(arguments) > 1:
        raise ConfigError(f"{address.path}: {len(arguments)} values; it takes one")
    return from_norm(control, arguments[0])


def _with_parts(change: Change) -> dict[str, Value]:
    """The values that changed, and those of the parts that changed, by full names."""
    values: dict[str, Value] = {}
    for name, value in change.new.items():
        values[name] = value
        for part in change.settings.table[name].parts:
            old, new = (_weight(v, part.index) for v in (change.old[name], value))
            if old != new:
                values[part.name] = new
    return values


def _weight(value: Value, index: int) -> Value:
    return value[index] if isinstance(value, tuple) else 0.0  # type: ignore[return-value]


def _nothing(_: AddressSpace, __: AddressSpace) -> None:
    pass
