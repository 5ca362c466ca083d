"""Controls over OSC: set, get, what is pending, and publishing every change.

A set is applied at once. The applied value is sent to the client that set it and to all other
subscribers. A subscriber that sends the value that a control already has receives nothing, so that
two programs that echo each other stop. A block control is followed by
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
from osc.address import Address
from osc.addresses import AddressSpace, address_space, control_address
from osc.clients import Client, Clients
from osc.descriptions import description
from osc.packets import bundles, message
from osc.values import Wire, from_normalised, from_osc, to_normalised, to_osc

__all__ = ["Controls"]

_AUDIBLE = 0.002  # seconds: closer than this counts as audible


@dataclass(frozen=True)
class _Pending:
    """A block control that is set and not yet audible; `mark`: its position in seconds of music.

    `sender` set it and is notified when it is audible, with or without a subscription.
    """

    value: Value
    mark: float
    sender: Client | None


@dataclass(frozen=True)
class _Requested:
    """The values that a message sets, by the names of controls."""

    client: Client
    addresses: tuple[Address, ...]
    arguments: tuple[object, ...]
    values: Mapping[str, Value]


class Controls:
    """The controls of an instrument that is playing.

    Parameters
    ----------
    instrument : must be playing.
    clients : the subscribers.
    soon : runs a function in the OSC thread, from any thread.
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
        self._requested: list[_Requested] = []
        self._rendered: Collection[str] = ()
        self._live = 0.0  # last known seconds from the mixer to the output

    def close(self) -> None:
        """Stop listening to changes."""
        self._remove()

    @property
    def space(self) -> AddressSpace:
        """The addresses of the controls, as last published."""
        return address_space(self._known.table)

    # ------------------------------------------------------------------ in

    def message(
        self, client: Client, addresses: Sequence[Address], arguments: Sequence[object]
    ) -> None:
        """Queue values for `addresses`, or without an argument answer with their values.

        `settle` sets the queued values.

        Raises
        ------
        ConfigError
            None of the addresses can use the value.
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
                values[control.name] = _converted(control, address, arguments)
            except ConfigError as error:
                problem = error
        if problem is not None and not values:
            raise problem
        self._requested.append(_Requested(client, tuple(addresses), tuple(arguments), values))

    def settle(self) -> list[tuple[str, AttaccaError]]:
        """Set all queued values together, so that one bundle applies to one block.

        Returns the address and the error of each message that failed.
        """
        requested, self._requested = self._requested, []
        if not requested:
            return []
        errors: list[tuple[str, AttaccaError]] = []
        together = {name: value for one in requested for name, value in one.values.items()}
        try:
            changed = self.apply(together, requested[0].client)
        except AttaccaError:  # one by one, to find the failing one
            changed = {}
            for one in list(requested):
                try:
                    changed |= self.apply(one.values, one.client)
                except AttaccaError as error:
                    requested.remove(one)
                    errors.append((one.addresses[0].path, error))
        for one in requested:
            self._answer(one, changed)
        self._clients.flush()
        return errors

    def _answer(self, requested: _Requested, changed: Mapping[str, Value]) -> None:
        """Send the applied values to the sender; not to a subscriber that changed nothing."""
        client = requested.client
        for address in requested.addresses:
            if address.param not in requested.values or address.param not in self._known.table:
                continue
            applied = self._wire(address, self._known)
            control = self._known.table[address.param]
            is_changed = (control.part_of or control.name) in changed
            unchanged = not is_changed and applied == requested.arguments
            if not (unchanged and address.path in client.wanted):
                self._clients.answer(client, address.path, *applied)
                if address.when == "block":
                    self._answer_pending(client, address)

    def apply(self, values: Mapping[str, Value], client: Client) -> Mapping[str, Value]:
        """Set controls by name for `client`. Returns the applied changes.

        Raises
        ------
        AttaccaError
            The pack does not use one of them; nothing changes.
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
        """Within it, these controls are only stored: the mixer already knows when they begin."""
        self._rendered = names
        try:
            yield
        finally:
            self._rendered = ()

    # ------------------------------------------------------------------ out

    def value(self, address: Address) -> tuple[Wire, ...]:
        """The current value of a control, or its normalised value."""
        return self._wire(address, self._known_now())

    def dump(self, client: Client) -> None:
        """Send all controls in bundles, then their number."""
        settings = self._known_now()
        values = [
            message(a.path, *self._wire(a, settings))
            for a in self.space.addresses if a.kind == "control"
        ]  # fmt: skip
        for data in bundles(values):
            self._clients.answer_raw(client, data)
        self._clients.answer(client, "/dump/end", len(values))

    def describe(self, client: Client) -> None:
        """Describe every control, so that a program can show controls it has never seen."""
        table = self._known_now().table
        for data in bundles(
            message("/controls/info", control_address(control.name), description(control))
            for control in table
        ):
            self._clients.answer_raw(client, data)
        self._clients.answer(client, "/controls/end", len(table))

    def watch(self) -> None:
        """Publish which block controls have become audible. Call several times a second."""
        if self._pending:
            # Music that was generated already may have been dropped: what is set begins sooner.
            soonest = self._instrument.horizon()[1]
            for name, pending in self._pending.items():
                if pending.mark > soonest:
                    self._pending[name] = replace(pending, mark=soonest)
            self._live = self._instrument.latencies().live
            for name, left in list(self._waiting()):
                if left <= _AUDIBLE:
                    done = self._pending.pop(name)
                    self._publish_pending(name, done.value, 0.0, None)
                    sender, address = done.sender, self.space.of(name)
                    if sender is not None and address.path not in sender.wanted:
                        self._answer_pending(sender, address)
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
            self._publish_values(_with_parts(change), self._clients.of(change.origin.client))

    def _move(self, before: AddressSpace) -> None:
        """Notify subscribers that the table of controls has changed."""
        self._pending = {n: p for n, p in self._pending.items() if n in self._known.table}
        self._clients.move_to(self.space)
        for client in self._clients.all():
            if client.patterns:
                count = len(self._known.table)
                self._clients.answer(client, "/controls/changed", count)
        self.moved(before, self.space)

    def _known_now(self) -> Settings:
        """All controls, after publishing every change that waits."""
        self.publish()
        return self._known

    def _publish_values(self, changed: Mapping[str, Value], but: Client | None) -> None:
        """Publish values; for block controls also when they will be audible."""
        mark = self._instrument.horizon()[1]
        for name, value in changed.items():
            address, control = self.space.of(name), self._known.table[name]
            self._clients.publish(address.path, address.path, *to_osc(control, value), but=but)
            if control.has_position:
                norm = address.path + "/norm"
                self._clients.publish(norm, norm, to_normalised(control, value), but=but)
            if address.when == "block":
                self._pending[name] = _Pending(value, mark, but)
        for name in changed:
            if name in self._pending:
                self._publish_pending(name, changed[name], self._left(name), but)

    def _waiting(self) -> Iterator[tuple[str, float]]:
        """Seconds until each pending control is audible."""
        played = self._instrument.horizon()[0] - self._live
        for name, pending in self._pending.items():
            yield name, max(0.0, pending.mark - played)

    def _left(self, name: str) -> float:
        """Seconds until one control is audible; 0 if it is."""
        pending = self._pending.get(name)
        if pending is None:
            return 0.0
        return max(0.0, pending.mark - self._instrument.horizon()[0] + self._live)

    def _publish_pending(self, name: str, value: Value, left: float, but: Client | None) -> None:
        path = self.space.of(name).path
        wire = to_osc(self._known.table[name], value)
        self._clients.publish(path, path + "/pending", *wire, float(left), but=but)

    def _answer_pending(self, client: Client, address: Address) -> None:
        """Send the time until a block control is audible to its sender."""
        left = self._left(address.param)
        control = self._known.table[address.param]
        path = self.space.of(control.name).path
        wire = to_osc(control, self._known[control.name])
        self._clients.answer(client, path + "/pending", *wire, float(left))

    def _wire(self, address: Address, settings: Settings) -> tuple[Wire, ...]:
        control = settings.table[address.param]
        value = settings[control.name]
        if address.kind == "norm":
            return (to_normalised(control, value),)
        return to_osc(control, value)


def _converted(control: Control, address: Address, arguments: Sequence[object]) -> Value:
    if address.kind != "norm":
        return from_osc(control, arguments)
    if len(arguments) > 1:
        raise ConfigError(f"{address.path}: {len(arguments)} values; send one")
    return from_normalised(control, arguments[0])


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
