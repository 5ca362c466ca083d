"""Clients: their subscriptions, which expire, and everything that is sent to them.

Runs in the OSC thread. A client is identified by where its answers go: the address that its
messages come from or, after `/subscribe PORT`, that port of the same machine. Every message renews
its lease. A change is sent to all clients whose pattern matches except its origin, at most every
10 ms to one client; of a control that changes faster, a client receives the last value. Answers and
errors have a budget, so that a flood is not answered by a flood; what exceeds it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from engine.errors import ConfigError
from osc.addresses import AddressSpace
from osc.endpoint import Peer
from osc.packets import bundles, message
from osc.patterns import matching

__all__ = ["LEASE", "Budget", "Client", "Clients"]

LEASE = 60.0  # seconds from a client's last message
_EVERY = 0.01  # seconds between two packets of changes to one client
_MOST_CLIENTS = 64
_MOST_PATTERNS = 128  # of one client
_ANSWERS = 2_000.0  # per second
_ERRORS = 50.0
# stream messages per second to all clients: 60 Hz of five streams to 13 programs
_STREAMED = 4_000.0
_SEVERAL = 4  # more changes than this go out as a bundle


class Budget:
    """A token bucket: `rate` per second, up to two seconds' worth saved up."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._left, self._last = rate, 2 * rate, now

    def spend(self, now: float) -> bool:
        """Take one token; False if none is left."""
        self._left = min(2 * self._rate, self._left + (now - self._last) * self._rate)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(eq=False)
class Client:
    """One client. `wanted`: the paths it subscribes to; `streams`: the rates in Hz."""

    target: Peer
    expires: float
    answers: Budget
    errors: Budget
    patterns: dict[str, frozenset[str]] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    streams: dict[str, float] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)  # time of each stream's next message
    changes: dict[str, bytes] = field(default_factory=dict)
    flushed: float = -1.0

    @property
    def listens(self) -> bool:
        """Whether it has a subscription or a stream."""
        return bool(self.patterns or self.streams)


class Clients:
    """All of them.

    Parameters
    ----------
    send : sends bytes to a peer.
    space : the address space at the start.
    now : monotonic clock in seconds.
    lease : in seconds.
    """

    def __init__(
        self,
        send: Callable[[Peer, bytes], None],
        space: AddressSpace,
        now: Callable[[], float],
        lease: float = LEASE,
    ) -> None:
        self._send, self._space, self._now, self._lease = send, space, now, lease
        self._by_source: dict[Peer, Client] = {}
        self._streamed = Budget(_STREAMED, now())
        self.dropped = 0  # answers and errors over the budget

    def __len__(self) -> int:
        return sum(1 for c in self.all() if c.listens)

    def all(self) -> list[Client]:
        """Every client once."""
        return list(dict.fromkeys(self._by_source.values()))

    def seen(self, source: Peer) -> Client:
        """The client that a message came from; renews its lease."""
        client = self._by_source.get(source)
        now = self._now()
        if client is None:
            self._make_room()
            # A program that sends from the port it listens on is one client.
            client = next((c for c in self._by_source.values() if c.target == source), None)
            client = client or Client(source, 0.0, Budget(_ANSWERS, now), Budget(_ERRORS, now))
            self._by_source[source] = client
        client.expires = now + self._lease
        return client

    def of(self, target: Hashable) -> Client | None:
        """The client that receives its answers at `target`, if there is one."""
        return next((c for c in self._by_source.values() if c.target == target), None)

    def _make_room(self) -> None:
        """Remove the client that was silent longest, those without a subscription first."""
        while len(self._by_source) >= _MOST_CLIENTS:
            source = min(
                self._by_source,
                key=lambda s: (self._by_source[s].listens, self._by_source[s].expires),
            )
            del self._by_source[source]

    def gone(self, source: Peer) -> None:
        """Remove the client that sent from there."""
        self._by_source.pop(source, None)

    def expire(self) -> None:
        """Remove the clients whose lease has expired."""
        now = self._now()
        for source, client in list(self._by_source.items()):
            if client.expires < now:
                del self._by_source[source]

    # ------------------------------------------------------------------ subscriptions

    def subscribe(self, client: Client, port: int | None, pattern: str) -> None:
        """Subscribe a client to what `pattern` matches; with `port`, changes go to that port.

        Raises
        ------
        ConfigError
            The pattern is invalid or matches nothing; the port is invalid; too many patterns.
        """
        wanted = self._matching(pattern)
        if not wanted:
            raise ConfigError(f"/subscribe: {pattern!r} matches no control; /dump has them all")
        if port is not None:
            client = self.at_port(client, port)
        if len(client.patterns) >= _MOST_PATTERNS and pattern not in client.patterns:
            raise ConfigError(
                f"/subscribe: too many patterns ({_MOST_PATTERNS} at most); /unsubscribe some"
            )
        client.patterns[pattern] = wanted
        client.wanted = frozenset().union(*client.patterns.values())

    def _matching(self, pattern: str) -> frozenset[str]:
        if not pattern:
            return self._space.control_paths
        return frozenset(matching(pattern, self._space.controls))

    def move_to(self, space: AddressSpace) -> None:
        """Match all patterns against a new address space."""
        self._space = space
        for client in self.all():
            client.patterns = {pattern: self._matching(pattern) for pattern in client.patterns}
            client.wanted = frozenset().union(*client.patterns.values())
            client.changes.clear()

    def at_port(self, client: Client, port: int) -> Client:
        """Merge the client with the one that listens on `port` of the same machine.

        Raises
        ------
        ConfigError
            The port is invalid, or the client uses TCP.
        """
        if not 1 <= port <= 65535:
            raise ConfigError(f"{port} is not a port; send a number from 1 to 65535")
        if client.target.connection:
            raise ConfigError(
                "over TCP everything is sent on the same connection; leave the port out"
            )
        target = Peer(client.target.host, port)
        if client.target == target:
            return client
        other = next((c for c in self._by_source.values() if c.target == target), None)
        other = other or Client(target, 0.0, client.answers, client.errors)
        other.expires = client.expires
        for source, known in self._by_source.items():
            if known is client:
                self._by_source[source] = other
        return other

    def unsubscribe(self, client: Client, pattern: str) -> None:
        """End the subscription to a pattern, or with "" all subscriptions and streams.

        Raises
        ------
        ConfigError
            The client has no subscription to that pattern.
        """
        if pattern and pattern not in client.patterns:
            raise ConfigError(
                f"/unsubscribe: there is no subscription to {pattern!r}; send a "
                f"pattern as it was subscribed"
            )
        client.patterns = {p: w for p, w in client.patterns.items() if pattern and p != pattern}
        client.wanted = frozenset().union(*client.patterns.values())
        if not pattern:
            client.streams.clear()
        client.changes.clear()

    # ------------------------------------------------------------------ sending

    def publish(
        self, path: str, address: str, *arguments: object, but: Client | None = None
    ) -> None:
        """Send a message to `address` to all subscribers of `path` except one."""
        data = b""
        for client in self.all():
            if client is not but and path in client.wanted:
                data = data or message(address, *arguments)
                client.changes.pop(address, None)  # move it to the end: changes keep their order
                client.changes[address] = data

    def flush(self) -> bool:
        """Send the changes that are due. Returns whether some still wait."""
        now, left = self._now(), False
        for client in self.all():
            if not client.changes:
                continue
            if now - client.flushed < _EVERY:
                left = True
                continue
            changes = list(client.changes.values())
            client.changes.clear()
            client.flushed = now
            for data in bundles(changes) if len(changes) > _SEVERAL else changes:
                self._send(client.target, data)
        return left

    def answer(self, client: Client, address: str, *arguments: object) -> None:
        """Answer a client, within its budget."""
        if client.answers.spend(self._now()):  # first, since building the message takes longer
            self._send(client.target, message(address, *arguments))
        else:
            self.dropped += 1

    def answer_raw(self, client: Client, data: bytes) -> None:
        """Send bytes as an answer."""
        if client.answers.spend(self._now()):
            self._send(client.target, data)
        else:
            self.dropped += 1

    def error(self, client: Client, address: str, code: str, text: str) -> None:
        """Send an error to a client."""
        if client.errors.spend(self._now()):
            self._send(client.target, message("/error", address, code, text))
        else:
            self.dropped += 1

    def stream(self, client: Client, data: bytes) -> None:
        """Send bytes of a stream, within the budget of all streams."""
        if self._streamed.spend(self._now()):
            self._send(client.target, data)
        else:
            self.dropped += 1
