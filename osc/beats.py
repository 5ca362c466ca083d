"""The stream of beats: `/beat number place bpm` as each beat falls, to those who asked for it.

It is also what keeps the tempo up to date while a server runs: it looks at each tick. Runs in the
OSC thread.
"""

from __future__ import annotations

import math

from engine.instrument import Instrument
from osc.clients import Clients
from osc.packets import message

__all__ = ["Beats"]

_ON_IT = 1e-6  # beats


class Beats:
    """The beats of one server.

    Parameters
    ----------
    instrument : whose tempo it is.
    clients : who may have asked.
    """

    def __init__(self, instrument: Instrument, clients: Clients) -> None:
        self._tempo, self._clients, self._now = instrument.tempo, clients, instrument.now
        self._last: int | None = None

    def tick(self) -> None:
        """Look whether a beat has fallen since the last look."""
        now = self._now()
        timeline = self._tempo.timeline(now)
        number = math.floor(timeline.beat_at(now) + _ON_IT)
        last, self._last = self._last, number
        if last is None or number == last:
            return
        data = message("/beat", number, number % timeline.quantum + 1, float(timeline.bpm))
        for client in self._clients.all():
            if "beat" in client.streams:
                self._clients.stream(client, data)
