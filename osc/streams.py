"""Streams: messages at a rate that the client chooses, or when something happens.

Meters and the lead are read from immutable values. Notes and events come from other threads through
bounded queues, and notes wait here until they are audible. Runs in the OSC thread, except `note`
and `event`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from engine.errors import AttaccaError
from engine.instrument import Instrument
from engine.notes.note import NoteEvent
from engine.status import Event
from osc import sound_streams
from osc.block_streams import BlockStreams
from osc.clients import Client, Clients
from osc.packets import message
from osc.sound_streams import SoundStreams
from osc.values import number_of

__all__ = ["Streams"]

_FLOOR = -90.0  # dB of silence
_FASTEST = 60.0  # Hz
_AT_A_RATE = ("meters", "lead", "scope", "spectrum", "playhead")
_MOST = 1024  # notes or events that wait


class Streams:
    """The streams of one server.

    Parameters
    ----------
    instrument : must be playing.
    clients : those with streams receive messages.
    now : monotonic clock in seconds.
    """

    def __init__(self, instrument: Instrument, clients: Clients, now: Callable[[], float]) -> None:
        self._instrument, self._clients, self._now = instrument, clients, now
        self._notes: deque[tuple[float, NoteEvent]] = deque(maxlen=_MOST)
        self._events: deque[Event] = deque(maxlen=_MOST)
        self._soon: list[tuple[float, int, NoteEvent]] = []
        self._count = 0
        self.sound = SoundStreams(instrument, now)
        self._blocks = BlockStreams(instrument, clients, self.sound.middles)
        self._stop_listening = (instrument.listen_notes(self.note), instrument.listen(self.event))

    def note(self, note: NoteEvent) -> None:
        """Any thread: queue a note that goes to the output now."""
        self._notes.append((self._now(), note))

    def event(self, event: Event) -> None:
        """Any thread: queue an event."""
        self._events.append(event)

    def request(self, client: Client, name: str, argument: object) -> None:
        """Start a stream at a rate in Hz, or end it with 0.

        Raises
        ------
        ConfigError
            The rate is not a number.
        """
        rate = min(max(number_of(f"/{name}", argument), 0.0), _FASTEST)
        if rate > 0:
            client.streams[name] = rate
            client.due[name] = self._now()
            if name == "spectrum":
                self._clients.answer_raw(client, self.sound.bands())
        else:
            client.streams.pop(name, None)

    def tick(self) -> None:
        """Send the messages that are due."""
        self._send_notes_and_events()
        self._blocks.tick()
        now, needs_sound = self._now(), False
        figures: dict[str, bytes] = {}
        for client in self._clients.all():
            for name, rate in client.streams.items():
                needs_sound = needs_sound or name in sound_streams.NAMES
                if name in _AT_A_RATE and client.due[name] <= now:
                    client.due[name] = max(client.due[name] + 1 / rate, now)
                    if name in sound_streams.NAMES:
                        data = self.sound.figure(name, rate)
                    else:  # the same for every client
                        data = figures[name] = figures.get(name) or self._figures(name)
                    self._clients.stream(client, data)
        self.sound.want(needs_sound)

    def close(self) -> None:
        """Stop listening to the instrument."""
        for stop in self._stop_listening:
            stop()
        self.sound.want(False)
        self._blocks.close()

    def _send_notes_and_events(self) -> None:
        """Send notes that are audible by now, and events."""
        if self._notes:
            try:
                live = self._instrument.latencies().live
            except AttaccaError:
                live = 0.0
            while self._notes:
                at, note = self._notes.popleft()
                self._count += 1
                heappush(self._soon, (at + live, self._count, note))
        now = self._now()
        while self._soon and (self._soon[0][0] <= now or len(self._soon) > _MOST):
            note = heappop(self._soon)[2]
            self._to_all("notes", message("/note", note.pitch, note.velocity))
        while self._events:
            event = self._events.popleft()
            self._to_all("events", message("/event", event.kind, event.text[:400]))

    def _to_all(self, name: str, data: bytes) -> None:
        for client in self._clients.all():
            if name in client.streams:
                self._clients.stream(client, data)

    def _figures(self, name: str) -> bytes:
        if name == "playhead":
            return self._blocks.playhead()
        try:
            status = self._instrument.status()
        except AttaccaError:  # the instrument is closed
            return message(f"/{name}")
        if name == "lead":
            return message("/lead", status.lead.seconds)
        meters = status.meters
        levels = [meters.peak[0], meters.peak[-1], meters.rms[0], meters.rms[-1]]
        held = [meters.hold[0], meters.hold[-1]]
        return message(
            "/meters", *map(_decibels, [*levels, 1 - meters.reduction]), meters.clips,
            *map(_decibels, held),
        )  # fmt: skip


def _decibels(level: float) -> float:
    return max(_FLOOR, 20 * math.log10(level)) if level > 0 else _FLOOR
