"""MIDI ports by name: ports that appear are opened, ports that disappear are awaited.

Owned by the desk's thread; `received` is called in threads of the MIDI library and must only
enqueue. A port is identified by its name, never by its number: the numbers that the system appends
(ALSA's client and port, the counter of Windows) are not part of it. Attacca's own ports are never
used as inputs, or its notes would come back as held keys; nor is ALSA's `Midi Through`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import DeviceError
from midi.backend import Backend

__all__ = ["ALL", "CLIENT", "Port", "Ports", "fitting", "plain"]

ALL = "all"
CLIENT = "Attacca"
_THROUGH = "Midi Through"
_OUT = f"{CLIENT} out"
_TAIL = r"\s+\d+$" if sys.platform == "win32" else r"\s+\d+:\d+$"

Received = Callable[[str, list[int], float], None]  # port, bytes, seconds of the instrument's clock


def plain(name: str) -> str:
    """A port's name without the part that changes when it is plugged in again."""
    return re.sub(_TAIL, "", name).strip()


def _fits(name: str, wanted: str) -> bool:
    return wanted.casefold() in plain(name).casefold()


def fitting(names: Sequence[str], wanted: str) -> list[str]:
    """The ports that match `wanted`: exactly that name, or else names that contain it."""
    names = [n for n in names if not n.startswith(CLIENT)]
    if wanted == ALL:
        return [n for n in names if not n.startswith(_THROUGH)]
    exactly = [n for n in names if wanted.casefold() in (n.casefold(), plain(n).casefold())]
    return exactly or [n for n in names if _fits(n, wanted)]


@dataclass(frozen=True)
class Port:
    """A port of the system. `way` is `in` or `out`; `taken`: Attacca uses it."""

    way: str
    name: str
    taken: bool


class Ports:
    """Attacca's own ports, and the ports that it uses.

    Parameters
    ----------
    backend : the system's MIDI.
    inputs : names or parts of names of input ports, or `all`.
    output : name of the output port or part of it; "" is Attacca's own virtual port, None is none.
    received : called with every message.
    say : called with one line when a port appears or disappears.
    now : the instrument's clock in seconds.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        inputs: Sequence[str],
        output: str | None,
        received: Received,
        say: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        self._backend, self._inputs, self._output = backend, tuple(inputs), output
        self._received, self._say, self._now = received, say, now
        self._own_in: Any = None
        self._own_out: Any = None
        self._listening: dict[str, Any] = {}
        self._to: Any = None
        self._to_name = ""
        self.gone: list[str] = []  # ports that disappeared; the desk empties it
        self.seen: tuple[Port, ...] = ()

    def open(self) -> None:
        """Create Attacca's own ports, and open the ports to use.

        Raises
        ------
        DeviceError
            The system's MIDI does not answer.
        """
        # These two clients also scan: a new client per scan would use up the system's.
        self._own_in = self._backend.input(CLIENT)
        self._own_out = self._backend.output(_OUT)
        try:
            self._open_own()
        except self._backend.errors as error:
            reason = " ".join(str(error).split())[:100]
            raise DeviceError(
                f"midi: {self._backend.name} cannot create a port ({reason}); use --no-midi to "
                "play without MIDI"
            ) from error
        self.scan(first=True)

    def _open_own(self) -> None:
        if not self._backend.virtual:
            return
        if self._inputs:
            self._listen_on(self._own_in, CLIENT)
            self._own_in.open_virtual_port(CLIENT)
        if self._output == "":
            self._own_out.open_virtual_port(CLIENT)
            self._to, self._to_name = self._own_out, CLIENT

    def _listen_on(self, client: Any, name: str) -> None:
        received, now = self._received, self._now
        # Clock and song position are used; sysex and active sensing are not.
        client.ignore_types(sysex=True, timing=False, active_sense=True)
        client.set_callback(lambda event, _: received(name, event[0], now()))

    def scan(self, first: bool = False) -> None:
        """Open new ports, close ports that have disappeared. Call about once a second."""
        try:
            sources, sinks = self._own_in.get_ports(), self._own_out.get_ports()
        except self._backend.errors:
            sources, sinks = [], []
        self._scan_inputs(sources, first)
        self._scan_output(sinks, first)
        self.seen = (
            *(Port("in", plain(n), n in self._listening) for n in sources if not _own(n)),
            *(Port("out", plain(n), n == self._to_name) for n in sinks if not _own(n)),
        )

    def _scan_inputs(self, names: list[str], first: bool) -> None:
        for name in set(self._listening) - set(names):
            self._backend.end(self._listening.pop(name))
            self.gone.append(name)
            self._say(f"{plain(name)} has disappeared; waiting for it")
        for wanted in self._inputs:
            fits = fitting(names, wanted)
            for name in fits:
                if name not in self._listening and self._take(name):
                    self._say(f"listening to {plain(name)}")
            self._miss(wanted, bool(fits), names, first, "input")

    def _take(self, name: str) -> bool:
        try:
            client = self._backend.input(f"{CLIENT} in")
        except DeviceError:  # the system's MIDI has stopped
            return False
        try:
            self._listen_on(client, name)
            client.open_port(client.get_ports().index(name), plain(name))
        except (ValueError, *self._backend.errors):  # it has disappeared again
            self._backend.end(client)
            return False
        self._listening[name] = client
        return True

    def _scan_output(self, names: list[str], first: bool) -> None:
        if not self._output:
            return
        if self._to is not None and self._to_name not in names:
            self._backend.end(self._to)
            self._say(f"{plain(self._to_name)} has disappeared; waiting for it")
            self._to, self._to_name = None, ""
        fits = fitting(names, self._output)
        if self._to is None and fits:
            self._send_to(fits[0])
        self._miss(self._output, bool(fits), names, first, "output")

    def _send_to(self, name: str) -> None:
        try:
            client = self._backend.output(_OUT)
        except DeviceError:
            return
        try:
            client.open_port(client.get_ports().index(name), CLIENT)
        except (ValueError, *self._backend.errors):
            self._backend.end(client)
            return
        self._to, self._to_name = client, name
        self._say(f"notes go to {plain(name)}")

    def _miss(self, wanted: str, there: bool, names: list[str], first: bool, kind: str) -> None:
        """Report once, at the start, that a port does not exist."""
        if first and not there and wanted != ALL:
            have = ", ".join(plain(n) for n in names if not _own(n)) or "none"
            self._say(f"there is no {kind} {wanted!r} yet, waiting for it; available: {have}")

    def send(self, data: list[int]) -> bool:
        """Send one message; False without an output."""
        if self._to is None:
            return False
        try:
            self._to.send_message(data)
        except self._backend.errors:
            return False
        return True

    def close(self) -> None:
        """Close all ports."""
        if self._to is not self._own_out:
            self._listening[""] = self._to
        for client in (*self._listening.values(), self._own_in, self._own_out):
            if client is not None:
                self._backend.end(client)
        self._listening.clear()
        self._to = self._own_in = self._own_out = None


def _own(name: str) -> bool:
    return name.startswith(CLIENT)


def look(backend: Backend) -> list[Port]:
    """The ports of the system; those that `all` uses are `taken`.

    Raises
    ------
    DeviceError
        The system's MIDI does not answer.
    """
    found: list[Port] = []
    for way, make in (("in", backend.input), ("out", backend.output)):
        client = make(CLIENT)
        try:
            names = [n for n in client.get_ports() if not _own(n)]
            used = set(fitting(names, ALL)) if way == "in" else set[str]()
            found += [Port(way, plain(n), n in used) for n in names]
        finally:
            backend.end(client)
    return found
