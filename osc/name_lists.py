"""The names of what is saved (presets, snapshots), as an answer and for subscribers. OSC thread."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import ConfigError
from engine.presets import checked_name
from osc.clients import Client, Clients
from osc.values import text_of

__all__ = ["NameList", "name_of", "only_name"]

_DATAGRAM_BYTES, _STREAM_BYTES = 1_200, 60_000  # of names that go into one message


class NameList:
    """Sends names to an address.

    Parameters
    ----------
    clients : of the server.
    address : of the list.
    """

    def __init__(self, clients: Clients, address: str) -> None:
        self._clients, self._address = clients, address

    def answer(self, client: Client, names: Sequence[str]) -> None:
        """Send a client as many names as fit into one message."""
        most = _most_names(names, _STREAM_BYTES if client.target.connection else _DATAGRAM_BYTES)
        self._clients.answer(client, self._address, *names[:most])

    def publish(self, names: Sequence[str]) -> None:
        """Send every subscriber the names, now that there is one more or one less."""
        for client in self._clients.all():
            if client.patterns:
                self.answer(client, names)


def name_of(address: str, argument: object) -> str:
    """A name; numbers are names too, as pads and program changes send them.

    Raises
    ------
    ConfigError
        It cannot be a name.
    """
    if isinstance(argument, (int, float)) and not isinstance(argument, bool):
        argument = f"{argument:g}"
    return checked_name(address, text_of(address, argument))


def only_name(address: str, arguments: Sequence[object]) -> str:
    """The name that a message has as its one argument.

    Raises
    ------
    ConfigError
        There is none, or more than one, or it cannot be a name.
    """
    if len(arguments) != 1:
        raise ConfigError(f"{address}: {len(arguments)} arguments; send one name")
    return name_of(address, arguments[0])


def _most_names(names: Sequence[str], room: int) -> int:
    """How many of the names go into one message of a size."""
    size = 0
    for i, name in enumerate(names):
        size += len(name.encode()) + 5
        if size > room:
            return i
    return len(names)
