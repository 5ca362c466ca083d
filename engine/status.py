"""What an instrument reports: events, and its status. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.audio.meters import MeterSnapshot
from engine.audio.mixer_counters import MixerStats
from engine.audio.ring import RingStats
from engine.audio.takes import TakeStatus
from engine.stream.lead import LeadStats
from engine.stream.stream_stats import StreamStats
from engine.time.latencies import Latencies


@dataclass(frozen=True)
class Event:
    """A message for the performer; `at` is in seconds since playing started."""

    kind: str
    text: str
    at: float


@dataclass(frozen=True)
class Status:
    """Everything that an interface of the instrument shows, at one moment.

    `ring` belongs to the open device; all zeros without one. `problem` is a problem that recurs at
    the moment, `failed` the error that ended the stream; both are empty when all is well.
    `history`: seconds that the music can go back by.
    `listener_errors`: how often a listener raised; an event of kind `error` describes it.
    """

    pack: str
    device: str
    seconds: float
    meters: MeterSnapshot
    stream: StreamStats
    lead: LeadStats
    xruns: int
    paused: bool
    recording: Path | None
    take: TakeStatus
    mixer: MixerStats
    ring: RingStats
    device_tries: int
    action_faults: int
    listener_errors: int
    latencies: Latencies
    history: float
    problem: str
    failed: str
