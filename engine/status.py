"""What the instrument tells of itself: events, latencies, a snapshot of everything. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.audio.meters import MeterSnapshot
from engine.audio.mixer_counters import MixerStats
from engine.audio.ring import RingStats
from engine.audio.takes import TakeStatus
from engine.stream.feeder import StreamStats
from engine.stream.lead import LeadStats
from engine.time.latencies import Latencies


@dataclass(frozen=True)
class Event:
    """Something a performer should know. `at` is seconds of the instrument's clock."""

    kind: str
    text: str
    at: float


@dataclass(frozen=True)
class Status:
    """A snapshot of everything that an interface of the instrument shows.

    `ring` is of the device that is open; all zeros without one. `trouble` says what goes wrong
    again and again at the moment, `failed` what ended the stream; both are empty when all is well.
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
    trouble: str
    failed: str
