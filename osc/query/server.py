"""The OSCQuery server: HTTP and WebSocket on one port, in the OSC server's loop and thread.

HTTP describes the addresses. A WebSocket that sends LISTEN receives changes as binary OSC packets,
and may send binary OSC packets. A socket is a client like any other (osc/clients.py): its peer has
a negative `connection`. Every queue is bounded; a client that does not read is disconnected.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import WSMessage, WSMsgType, web

from engine.errors import ConfigError
from osc.address import Address
from osc.addresses import AddressSpace
from osc.endpoint import Peer
from osc.query.namespace import ATTRIBUTES, node
from osc.query.request_checks import host_is_ours, origin_is_ours
from osc.sockets import Acceptor, bound_sockets, is_port_taken
from osc.values import Wire

__all__ = ["Hooks", "QueryServer"]

_SOCKETS = 16
_CONNECTIONS = 64  # of HTTP, including WebSockets
_UNSENT = 1024  # packets that wait for one socket before it is closed
_LARGEST = 65_536  # bytes of a message
_EVERY = 5.0  # seconds between renewals of the leases of open sockets
_NAME = "Attacca"


@dataclass(frozen=True)
class Hooks:
    """Functions of the OSC server that this one calls.

    Attributes
    ----------
    value : returns the value of a control, or its normalised value.
    space : returns the current address space.
    take : handles an OSC packet from a peer.
    listen, ignore : start and end a peer's subscription to a path; may raise ConfigError.
    seen, gone : called while a peer is connected, and when it disconnects.
    allowed : whether a host is accepted.
    refused : counts a connection that could not be accepted.
    """

    value: Callable[[Address], Sequence[Wire]]
    space: Callable[[], AddressSpace]
    take: Callable[[Peer, bytes], None]
    listen: Callable[[Peer, str], None]
    ignore: Callable[[Peer, str], None]
    seen: Callable[[Peer], object]
    gone: Callable[[Peer], None]
    allowed: Callable[[str], bool]
    refused: Callable[[], None]


class QueryServer:
    """OSCQuery beside an OSC server.

    Parameters
    ----------
    hooks : functions of the OSC server.
    listen : the address to listen on.
    ports : tried in this order; 0 takes a free one.
    osc_port : the port of OSC.
    """

    def __init__(self, hooks: Hooks, *, listen: str, ports: Sequence[int], osc_port: int) -> None:
        self._hooks, self._listen, self._ports = hooks, listen, tuple(ports)
        self._osc_port, self._host_name = osc_port, socket.gethostname()
        self.port = 0
        self.unsent = 0  # packets for sockets that are closed or did not read
        self._queues: dict[Peer, asyncio.Queue[bytes | str | None]] = {}
        self._next = 0
        self._runner: web.AppRunner | None = None
        self._acceptor: Acceptor | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start to listen.

        Raises
        ------
        ConfigError
            None of the ports is free.
        """
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_get("/{path:.*}", self._get, allow_head=False)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        bound = self._bound()
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self.port = int(bound[0].getsockname()[1])
        self._acceptor = Acceptor(
            server, bound, "oscquery",
            most=_CONNECTIONS, count=lambda: len(server.connections), refused=self._hooks.refused,
        )  # fmt: skip
        self._acceptor.open()
        self._keeper = asyncio.create_task(self._keep())

    def _bound(self) -> list[socket.socket]:
        problem = OSError("no port is set")
        for port in self._ports:
            try:
                return bound_sockets(self._listen, port, (socket.SOCK_STREAM,))
            except OSError as error:
                problem = error
        raise ConfigError(self._why(problem)) from problem

    def _why(self, error: OSError) -> str:
        port = self._ports[-1]
        if is_port_taken(error):
            return f"oscquery: port {port} is in use; choose another one with --oscquery-port"
        return f"oscquery: cannot listen on {self._listen} port {port}: {error.strerror or error}"

    async def close(self) -> None:
        """Close the server and all sockets."""
        if self._keeper is not None:
            self._keeper.cancel()
        if self._acceptor is not None:
            await self._acceptor.close()
        for queue in list(self._queues.values()):
            self._end(queue)
        if self._runner is not None:
            await self._runner.cleanup()

    def move(self, before: AddressSpace, after: AddressSpace) -> None:
        """Notify every socket of the addresses that have changed."""
        old, new = before.controls, after.controls
        changes = [
            *(("PATH_REMOVED", path) for path in old if path not in new),
            *(("PATH_ADDED", path) for path in new if path not in old),
            *(("PATH_CHANGED", path) for path in new if path in old and new[path] != old[path]),
        ]
        for peer in list(self._queues):
            for command, path in changes:
                self.send(peer, json.dumps({"COMMAND": command, "DATA": path}))

    def send(self, peer: Peer, packet: bytes | str) -> None:
        """Send a packet, or a JSON message, to a socket; never waits, never raises."""
        queue = self._queues.get(peer)
        if queue is None:
            self.unsent += 1
            return
        try:
            queue.put_nowait(packet)
        except asyncio.QueueFull:
            self.unsent += queue.qsize() + 1
            self._end(queue)

    @staticmethod
    def _end(queue: asyncio.Queue[bytes | str | None]) -> None:
        """Close the socket of a queue, even if packets still wait in it."""
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)

    async def _keep(self) -> None:
        """Renew the leases of open sockets, which need not send messages."""
        while True:
            await asyncio.sleep(_EVERY)
            for peer in list(self._queues):
                self._hooks.seen(peer)

    # ------------------------------------------------------------------ HTTP

    async def _get(self, request: web.Request) -> web.StreamResponse:
        host = request.headers.get("Host")
        if not self._hooks.allowed(request.remote or ""):
            return _refused("this host is not allowed; add it with --osc-allow")
        if not host_is_ours(host, self._host_name):
            return _refused(f"Host {host!r} is not this machine")
        if not origin_is_ours(request.headers.get("Origin"), host):
            return _refused("web pages of other machines are not allowed")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        return self._answer(request.path, request.query_string)

    def _answer(self, path: str, query: str) -> web.Response:
        attribute = query.partition("=")[0].partition("&")[0]
        if attribute == "HOST_INFO":
            return web.json_response(self._host_info())
        if attribute and attribute not in ATTRIBUTES:
            return _problem(400, f"{attribute[:40]!r} is not an attribute; use one of {ATTRIBUTES}")
        found = node(self._hooks.space(), path, self._hooks.value)
        if found is None:
            return _problem(404, f"there is nothing at {path[:80]!r}")
        if not attribute:
            return web.json_response(found)
        if attribute not in found:
            return web.Response(status=204)  # a valid attribute that this node lacks
        return web.json_response({attribute: found[attribute]})

    def _host_info(self) -> dict[str, object]:
        info: dict[str, object] = {
            "NAME": _NAME, "OSC_PORT": self._osc_port, "OSC_TRANSPORT": "UDP",
            "WS_PORT": self.port,
            "EXTENSIONS": {
                "ACCESS": True, "VALUE": True, "RANGE": True, "DESCRIPTION": True, "UNIT": True,
                "CLIPMODE": True, "TAGS": True, "LISTEN": True, "PATH_CHANGED": True,
                "PATH_ADDED": True, "PATH_REMOVED": True,
            },
        }  # fmt: skip
        if not ipaddress.ip_address(self._listen).is_unspecified:
            info |= {"OSC_IP": self._listen, "WS_IP": self._listen}
        return info

    # ------------------------------------------------------------------ WebSocket

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if len(self._queues) >= _SOCKETS:
            return _problem(503, f"{_SOCKETS} sockets at most")
        ws = web.WebSocketResponse(max_msg_size=_LARGEST, heartbeat=20.0, timeout=1.0)
        await ws.prepare(request)
        self._next -= 1
        peer = Peer(request.remote or "", 0, self._next)
        queue: asyncio.Queue[bytes | str | None] = asyncio.Queue(_UNSENT)
        self._queues[peer] = queue
        sender = asyncio.create_task(_sender(ws, queue))
        try:
            async for message in ws:
                self._message(peer, message)
        finally:
            del self._queues[peer]
            self._hooks.gone(peer)
            sender.cancel()
        return ws

    def _message(self, peer: Peer, message: WSMessage) -> None:
        """Handle LISTEN and IGNORE in JSON, and binary OSC; ignore anything else."""
        if message.type is WSMsgType.BINARY:
            self._hooks.take(peer, bytes(message.data))
        if message.type is not WSMsgType.TEXT:
            return
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError, ConfigError):
            request = json.loads(message.data)
            path, command = str(request["DATA"]), request["COMMAND"]
            if path in self._hooks.space().by_path and command in ("LISTEN", "IGNORE"):
                (self._hooks.listen if command == "LISTEN" else self._hooks.ignore)(peer, path)


async def _sender(ws: web.WebSocketResponse, queue: asyncio.Queue[bytes | str | None]) -> None:
    with contextlib.suppress(ConnectionError):
        while (packet := await queue.get()) is not None:
            if isinstance(packet, str):
                await ws.send_str(packet)
            else:
                await ws.send_bytes(packet)
    await ws.close()


def _refused(text: str) -> web.Response:
    return _problem(403, text)


def _problem(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")
