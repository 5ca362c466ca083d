"""Listening sockets, and the loop that accepts connections; used by OSC and OSCQuery.

`::` means every address of this machine, IPv6 and IPv4: a socket for each, so that it does not
depend on the system's `bindv6only` and an IPv4 client keeps its plain address. Belongs to one
asyncio loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import sys
from collections.abc import Callable, Sequence

from engine.errors import ConfigError

__all__ = ["ANY_4", "ANY_6", "Acceptor", "bound_sockets", "is_port_taken"]

_log = logging.getLogger("attacca.osc")

ANY_4, ANY_6 = "0.0.0.0", "::"
_TRIES = 20  # attempts to find a port that is free for every socket
_BACKLOG = 64  # connections that the system queues
_PAUSE = 0.5  # seconds until the next attempt if the system refuses
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def bound_sockets(
    listen: str, port: int, kinds: Sequence[socket.SocketKind]
) -> list[socket.socket]:
    """A socket of each kind for each address that `listen` means, all on one port.

    Parameters
    ----------
    listen : an address; `::` means `0.0.0.0` too.
    port : 0 for one that is free for all of them.
    kinds : SOCK_DGRAM, SOCK_STREAM or both.

    Raises
    ------
    ConfigError
        `listen` is not an address, or it is IPv6 and the system has no IPv6.
    OSError
        The port is in use, or the address does not belong to this machine.
    """
    try:
        version = ipaddress.ip_address(listen).version
    except ValueError:
        raise ConfigError(
            f"osc: {listen!r} is not an address to listen on; use 127.0.0.1 for only this machine, "
            "or 0.0.0.0 for all"
        ) from None
    if version == 6 and not _has_ipv6():
        raise ConfigError(f"osc: this system has no IPv6, so {listen} cannot be used; use 0.0.0.0")
    everywhere = ipaddress.ip_address(listen) == ipaddress.ip_address(ANY_6)
    addresses = (listen, ANY_4) if everywhere else (listen,)
    for left in reversed(range(_TRIES if port == 0 else 1)):
        bound: list[socket.socket] = []
        try:
            for address in addresses:
                for kind in kinds:
                    chosen = bound[0].getsockname()[1] if bound else port
                    with contextlib.suppress(_NoIpv4):
                        bound.append(_bound(address, chosen, kind, optional=address != listen))
        except OSError:
            for one in bound:
                one.close()
            if not left:  # a port that is free for one of them may be taken for another
                raise
        else:
            return bound
    raise AssertionError("unreachable")


class _NoIpv4(Exception):
    """The system has only IPv6."""


def _bound(address: str, port: int, kind: socket.SocketKind, *, optional: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        opened = socket.socket(family, kind)
    except OSError as error:
        if optional and error.errno == errno.EAFNOSUPPORT:
            raise _NoIpv4 from error
        raise
    try:
        opened.setblocking(False)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM and sys.platform != "win32":
            # On Windows it would share the port with anyone.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
    except OSError:
        opened.close()
        raise
    return opened


def _has_ipv6() -> bool:
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True


def is_port_taken(error: OSError) -> bool:
    """Whether another program uses the port."""
    return error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEACCES", None))


class Acceptor:
    """Accepts the connections of bound stream sockets and passes each to a protocol.

    If no file descriptor is free, asyncio's own server retries 100 times at once and logs a
    traceback each time. This loop waits half a second instead and logs one line. Meanwhile clients
    wait in the system's queue.

    Parameters
    ----------
    protocol : creates the protocol of a connection.
    sockets : bound, of streams; closed by `close`.
    name : for the log.
    most : connections at once; `count` returns their number. Further ones are closed.
    refused : called if a connection could not be accepted, for either reason.
    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.BaseProtocol],
        sockets: Sequence[socket.socket],
        name: str,
        *,
        most: int,
        count: Callable[[], int],
        refused: Callable[[], None],
    ) -> None:
        self._protocol, self._sockets, self._name = protocol, tuple(sockets), name
        self._most, self._count, self._refused = most, count, refused
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start to listen; in the loop's thread."""
        for one in self._sockets:
            one.listen(_BACKLOG)
            self._tasks.append(asyncio.create_task(self._accept(one)))

    async def close(self) -> None:
        """Accept no more; connections that were accepted stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._sockets:
            one.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                self._refused()
                if error.errno in _EXHAUSTED:
                    _log.warning(
                        "%s: no connection can be accepted (%s); close programs or clients, or "
                        "raise the limit with 'ulimit -n'", self._name, error.strerror,
                    )  # fmt: skip
                await asyncio.sleep(_PAUSE)
                continue
            connection.setblocking(False)
            if self._count() >= self._most:
                self._refused()
                connection.close()
                continue
            try:
                await loop.connect_accepted_socket(self._protocol, connection)
            except OSError:  # the client has already disconnected
                connection.close()
