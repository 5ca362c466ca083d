"""MIDI commands over OSC: learn controllers, and list mappings and ports.

This package does not import MIDI: any object that satisfies `Desk` will do. Runs in the OSC thread;
a desk returns immutable values and does not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from engine.errors import ConfigError
from osc.addresses import AddressSpace, control_address
from osc.clients import Client, Clients
from osc.handlers import Handler
from osc.values import Wire, pressed, text_of

__all__ = ["Desk", "DeskCommands", "desk_figures"]

_ACTIONS = (
    "/play", "/stop", "/panic", "/reset", "/record", "/snapshot/take", "/snapshot/recall",
    "/go_back/beats", "/go_back/bars", "/go_back/blocks", "/fork",
)  # fmt: skip
_MOST = 1024  # answers to one query
# Counters of `/status`, and the desk's attribute for each.
_COUNTS = {
    "midi/in": "received", "midi/out": "sent", "midi/dropped": "dropped", "midi/bad": "bad",
    "midi/duplicates": "duplicates", "midi/echoes": "echoes", "midi/faults": "faults",
}  # fmt: skip


class Mapped(Protocol):
    """A mapping: a controller, its control or action, and how its values are read (`mode`)."""

    @property
    def target(self) -> str: ...

    @property
    def controller(self) -> str: ...

    @property
    def mode(self) -> str: ...


class Port(Protocol):
    """A MIDI port of the system: `in` or `out`, and whether it is in use."""

    @property
    def way(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def taken(self) -> bool: ...


class Figures(Protocol):
    """Counts of messages, and the state of learning."""

    @property
    def received(self) -> int: ...

    @property
    def sent(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    @property
    def bad(self) -> int: ...

    @property
    def duplicates(self) -> int: ...

    @property
    def echoes(self) -> int: ...

    @property
    def faults(self) -> int: ...

    @property
    def learning(self) -> str: ...

    @property
    def takeover(self) -> bool: ...


class Desk(Protocol):
    """The MIDI desk (midi/desk.py). Targets are names of controls or actions."""

    def arm(self, target: str) -> None:
        """Map the next controller that moves to the target; "" cancels."""
        ...

    def forget(self, target: str) -> None:
        """Remove the mapping of the target."""
        ...

    def set_takeover(self, on: bool) -> None:
        """Set whether a controller has no effect until it reaches its control's value."""
        ...

    def set_mode(self, target: str, mode: str) -> None:
        """Set how the values of the target's controller are read."""
        ...

    @property
    def mappings(self) -> Sequence[Mapped]:
        """All mappings."""
        ...

    @property
    def ports(self) -> Sequence[Port]:
        """The system's ports, without Attacca's own."""
        ...

    @property
    def figures(self) -> Figures:
        """The current counters."""
        ...


class DeskCommands:
    """The handlers below `/midi/`.

    Parameters
    ----------
    clients : receive the answers.
    desk : the MIDI desk, or None.
    space : returns the current address space.
    """

    def __init__(
        self, clients: Clients, desk: Desk | None, space: Callable[[], AddressSpace]
    ) -> None:
        self._clients, self._desk, self._space = clients, desk, space

    def handlers(self) -> Mapping[str, Handler]:
        """The handler of each address."""
        return {
            "/midi/learn": self._learn, "/midi/forget": self._forget,
            "/midi/takeover": self._takeover, "/midi/mode": self._mode,
            "/midi/mappings": self._mappings, "/midi/ports": self._ports,
        }  # fmt: skip

    def _there(self, address: str) -> Desk:
        if self._desk is None:
            raise ConfigError(f"{address}: MIDI is not available; 'attacca midi' shows the reason")
        return self._desk

    def _learn(self, client: Client, arguments: Sequence[object]) -> None:
        desk = self._there("/midi/learn")
        if arguments:
            path = text_of("/midi/learn", arguments[0])
            desk.arm(self._target("/midi/learn", path) if path else "")
            self._clients.answer(client, "/midi/learn", path)
        else:
            self._clients.answer(client, "/midi/learn", _path(desk.figures.learning))

    def _forget(self, client: Client, arguments: Sequence[object]) -> None:
        desk = self._there("/midi/forget")
        if not arguments:
            raise ConfigError(
                "/midi/forget: the address of a control is missing; send one like /gain"
            )
        path = text_of("/midi/forget", arguments[0])
        desk.forget(self._target("/midi/forget", path))
        self._clients.answer(client, "/midi/forget", path)

    def _takeover(self, client: Client, arguments: Sequence[object]) -> None:
        desk = self._there("/midi/takeover")
        on = desk.figures.takeover
        if arguments:
            on = pressed("/midi/takeover", arguments)
            desk.set_takeover(on)
        self._clients.answer(client, "/midi/takeover", int(on))

    def _mode(self, client: Client, arguments: Sequence[object]) -> None:
        desk = self._there("/midi/mode")
        if not arguments:
            raise ConfigError(
                "/midi/mode: the address of a control is missing; send one like /gain"
            )
        path = text_of("/midi/mode", arguments[0])
        target = self._target("/midi/mode", path)
        if len(arguments) > 1:
            mode = text_of("/midi/mode", arguments[1])
            desk.set_mode(target, mode)
            self._clients.answer(client, "/midi/mode", path, mode)
            return
        found = [m for m in desk.mappings if m.target == target]
        if not found:
            raise ConfigError(f"/midi/mode: no controller is mapped to {path}; learn one first")
        self._clients.answer(client, "/midi/mode", path, found[0].mode)

    def _mappings(self, client: Client, _: Sequence[object]) -> None:
        found = self._there("/midi/mappings").mappings[:_MOST]
        for m in found:
            self._clients.answer(client, "/midi/mapping", _path(m.target), m.controller)
        self._clients.answer(client, "/midi/mappings/end", len(found))

    def _ports(self, client: Client, _: Sequence[object]) -> None:
        found = self._there("/midi/ports").ports[:_MOST]
        for port in found:
            self._clients.answer(client, "/midi/port", port.way, port.name, int(port.taken))
        self._clients.answer(client, "/midi/ports/end", len(found))

    def _target(self, address: str, path: str) -> str:
        """The desk's name of the target at a path."""
        found = self._space().by_path.get(path)
        if found is not None and found.param:
            return found.param
        if path in _ACTIONS:
            return path[1:]
        if self._desk is not None and any(_path(m.target) == path for m in self._desk.mappings):
            return path[1:]  # of a control of another pack
        raise ConfigError(
            f"{address}: {path[:60]!r} is neither a control nor an action; send a control's "
            f"address or one of {', '.join(_ACTIONS)}"
        )


def desk_figures(desk: Desk | None) -> dict[str, Wire]:
    """The desk's values for `/status`."""
    if desk is None:
        return {**dict.fromkeys(_COUNTS, 0), "midi/learning": ""}
    f = desk.figures
    counts = {name: getattr(f, count) for name, count in _COUNTS.items()}
    return {**counts, "midi/learning": _path(f.learning)}


def _path(target: str) -> str:
    """The path of a target; "" stays ""."""
    if not target or f"/{target}" in _ACTIONS:
        return f"/{target}" if target else ""
    return control_address(target)
