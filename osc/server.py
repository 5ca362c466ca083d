"""The OSC server: one thread with its own asyncio loop, for an instrument that plays.

`start`, `stop` and the properties may be called from any one thread; everything else belongs to the
server's thread, which never touches audio: it sets and reads immutable values.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import AttaccaError, WorkerError
from engine.instrument import Instrument
from engine.status import Event
from osc import LOOPBACK, PORT
from osc.addresses import address_space
from osc.beats import Beats
from osc.clients import LEASE, Clients
from osc.control import Controls
from osc.desk import Desk, DeskCommands
from osc.endpoint import Endpoint, Peer, networks
from osc.moments import Moments
from osc.performance import Performance
from osc.queries import OscFigures, Queries
from osc.router import Router
from osc.schedule import Schedule
from osc.streams import Streams
from osc.system_commands import SystemCommands
from osc.timed_controls import TimedControls

if TYPE_CHECKING:
    from osc.query.server import QueryServer

__all__ = ["OscServer"]

_TICK = 0.005  # seconds between two ticks
_START = 10.0  # seconds that opening the sockets may take
_STOP = 1.0  # seconds that closing them may take


class OscServer:
    """Lets other programs control `instrument`.

    Parameters
    ----------
    instrument : must be playing.
    port : for UDP and TCP; 0 takes a free one.
    listen : the address to listen on; by default only this machine.
    allow : hosts and networks that are accepted; empty accepts every host.
    library : the folder for presets, snapshots and recordings.
    version : sent with `/pong`.
    lease : seconds from a client's last message until it expires.
    query_ports : ports for OSCQuery, tried in this order, 0 for a free one; empty: no OSCQuery.
    announce : whether zeroconf announces OSC and OSCQuery.
    midi : handles the addresses below /midi/.
    leave : ends the program, called from the server's thread; without it, /quit is refused.

    Raises
    ------
    ConfigError
        An address is invalid.
    """

    def __init__(
        self,
        instrument: Instrument,
        *,
        library: Path,
        port: int = PORT,
        listen: str = LOOPBACK,
        allow: Sequence[str] = (),
        version: str = "",
        lease: float = LEASE,
        query_ports: Sequence[int] = (),
        announce: bool = False,
        leave: Callable[[], None] | None = None,
        midi: Desk | None = None,
    ) -> None:
        self._leave, self._midi = leave, midi
        self._query_ports, self._announce = tuple(query_ports), announce
        self._query: QueryServer | None = None
        self._instrument, self._library, self._version = instrument, library, version
        self._lease = lease
        self._listen, self._configured_port, self._allow = listen, port, networks(allow)
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._ending: Callable[[], None] | None = None
        self._problem: BaseException | None = None
        self._endpoint: Endpoint | None = None
        self._figures: Callable[[], OscFigures] | None = None

    def start(self) -> None:
        """Start to listen.

        Raises
        ------
        ConfigError
            The port is in use, or the address does not belong to this machine.
        """
        self._thread = threading.Thread(target=self._run, name="attacca-osc", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START):
            raise WorkerError(f"osc: the sockets did not open within {_START:g} s; restart Attacca")
        if self._problem is not None:
            self._thread.join()
            self._thread = None
            raise self._problem

    def stop(self) -> None:
        """Stop the server; stopping twice is harmless.

        Work that does not end in time continues in its own thread.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._ending is not None:
            self._ending()
        thread.join(_STOP)

    def __enter__(self) -> OscServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port in use, also if the system chose it."""
        return self._endpoint.port if self._endpoint is not None else self._configured_port

    @property
    def errors(self) -> dict[str, int]:
        """Errors of the server, by names for display."""
        figures = self._figures() if self._figures is not None else None
        return {"OSC faults": figures.faults} if figures is not None else {}

    @property
    def query_port(self) -> int:
        """The port of OSCQuery; 0 without it."""
        return self._query.port if self._query is not None else 0

    # ------------------------------------------------------------------ the server's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except AttaccaError as error:
            self._problem = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()
        now = self._instrument.now
        router: Router | None = None

        def take(peer: Peer, data: bytes) -> None:
            if router is not None:
                router.take(peer, data)

        def refuse(peer: Peer, reason: str) -> None:
            if router is not None:
                router.refuse(peer, reason)

        def gone(peer: Peer) -> None:
            clients.gone(peer)

        endpoint = Endpoint(
            take, refuse, gone, listen=self._listen, port=self._configured_port, allow=self._allow,
        )  # fmt: skip

        def send(peer: Peer, data: bytes) -> None:
            if peer.connection >= 0:
                endpoint.send(peer, data)
            elif self._query is not None:
                self._query.send(peer, data)

        space = address_space(self._instrument.settings.table)
        clients = Clients(send, space, now, self._lease)
        schedule = Schedule(loop)
        controls = Controls(self._instrument, clients, partial(_soon, loop))
        streams = Streams(self._instrument, clients, now)

        def figures() -> OscFigures:
            counts = endpoint.counts
            bad, faults = (router.bad, router.faults) if router is not None else (0, 0)
            return OscFigures(
                len(clients), counts.packets, counts.sent, bad, schedule.late, len(schedule),
                counts.refused,
                clients.dropped + counts.unsent + (self._query.unsent if self._query else 0),
                faults,
            )  # fmt: skip

        self._figures = figures
        queries = Queries(self._instrument, clients, figures, now, self._version)
        with (
            ThreadPoolExecutor(1, "attacca-osc-files") as beside,
            _not_waited_for(ThreadPoolExecutor(1, "attacca-osc-changes")) as changing,
        ):
            router = Router(
                clients, controls, streams, queries, schedule,
                lambda call: _soon(loop, call), beside,
            )  # fmt: skip
            router.timed_controls = ahead = TimedControls(self._instrument, controls, schedule)

            def drop_scheduled() -> None:
                schedule.clear()
                ahead.clear()

            def take_event(event: Event) -> None:
                if event.kind == "panic":
                    _soon(loop, drop_scheduled)

            stop_listening = self._instrument.listen(take_event)

            performance = Performance(
                self._instrument, controls, clients, self._library, router.slow,
                router.later,
            )  # fmt: skip
            changes = SystemCommands(
                self._instrument, clients, partial(router.slow, beside=changing), router.slow,
                router.later, self._library / "recordings", self._leave,
            )  # fmt: skip
            moments = Moments(
                self._instrument, controls, clients, self._library / "snapshots", router.slow,
                router.later,
            )  # fmt: skip
            desk = DeskCommands(clients, self._midi, lambda: controls.space)
            for part in (performance, moments, changes, desk):
                router.handlers |= part.handlers()
            queries.midi = self._midi
            beats = Beats(self._instrument, clients)
            await endpoint.open()
            self._endpoint = endpoint
            try:
                async with self._queried(endpoint, router, controls, clients):
                    self._ending = lambda: _soon(loop, ending.set)
                    self._ready.set()
                    await _until(ending, lambda: _tick(beats, ahead, controls, streams, clients))
            finally:
                stop_listening()
                controls.close()
                streams.close()
                schedule.clear()
                await endpoint.close()

    @contextlib.asynccontextmanager
    async def _queried(
        self, endpoint: Endpoint, router: Router, controls: Controls, clients: Clients
    ) -> AsyncGenerator[None]:
        """Run OSCQuery, if it is enabled, and announce both."""
        if not self._query_ports:
            yield
            return
        from osc.query.announce import Announcement
        from osc.query.server import Hooks, QueryServer

        hooks = Hooks(
            controls.value, lambda: controls.space, router.take,
            lambda peer, path: clients.subscribe(clients.seen(peer), None, path),
            lambda peer, path: clients.unsubscribe(clients.seen(peer), path),
            clients.seen, clients.gone, endpoint.allowed, endpoint.refuse,
        )  # fmt: skip
        query = QueryServer(
            hooks, listen=self._listen, ports=self._query_ports, osc_port=endpoint.port
        )
        await query.open()
        self._query = query
        controls.moved = query.move
        announcement = Announcement(self._listen, endpoint.port, query.port)
        announcing = asyncio.create_task(announcement.begin()) if self._announce else None
        try:
            yield
        finally:
            if announcing is not None:
                announcing.cancel()
                await announcement.end()
            await query.close()


@contextlib.contextmanager
def _not_waited_for(executor: ThreadPoolExecutor) -> Generator[ThreadPoolExecutor]:
    """An executor whose work may hang, in a sound system for instance; the exit does not wait."""
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _tick(
    beats: Beats, ahead: TimedControls, controls: Controls, streams: Streams, clients: Clients
) -> None:
    """Publish changes, and run what is due."""
    beats.tick()
    ahead.tick()
    controls.watch()
    streams.tick()
    clients.expire()


async def _until(ending: asyncio.Event, tick: Callable[[], None]) -> None:
    """Call `tick` repeatedly until the end."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def again() -> None:
        nonlocal timer
        timer = loop.call_later(_TICK, again)
        tick()

    again()
    await ending.wait()
    if timer is not None:
        timer.cancel()


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the server has ended
        loop.call_soon_threadsafe(call)
