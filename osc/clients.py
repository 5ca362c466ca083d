"""Who listens: subscriptions with a lease, and what each client is sent. The OSC thread's own.

A client is where its answers go: the address its messages come from or, after `/subscribe PORT`,
that port of the same machine. Every message renews its lease. Changes are sent to everyone whose
pattern matches, never back to the one who made them, and at most every 10 ms to one client: of a
control that changes faster, the last value is what arrives. Answers and errors have a budget, so
that no flood is answered by a flood; what is over it is counted.
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
_EVERY = 0.01  # seconds between two sendings of changes to one client
_MOST_CLIENTS = 64
_MOST_PATTERNS = 128  # of one client
_ANSWERS = 2_000.0  # a second
_ERRORS = 50.0
_STREAMED = 4_000.0  # messages of streams, to all together: 60 Hz of five streams to 13 programs
_SEVERAL = 4  # changes that go out as a bundle


class Budget:
    """So many a second, two seconds' worth saved up at most (a token bucket)."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._left, self._last = rate, 2 * rate, now

    def spend(self, now: float) -> bool:
        """Take one; False when there is none left."""
        self._left = min(2 * self._rate, self._left + (now - self._last) * self._rate)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(eq=False)
class Client:
    """One client. `wanted` are the paths it hears of; `streams` the rates, in Hz, of streams."""

    target: Peer
    expires: float
    answers: Budget
    errors: Budget
    patterns: dict[str, frozenset[str]] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    streams: dict[str, float] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)  # when each stream is sent next
    changes: dict[str, bytes] = field(default_factory=dict)
    flushed: float = -1.0

    @property
    def listens(self) -> bool:
        """Whether it is sent anything unasked."""
        return bool(self.patterns or self.streams)


class Clients:
    """All of them.

    Parameters
    ----------
    send : sends bytes to a peer.
    space : the address space at the start.
    now : seconds of a clock that only goes on.
    lease : seconds.
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
        """The client that a message came from; its lease begins anew."""
        client = self._by_source.get(source)
        now = self._now()
        if client is None:
            self._make_room()
            # Whoever listens on a port and sends from it is one client.
            client = next((c for c in self._by_source.values() if c.target == source), None)
            client = client or Client(source, 0.0, Budget(_ANSWERS, now), Budget(_ERRORS, now))
            self._by_source[source] = client
        client.expires = now + self._lease
        return client

    def of(self, target: Hashable) -> Client | None:
        """The client that receives its answers at `target`, if there is one."""
        return next((c for c in self._by_source.values() if c.target == target), None)

    def _make_room(self) -> None:
        """Forget the one that was silent longest, but rather those who listen to nothing."""
        while len(self._by_source) >= _MOST_CLIENTS:
            source = min(
                self._by_source,
                key=lambda s: (self._by_source[s].listens, self._by_source[s].expires),
            )
            del self._by_source[source]

    def gone(self, source: Peer) -> None:
        """Forget whoever sent from there."""
        self._by_source.pop(source, None)

    def expire(self) -> None:
        """Forget those whose lease has run out."""
        now = self._now()
        for source, client in list(self._by_source.items()):
            if client.expires < now:
                del self._by_source[source]

    # ------------------------------------------------------------------ subscriptions

    def subscribe(self, client: Client, port: int | None, pattern: str) -> None:
        """Have a client hear of what `pattern` matches, at another port of its if one is given.

        Raises
        ------
        ConfigError
            The pattern is none, or matches nothing; the port is none; there are too many.
        """
        wanted = self._matching(pattern)
        if not wanted:
            raise ConfigError(f"/subscribe: {pattern!r} matches no control; /dump has them all")
        if port is not None:
            client = self.at_port(client, port)
        if len(client.patterns) >= _MOST_PATTERNS and pattern not in client.patterns:
            raise ConfigError(f"/subscribe: {_MOST_PATTERNS} patterns at most; /unsubscribe some")
        client.patterns[pattern] = wanted
        client.wanted = frozenset().union(*client.patterns.values())

    def _matching(self, pattern: str) -> frozenset[str]:
        if not pattern:
            return self._space.control_paths
        return frozenset(matching(pattern, self._space.controls))

    def move_to(self, space: AddressSpace) -> None:
        """There are other addresses now: patterns match them from here on."""
        self._space = space
        for client in self.all():
            client.patterns = {pattern: self._matching(pattern) for pattern in client.patterns}
            client.wanted = frozenset().union(*client.patterns.values())
            client.changes.clear()

    def at_port(self, client: Client, port: int) -> Client:
        """The client that listens at `port` of the same machine; from now on, that is this one.

        Raises
        ------
        ConfigError
            It is no port, or the client came over TCP.
        """
        if not 1 <= port <= 65535:
            raise ConfigError(f"{port} is no port; give 1 to 65535")
        if client.target.connection:
            raise ConfigError("over TCP everything comes back on the connection: give no port")
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
        """Have it hear no more of a pattern, or with "" of anything.

        Raises
        ------
        ConfigError
            It never subscribed to that pattern.
        """
        if pattern and pattern not in client.patterns:
            raise ConfigError(f"/unsubscribe: {pattern!r} was not subscribed to")
        client.patterns = {p: w for p, w in client.patterns.items() if pattern and p != pattern}
        client.wanted = frozenset().union(*client.patterns.values())
        if not pattern:
            client.streams.clear()
        client.changes.clear()

    # ------------------------------------------------------------------ sending

    def publish(
        self, path: str, address: str, *arguments: object, but: Client | None = None
    ) -> None:
        """Tell those who hear of `path`, apart from one, in a message to `address`."""
        data = b""
        for client in self.all():
            if client is not but and path in client.wanted:
                data = data or message(address, *arguments)
                client.changes.pop(address, None)  # to the end: the order is that of the changes
                client.changes[address] = data

    def flush(self) -> bool:
        """Send the changes that are due. Returns whether some are left for later."""
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
        if client.answers.spend(self._now()):  # before the message is made: that takes longer
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
        """Tell a client what was refused, and why."""
        if client.errors.spend(self._now()):
            self._send(client.target, message("/error", address, code, text))
        else:
            self.dropped += 1

    def stream(self, client: Client, data: bytes) -> None:
        """Send bytes that it asked for once and for all, within the budget of all streams."""
        if self._streamed.spend(self._now()):
            self._send(client.target, data)
        else:
            self.dropped += 1
