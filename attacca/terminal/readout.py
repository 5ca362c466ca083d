"""The status as words and bars: a view model made from a Status, independent of the terminal.

Pure functions and values; any thread. Levels arrive linear and leave in dB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.counters import errors_of

if TYPE_CHECKING:
    from engine.controls.settings import Settings
    from engine.status import Status

__all__ = ["KEYS_HELP", "Readout", "bar", "clock_time", "decibels", "readout"]

KEYS_HELP = (
    "space pause  r record  s seed  n new piece  + - steps  [ ] gain  p panic  q quit\n"
    "b back a bar  k take a snapshot  l return to the last one  f fork"
)
FLOOR_DB = -60.0


def decibels(level: float) -> float:
    """Linear level to dB of full scale, no lower than the meter's floor.

    >>> decibels(1.0), decibels(0.0)
    (0.0, -60.0)
    """
    return max(FLOOR_DB, 20.0 * math.log10(level)) if level > 0.0 else FLOOR_DB


def clock_time(seconds: float) -> str:
    """Format seconds as a clock time.

    >>> clock_time(75), clock_time(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(db: float, width: int, *, full: str = "█", empty: str = "░") -> str:
    """A meter of `width` characters from -60 dB to 0 dB.

    >>> bar(-30.0, 8, full="#", empty=".")
    '####....'
    """
    filled = round(width * min(1.0, max(0.0, 1.0 - db / FLOOR_DB)))
    return full * filled + empty * (width - filled)


@dataclass(frozen=True)
class Readout:
    """The state of a performance at one moment, in the units that are shown.

    Attributes
    ----------
    peaks_db, rms_db : one for each channel.
    lead : in seconds.
    load, worst : generation time over audio time of a block, and its maximum.
    steps : of the last block; `requested`: as set by the control; `eased`: the governor lowered
        them; `pending`: a changed control waits for the next block.
    block_time : seconds to generate one of the last blocks.
    errors : names and counts; see engine/counters.py.
    """

    pack: str
    device: str
    state: str
    played: float
    peaks_db: tuple[float, ...]
    rms_db: tuple[float, ...]
    lead: float
    load: float
    worst: float
    steps: int
    requested: int
    eased: bool
    pending: bool
    sampler: str
    block_time: float
    seed: int
    gain: float
    xruns: int
    gaps: int
    restarts: int
    errors: tuple[tuple[str, int], ...]
    live_latency: float
    block_latency: float
    recording: str
    last: str

    @property
    def steps_text(self) -> str:
        """The current steps, and why they differ from the requested ones."""
        if self.eased:
            return f"{self.steps} (reduced from {self.requested})"
        if self.pending and self.steps and self.steps != self.requested:
            return f"{self.steps} (next {self.requested})"
        return str(self.steps or self.requested)

    @property
    def errors_text(self) -> str:
        """The errors so far; empty if there are none."""
        return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in self.errors)

    @property
    def line(self) -> str:
        """Everything in one plain line."""
        level = max(self.peaks_db, default=FLOOR_DB)
        parts = [
            f"{clock_time(self.played)} {self.state}",
            f"peak {level:.1f} dB",
            f"lead {self.lead:.1f} s",
            f"load {self.load:.2f}",
            f"steps {self.steps_text}",
            f"block {self.block_time:.2f} s",
            f"seed {self.seed}",
            f"xruns {self.xruns}",
            f"gaps {self.gaps}",
        ]
        if self.restarts:
            parts.append(f"restarts {self.restarts}")
        if self.errors:
            parts.append(f"errors: {self.errors_text}")
        if self.recording:
            parts.append(f"recording {self.recording}")
        return "  ".join(parts)


def readout(
    status: Status,
    settings: Settings,
    played: float,
    last: str = "",
    more_errors: Mapping[str, int] | None = None,
) -> Readout:
    """Build a readout.

    Parameters
    ----------
    status, settings : of the instrument.
    played : seconds since the first sound.
    last : the last event, in one line.
    more_errors : errors of OSC and MIDI.
    """
    errors = {**errors_of(status), **(more_errors or {})}
    stream, lead, meters = status.stream, status.lead, status.meters
    if status.paused:
        state = "paused"
    elif not stream.blocks:
        state = "starting"
    elif status.problem:
        state = "failing"
    else:
        state = "playing"
    return Readout(
        pack=status.pack, device=status.device, state=state, played=played,
        peaks_db=tuple(decibels(v) for v in meters.peak),
        rms_db=tuple(decibels(v) for v in meters.rms),
        lead=lead.seconds, load=stream.load, worst=stream.worst_load,
        steps=stream.steps, requested=int(settings.number("steps")), eased=stream.eased,
        pending=stream.pending, sampler=str(settings["sampler"]),
        block_time=stream.seconds,
        seed=stream.seed, gain=settings.number("gain"),
        xruns=status.xruns, gaps=lead.gaps, restarts=stream.restarts,
        errors=tuple((name, count) for name, count in errors.items() if count),
        live_latency=status.latencies.live, block_latency=status.latencies.total,
        recording=status.recording.name if status.recording else "", last=last,
    )  # fmt: skip
