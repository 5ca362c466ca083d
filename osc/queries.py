"""`/ping` and `/status`. Runs in the OSC thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.counters import COUNTERS, count_of
from engine.instrument import Instrument
from osc.clients import Client, Clients
from osc.desk import Desk, desk_figures
from osc.packets import bundles, message
from osc.values import Wire

__all__ = ["OscFigures", "Queries"]

PROGRAM = "attacca"


@dataclass(frozen=True)
class OscFigures:
    """The server's own counters, with their names below `/status/osc/`."""

    clients: int
    packets: int
    sent: int
    bad: int
    late: int
    waiting: int
    refused: int
    dropped: int
    faults: int


class Queries:
    """Answers queries from immutable values.

    Parameters
    ----------
    instrument : must be playing.
    clients : receive the answers.
    figures : returns the server's own counters.
    now : monotonic clock in seconds; the uptime starts now.
    version : version of the program.
    """

    def __init__(
        self,
        instrument: Instrument,
        clients: Clients,
        figures: Callable[[], OscFigures],
        now: Callable[[], float],
        version: str,
    ) -> None:
        self._instrument, self._clients, self._figures = instrument, clients, figures
        self._now, self._version, self._begun = now, version, now()
        self.midi: Desk | None = None

    def ping(self, client: Client) -> None:
        """Answer with `/pong`."""
        uptime = self._now() - self._begun
        self._clients.answer(client, "/pong", PROGRAM, self._version, uptime)

    def status(self, client: Client) -> None:
        """Send `/status/...` in as few bundles as possible.

        Raises
        ------
        ConfigError
            Nothing is playing.
        """
        figures = self.read()
        for data in bundles(message(f"/status/{name}", figures[name]) for name in figures):
            self._clients.answer_raw(client, data)

    def _requested_steps(self) -> int:
        return int(self._instrument.settings.number("steps"))

    def read(self) -> dict[str, Wire]:
        """Every value by its name below `/status/`.

        Raises
        ------
        ConfigError
            Nothing is playing.
        """
        s, beat = self._instrument.status(), self._instrument.tempo.status()
        own = self._figures()
        return {
            "pack": s.pack, "device": s.device, "rate": self._instrument.rate,
            "seconds": float(s.seconds), "lead": 1000 * float(s.lead.seconds),
            "load": float(s.stream.load), "steps": s.stream.steps,
            "pending": int(s.stream.pending), "history": float(s.history),
            "recording": str(s.recording or ""), "failed": s.failed,
            "trouble": s.problem, "errors/last": s.mixer.last_error,
            "realtime": int(s.mixer.realtime),
            **{c.name: count_of(s, c) for c in COUNTERS},
            "recording/seconds": float(s.take.seconds), "recording/bytes": float(s.take.bytes),
            "recording/free": float(s.take.free),
            "recording/problem": s.take.problem, "steps/requested": self._requested_steps(),
            "eased": int(s.stream.eased), "stride": float(s.stream.stride),
            **{
                f"latency/{part}": 1000 * float(getattr(s.latencies, part))
                for part in ("device", "ring", "mixer", "lead")
            },
            "latency/live": 1000 * float(s.latencies.live),
            "latency/block": 1000 * float(s.latencies.total),
            "tempo/bpm": float(beat.bpm), "tempo/source": beat.source, "tempo/peers": beat.peers,
            "tempo/locked": int(beat.locked),
            **desk_figures(self.midi),
            **{f"osc/{name}": value for name, value in vars(own).items()},
        }  # fmt: skip
