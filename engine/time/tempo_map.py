"""Which beat of a piece falls on which sample. Immutable; pure arithmetic, exact.

The map is a log: the sample at which each beat falls, a whole number, and where each beat lies in
its bar. What is written never changes. The request of a block says how the beats follow that are
not written yet (`Pace`): a change of tempo applies from the next beat that a block needs, and the
same requests write the same map. The walk of a plan keeps the map in its state.

A beat is a quarter note. Between two beats time is linear. Samples are counted from the beginning
of the piece, at the pack's rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError

__all__ = ["FASTEST", "LONGEST_BAR", "SLOWEST", "Pace", "TempoMap"]

SLOWEST, FASTEST = 20, 300  # beats per minute
LONGEST_BAR = 64  # beats


@dataclass(frozen=True)
class Pace:
    """How beats follow that are not written yet: beats per minute, beats in the bars that begin.

    Raises
    ------
    ConfigError
        A value is out of range.
    """

    bpm: float = 120.0
    bar: int = 4

    def __post_init__(self) -> None:
        if not SLOWEST <= self.bpm <= FASTEST:
            raise ConfigError(
                f"tempo: {self.bpm:g} is out of range; enter {SLOWEST} to {FASTEST} BPM"
            )
        if not 1 <= self.bar <= LONGEST_BAR:
            raise ConfigError(f"beats: {self.bar} is out of range; enter 1 to {LONGEST_BAR}")

    def beat(self, rate: int) -> Fraction:
        """Samples of one beat."""
        return 60 * rate / Fraction(self.bpm)


@dataclass(frozen=True)
class TempoMap:
    """The beats of a piece that are known.

    Attributes
    ----------
    rate : samples per second.
    first : number of the first beat that is remembered.
    samples : at which it and those after it fall.
    places : for each beat but the last one: beats since its bar began.
    bars : for each beat but the last one: beats in its bar.
    pace : by which the last ones were written.
    since : the beat from which that pace counts, and its sample.
    """

    rate: int
    first: int = 0
    samples: tuple[int, ...] = (0,)
    places: tuple[int, ...] = ()
    bars: tuple[int, ...] = ()
    pace: Pace = field(default_factory=Pace)
    since: tuple[int, int] = (0, 0)

    @property
    def last(self) -> int:
        """Number of the last beat that is written."""
        return self.first + len(self.samples) - 1

    def until(self, beat: Fraction | int, pace: Pace) -> TempoMap:
        """The map in which the beats up to `beat` are written, those that were not by `pace`."""
        count = math.ceil(beat) - self.last
        if count <= 0:
            return self
        samples, places, bars = list(self.samples), list(self.places), list(self.bars)
        # Before the first beat is written there is no pace to continue.
        goes_on = bool(bars) and pace.bpm == self.pace.bpm
        since = self.since if goes_on else (self.last, samples[-1])
        length = pace.beat(self.rate)
        for beat_number in range(self.last + 1, self.last + count + 1):
            place = (places[-1] + 1) % bars[-1] if bars else self.first % pace.bar
            bars.append(bars[-1] if bars and place else pace.bar)
            places.append(place)
            samples.append(since[1] + math.floor((beat_number - since[0]) * length))
        return replace(
            self, samples=tuple(samples), places=tuple(places), bars=tuple(bars), pace=pace,
            since=since,
        )  # fmt: skip

    def remembering(self, beats: int) -> TempoMap:
        """The map without all but the last `beats` beats, at least one of them."""
        drop = len(self.samples) - 1 - max(1, beats)
        if drop <= 0:
            return self
        return replace(
            self, first=self.first + drop, samples=self.samples[drop:], places=self.places[drop:],
            bars=self.bars[drop:],
        )  # fmt: skip

    def sample_of(self, beat: Fraction | int) -> Fraction:
        """The sample at which a beat, or a fraction of one, falls."""
        i = self._interval(beat)
        if i is None:
            return self.samples[0] + (beat - self.first) * self.pace.beat(self.rate)
        begin, end = self.samples[i], self.samples[i + 1]
        return begin + (end - begin) * (Fraction(beat) - self.first - i)

    def bar_of(self, beat: Fraction) -> tuple[Fraction, int, float]:
        """Beats since the bar began, beats in the bar, and beats per minute.

        Raises
        ------
        ValueError
            No beat is written yet.
        """
        i = self._interval(beat)
        if i is None:
            raise ValueError("a tempo map without beats")
        place = (self.places[i] + Fraction(beat) - self.first - i) % self.bars[i]
        bpm = 60 * self.rate / (self.samples[i + 1] - self.samples[i])
        return place, self.bars[i], bpm

    def _interval(self, beat: Fraction | int) -> int | None:
        """Index of the beat that began last; beyond what is known, the first or last one."""
        if not self.places:
            return None
        return min(max(math.floor(beat) - self.first, 0), len(self.places) - 1)

    def state(self) -> dict[str, NDArray[Any]]:
        """As named arrays."""
        return {
            "where": np.array([self.first, *self.since, self.pace.bar], np.int64),
            "bpm": np.array(self.pace.bpm, np.float64),
            "samples": np.array(self.samples, np.int64),
            "places": np.array(self.places, np.int64),
            "bars": np.array(self.bars, np.int64),
        }

    @classmethod
    def restored(cls, rate: int, state: Mapping[str, NDArray[Any]]) -> TempoMap:
        """The map of a state.

        Raises
        ------
        ConfigError, KeyError, ValueError
            It is not the state of a map.
        """
        first, beat, sample, bar = (int(n) for n in state["where"])
        samples, places, bars = (
            tuple(map(int, state[name])) for name in ("samples", "places", "bars")
        )
        rising = all(a < b for a, b in pairwise(samples))
        in_bars = all(0 <= place < bar for place, bar in zip(places, bars, strict=True))
        if len(samples) != len(places) + 1 or not (rising and in_bars):
            raise ValueError("beats that are in no order")
        pace = Pace(float(state["bpm"]), bar)
        return cls(rate, first, samples, places, bars, pace, (beat, sample))
