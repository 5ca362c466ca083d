"""The sockets: one UDP port and, under the same number, TCP. Belongs to one asyncio loop's thread.

Bytes come in and go out here; other modules parse them. Incoming data never raises: what cannot be
used is counted. Every buffer is bounded, and a client that does not read is disconnected.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from engine.errors import ConfigError
from osc.framing import Framing, framing_of
from osc.packets import BadPacket
from osc.sockets import Acceptor, bound_sockets, is_port_taken

__all__ = ["Counts", "Endpoint", "Network", "Peer", "networks"]

RECEIVE_BUFFER = 4 << 20  # bytes requested from the system: a few seconds of a flood
_UNSENT = 1 << 20  # bytes waiting for a client before it is disconnected
_SEND_BUFFER = 128 << 10  # bytes requested from the system, whose default may be megabytes
_CONNECTIONS = 32
_HOSTS = 256  # size of the cache of allowed hosts
_AT_ONCE = 64  # packets of one connection before the next one has its turn

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Peer:
    """The source of a packet, and the target of an answer. `connection` is 0 for UDP."""

    host: str
    port: int
    connection: int = 0


@dataclass
class Counts:
    """Counters of the sockets since they were opened."""

    packets: int = 0
    sent: int = 0
    refused: int = 0  # from hosts that are not allowed
    bad_streams: int = 0
    unsent: int = 0  # dropped: the client or the system did not accept them


def networks(allow: Sequence[str]) -> tuple[Network, ...]:
    """Parse addresses (192.168.1.7) and networks (192.168.1.0/24).

    Raises
    ------
    ConfigError
        The text is neither.
    """
    found: list[Network] = []
    for text in allow:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise ConfigError(
                f"osc: {text!r} is not an address; enter one such as 192.168.1.7 or 192.168.1.0/24"
            ) from None
    return tuple(found)


class Endpoint:
    """Opens the sockets, and sends.

    Parameters
    ----------
    receive : called with (peer, packet) for every packet.
    bad : called with (peer, reason) for a stream that cannot be parsed; it is then closed.
    gone : called with a peer whose connection has ended.
    listen, port : the address to listen on; port 0 takes a free one.
    allow : hosts that are accepted besides this machine; empty accepts every host.
    """

    def __init__(
        self,
        receive: Callable[[Peer, bytes], None],
        bad: Callable[[Peer, str], None],
        gone: Callable[[Peer], None],
        *,
        listen: str,
        port: int,
        allow: Sequence[Network] = (),
    ) -> None:
        self._receive, self.bad, self._gone = receive, bad, gone
        self._listen, self.port, self._allow = listen, port, tuple(allow)
        self._known: dict[str, bool] = {}  # whether a host is allowed
        self.counts = Counts()
        self._udp: list[_Datagrams] = []
        self._acceptor: Acceptor | None = None
        self._streams: dict[int, _Stream] = {}
        self._next = 0

    async def open(self) -> None:
        """Start to listen.

        Raises
        ------
        ConfigError
            The port is in use, or the address does not belong to this machine.
        """
        kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        try:
            bound = bound_sockets(self._listen, self.port, kinds)
        except OSError as error:
            raise ConfigError(self._why(error)) from error
        self.port = bound[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        for one in bound:
            if one.type == socket.SOCK_DGRAM:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                protocol = _Datagrams(self, one.family)
                await loop.create_datagram_endpoint(lambda protocol=protocol: protocol, sock=one)
                self._udp.append(protocol)
        self._acceptor = Acceptor(
            lambda: _Stream(self), [s for s in bound if s.type == socket.SOCK_STREAM], "osc",
            most=_CONNECTIONS, count=lambda: len(self._streams), refused=self.refuse,
        )  # fmt: skip
        self._acceptor.open()

    def refuse(self) -> None:
        """Count a connection that could not be accepted."""
        self.counts.refused += 1

    def _why(self, error: OSError) -> str:
        if is_port_taken(error):
            return (
                f"osc: port {self.port} is in use by another program; choose another one with "
                f"--osc-port, or close that program ('ss -lunpt sport = :{self.port}' shows it)"
            )
        return (
            f"osc: cannot listen on {self._listen} port {self.port}: {error.strerror or error}; "
            "use --osc-listen 127.0.0.1, or --osc-port with a number from 1024 on"
        )

    async def close(self) -> None:
        """Close all sockets."""
        if self._acceptor is not None:
            await self._acceptor.close()
        for stream in list(self._streams.values()):
            stream.abort()
        for udp in self._udp:
            udp.close()
        await asyncio.sleep(0)  # lets the transports close their sockets

    def send(self, peer: Peer, packet: bytes) -> None:
        """Send a packet; never waits, never raises."""
        if peer.connection:
            stream = self._streams.get(peer.connection)
            sent = stream is not None and stream.send(packet)
        else:
            family = socket.AF_INET6 if ":" in peer.host else socket.AF_INET
            sent = any(udp.family == family and udp.send(peer, packet) for udp in self._udp)
        self.counts.sent += sent
        self.counts.unsent += not sent

    # ------------------------------------------------------------- for the protocols below

    def allowed(self, host: str) -> bool:
        """Whether packets from this host are accepted; counts those that are not."""
        good = self._known.get(host)
        if good is None:
            if len(self._known) >= _HOSTS:
                self._known.clear()
            good = self._known[host] = self._may(host)
        self.counts.refused += not good
        return good

    def _may(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        return not self._allow or address.is_loopback or any(address in n for n in self._allow)

    def take(self, peer: Peer, packet: bytes) -> None:
        """Pass a packet on."""
        self.counts.packets += 1
        self._receive(peer, packet)

    def joined(self, stream: _Stream) -> int:
        """The number of a new connection, or 0 if there are too many."""
        if len(self._streams) >= _CONNECTIONS:
            self.counts.refused += 1
            return 0
        self._next += 1
        self._streams[self._next] = stream
        return self._next

    def left(self, peer: Peer) -> None:
        """Remove a connection that has ended."""
        if self._streams.pop(peer.connection, None) is not None:
            self._gone(peer)


class _Datagrams(asyncio.DatagramProtocol):
    """One UDP socket."""

    def __init__(self, endpoint: Endpoint, family: int) -> None:
        self._endpoint, self.family = endpoint, family
        self._transport: asyncio.DatagramTransport | None = None
        self._blocked = False  # the system accepts no datagrams at the moment

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._endpoint.allowed(addr[0]):
            self._endpoint.take(Peer(addr[0], addr[1]), data)

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False

    def error_received(self, exc: Exception) -> None:
        self._endpoint.counts.unsent += 1  # an answer went to a port where no program listens

    def send(self, peer: Peer, packet: bytes) -> bool:
        """Send a packet, or return False; never waits, never raises."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._blocked:
            return False
        with contextlib.suppress(OSError, ValueError, OverflowError):
            transport.sendto(packet, (peer.host, peer.port))
            return True
        return False

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Stream(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._framing: Framing | None = None
        self._waiting: deque[bytes] = deque()
        self.peer = Peer("", 0)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        # A client that has already disconnected has no peer name.
        host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        number = self._endpoint.joined(self) if self._endpoint.allowed(host) else 0
        self._transport, self.peer = transport, Peer(host, port, number)
        if not number:
            transport.abort()
            return
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.clear()
        self._endpoint.left(self.peer)

    def data_received(self, data: bytes) -> None:
        if not self.peer.connection:
            return
        self._framing = self._framing or framing_of(data)
        try:
            self._waiting.extend(self._framing.feed(data))
        except BadPacket as error:
            self._endpoint.counts.bad_streams += 1
            self._endpoint.bad(self.peer, str(error))
            if self._transport is not None:
                self._transport.close()
            return
        self._work()

    def _work(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            self._endpoint.take(self.peer, self._waiting.popleft())
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._waiting:
            transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._work)
        else:
            transport.resume_reading()

    def send(self, packet: bytes) -> bool:
        transport, framing = self._transport, self._framing
        if transport is None or framing is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > _UNSENT:
            transport.abort()  # the client has stopped reading
            return False
        transport.write(framing.frame(packet))
        return True

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
