"""A timeline of beats: the time of each beat in seconds. Immutable; pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Quantise", "Timeline"]

Quantise = Literal["off", "beat", "bar"]
_TOLERANCE = 1e-6  # beats: closer positions count as on the beat


@dataclass(frozen=True)
class Timeline:
    """A constant tempo and a reference beat.

    Attributes
    ----------
    beat : the position in beats at the time `at`; may be negative.
    at : seconds of the instrument's clock.
    bpm : beats per minute.
    quantum : beats in a bar.
    """

    beat: float
    at: float
    bpm: float
    quantum: int

    def beat_at(self, when: float) -> float:
        """The position in beats at a time."""
        return self.beat + (when - self.at) * self.bpm / 60.0

    def time_of(self, beat: float) -> float:
        """The time of a beat."""
        return self.at + (beat - self.beat) * 60.0 / self.bpm

    def phase(self, when: float) -> float:
        """Beats since the start of the bar: 0 up to, not including, `quantum`."""
        # A tiny negative position would otherwise round up to a whole bar.
        phase = self.beat_at(when) % self.quantum
        return phase if phase < self.quantum else 0.0

    def next_beat(self, quantise: Quantise, when: float) -> float:
        """The first beat or downbeat at `when` or after it; with "off" the position itself."""
        position = self.beat_at(when)
        if quantise == "off":
            return position
        unit = 1 if quantise == "beat" else self.quantum
        return math.ceil((position - _TOLERANCE) / unit) * float(unit)

    def seconds_until(self, quantise: Quantise, now: float) -> float:
        """Seconds from `now` until the next beat or bar; 0 on it, and with "off"."""
        if quantise == "off":
            return 0.0
        return max(0.0, self.time_of(self.next_beat(quantise, now)) - now)

    def with_tempo(self, bpm: float, now: float) -> Timeline:
        """The same position at `now`, with another tempo from then on."""
        return Timeline(self.beat_at(now), now, bpm, self.quantum)
