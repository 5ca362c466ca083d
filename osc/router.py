"""From packets to actions: waits for time tags, finds the handler, answers every error.

No incoming packet raises an exception beyond this module: an invalid packet, address or value is
counted and answered with `/error ADDRESS CODE TEXT`. Runs in the OSC thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from itertools import groupby

from engine.errors import AttaccaError, ConfigError, StorageError
from osc.address import Address
from osc.clients import Client, Clients
from osc.control import Controls
from osc.endpoint import Peer
from osc.handlers import Handler
from osc.packets import BadPacket, Message, read
from osc.patterns import is_pattern, matching
from osc.queries import Queries
from osc.schedule import Schedule
from osc.streams import Streams
from osc.timed_controls import TimedControls
from osc.values import number_of, text_of

__all__ = ["Router"]

_MOST_SLOW = 16  # slow jobs that wait
# Work limit per packet, so that none delays the others; setting or returning one value counts 1.
_MOST_WORK = 4_096
_PATTERN, _PRESS, _ASK = 16, 8, 64
_MESSAGE_BYTES = 256  # memory of a waiting message without its data
_log = logging.getLogger("attacca.osc")


class Router:
    """Handles packets.

    Parameters
    ----------
    clients, controls, streams, queries, schedule : of the same server.
    soon : runs a function in the OSC thread, from any thread.
    beside : executor for slow work.

    Attributes
    ----------
    handlers : the handler of each address that is no control or stream; the server adds more.
    """

    def __init__(
        self,
        clients: Clients,
        controls: Controls,
        streams: Streams,
        queries: Queries,
        schedule: Schedule,
        soon: Callable[[Callable[[], None]], None],
        beside: Executor,
    ) -> None:
        self._clients, self._controls, self._streams = clients, controls, streams
        self._queries, self._schedule = queries, schedule
        self._soon, self._beside = soon, beside
        self._slow_waiting = 0
        self._taking, self._work = False, 0
        self.handlers: dict[str, Handler] = self._own()
        self.timed_controls: TimedControls | None = None
        self.bad = 0
        self.faults = 0

    # ------------------------------------------------------------------ in

    def take(self, peer: Peer, data: bytes) -> None:
        """Handle a packet, now or at its time."""
        client = self._clients.seen(peer)
        try:
            messages = read(data)
        except BadPacket as error:
            self.refuse(peer, str(error))
            return
        self._taking, self._work = True, 0
        each = _MESSAGE_BYTES + len(data) // max(1, len(messages))
        for at, together in groupby(messages, key=lambda m: m.at):
            try:
                self._at(client, at, list(together), each)
            except ConfigError as error:
                self._clients.error(client, "", "limit", str(error))
        self._taking = False

    def refuse(self, peer: Peer, reason: str) -> None:
        """Count a packet that could not be parsed, and answer with the reason."""
        self.bad += 1
        self._clients.error(self._clients.seen(peer), "", "packet", reason)

    def _at(self, client: Client, at: float | None, messages: Sequence[Message], each: int) -> None:
        if at is None:
            self._act_on_all(client, messages)
        else:
            size = each * len(messages)
            if self.timed_controls is None or not self.timed_controls.take(
                at, messages, lambda some: self._act_on_all(client, some), size
            ):
                self._schedule.at(at, lambda: self._act_on_all(client, messages), size)

    def _act_on_all(self, client: Client, messages: Sequence[Message]) -> None:
        if not self._taking:  # a timed packet, taken earlier
            self._work = 0
        for one in messages:
            self._guarded(client, one.address, lambda one=one: self._act(client, one))
        self._guarded(client, "", lambda: self._settle(client))

    def _settle(self, client: Client) -> None:
        for path, error in self._controls.settle():
            self._clients.error(client, path, _code(error), str(error))

    def _guarded(self, client: Client, path: str, action: Callable[[], None]) -> None:
        try:
            action()
        except AttaccaError as error:
            self._clients.error(client, path, _code(error), str(error))
        except Exception as error:  # a defect of ours: count it, report it, keep playing
            self.faults += 1
            _log.exception("osc: %s", path)
            text = f"{type(error).__name__}: {error}"[:200]
            self._clients.error(client, path, "fault", text)

    def _worked(self, units: int) -> None:
        """Count the work of the current packet.

        Raises
        ------
        _TooMuch
            The packet exceeds the limit.
        """
        self._work += units
        if self._work > _MOST_WORK:
            raise _TooMuch("one packet asks for too much; split it into several")

    def _act(self, client: Client, message: Message) -> None:
        path, arguments = message.address, message.arguments
        self._worked(max(_PATTERN, len(path)) if is_pattern(path) else 1)
        if is_pattern(path):
            controls = self._controls.space.controls  # never a button
            found = [controls[p] for p in matching(path, controls)]
            if not found:
                raise _Unknown(f"{path[:80]!r} matches no control; /dump lists them all")
        else:
            address = self._controls.space.by_path.get(path)
            if address is None or address.kind == "answer":
                raise _Unknown(f"{path[:80]!r} is not an address; 'attacca osc' lists them")
            found = [address]
        if not arguments or found[0].kind not in ("control", "norm"):
            self._settle(client)  # earlier messages of the bundle take effect first
        if found[0].kind in ("control", "norm"):
            self._worked(len(found) - 1)
            self._controls.message(client, found, arguments)
        else:
            asks = found[0].kind == "query" or found[0].path == "/subscribe"
            self._worked(_ASK if asks else _PRESS)
            self._one(client, found[0], arguments)

    def _one(self, client: Client, address: Address, arguments: Sequence[object]) -> None:
        if address.kind == "stream":
            rate, *rest = arguments or (1,)
            if rest:
                client = self._clients.at_port(client, _port(address.path, rest[0]))
            self._streams.request(client, address.path[1:], rate)
        elif address.path in self.handlers:
            self.handlers[address.path](client, arguments)
        else:
            raise ConfigError(f"{address.path}: not available here")

    def _own(self) -> dict[str, Handler]:
        """The handlers of queries and subscriptions."""
        return {
            "/subscribe": self._subscribe,
            "/unsubscribe": self._unsubscribe,
            "/dump": lambda client, _: self._controls.dump(client),
            "/controls": lambda client, _: self._controls.describe(client),
            "/spectrum/bands": lambda client, _: self._clients.answer_raw(
                client, self._streams.sound.bands()
            ),
            "/ping": lambda client, _: self._queries.ping(client),
            "/status": lambda client, _: self._queries.status(client),
        }

    def _unsubscribe(self, client: Client, arguments: Sequence[object]) -> None:
        pattern = text_of("/unsubscribe", arguments[0]) if arguments else ""
        self._clients.unsubscribe(client, pattern)

    def _subscribe(self, client: Client, arguments: Sequence[object]) -> None:
        """`[port] [pattern]`; the port may be text."""
        rest = list(arguments)
        port: int | None = None
        if rest and not (isinstance(rest[0], str) and rest[0].startswith("/")):
            port = _port("/subscribe", rest.pop(0))
        pattern = text_of("/subscribe", rest.pop(0)) if rest else ""
        if rest:
            raise ConfigError(
                "/subscribe: too many arguments; send a port, a pattern, or both in this order"
            )
        self._clients.subscribe(client, port, pattern)

    # ------------------------------------------------------------------ slow work

    def slow(
        self,
        client: Client,
        address: str,
        work: Callable[[], object],
        done: Callable[[object], str | None],
        beside: Executor | None = None,
    ) -> None:
        """Run `work` in another thread (that of files), then `done` here; answer the client.

        `done` returns the text for /done, or None if the work is not finished yet.

        Raises
        ------
        ConfigError
            Too many jobs wait already.
        """
        if self._slow_waiting >= _MOST_SLOW:
            raise ConfigError(f"{address}: busy; send it again after the next /done")
        self._slow_waiting += 1
        future = (beside or self._beside).submit(work)
        future.add_done_callback(
            lambda f: self._soon(lambda: self._finished(client, address, f, done))
        )

    def _finished(
        self,
        client: Client,
        address: str,
        future: Future[object],
        done: Callable[[object], str | None],
    ) -> None:
        self._slow_waiting -= 1
        if future.cancelled():
            return

        def answer() -> None:
            text = done(future.result())
            if text is not None:
                self._clients.answer(client, "/done", address, text)

        self._guarded(client, address, answer)

    def later(self, client: Client, address: str, action: Callable[[], object]) -> None:
        """Any thread: run `action` in the OSC thread; the client receives its errors."""

        def carry_out() -> None:
            action()

        self._soon(lambda: self._guarded(client, address, carry_out))


def _port(address: str, argument: object) -> int:
    return int(min(max(number_of(address, argument), -1), 70_000))


class _Unknown(ConfigError):
    """The address does not exist."""


class _TooMuch(ConfigError):
    """A packet exceeds the work limit."""


def _code(error: AttaccaError) -> str:
    if isinstance(error, _Unknown):
        return "unknown"
    if isinstance(error, _TooMuch):
        return "limit"
    if isinstance(error, ConfigError):
        return "value"
    return "storage" if isinstance(error, StorageError) else "refused"
