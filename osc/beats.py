"""The stream of beats: `/beat number place bpm` on each beat.

Its ticks also keep the tempo up to date while a server runs. Runs in the OSC thread.
"""

from __future__ import annotations

import math

from engine.instrument import Instrument
from osc.clients import Clients
from osc.packets import message

__all__ = ["Beats"]

_TOLERANCE = 1e-6  # beats


class Beats:
    """The beats of one server.

    Parameters
    ----------
    instrument : has the tempo.
    clients : those with the stream `beat` receive it.
    """

    def __init__(self, instrument: Instrument, clients: Clients) -> None:
        self._tempo, self._clients, self._now = instrument.tempo, clients, instrument.now
        self._last: int | None = None

    def tick(self) -> None:
        """Send a message if a beat has passed since the last tick."""
        now = self._now()
        timeline = self._tempo.timeline(now)
        number = math.floor(timeline.beat_at(now) + _TOLERANCE)
        last, self._last = self._last, number
        if last is None or number == last:
            return
        data = message("/beat", number, number % timeline.quantum + 1, float(timeline.bpm))
        for client in self._clients.all():
            if "beat" in client.streams:
                self._clients.stream(client, data)
