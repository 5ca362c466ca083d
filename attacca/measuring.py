"""The measurements of `attacca bench`: block times, and the most steps this machine can take.

Main thread. The generator process that plays also generates these blocks, one after another; they
are timed at this end of the pipe. Times in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.pack_settings import first_sampling
from engine.packs.manifest import Manifest
from engine.packs.plan import block_seconds, make_plan
from engine.stream.generator import Generator
from engine.stream.lead_and_stride import lead_and_stride
from engine.stream.requests import make_request
from engine.time.clock import Clock

__all__ = ["BOUND", "Report", "Sustained", "Times", "fit_steps", "measure"]

BOUND = 0.6  # largest p99.9 of the generation time, as a fraction of the block
_MOST_STEPS = 200
_LEAST_BLOCKS = 4


@dataclass(frozen=True)
class Times:
    """Blocks with one number of steps: `duration` seconds of sound each, `took` seconds each."""

    steps: int
    stride: float
    duration: float
    took: tuple[float, ...]

    def at(self, percent: float) -> float:
        """A percentile of the generation time; with few blocks, the highest is the maximum."""
        return float(np.percentile(self.took, percent, method="higher"))

    @property
    def factor(self) -> float:
        """Real-time factor: generation time over audio time. Below 1 is faster than real time."""
        return float(np.mean(self.took)) / self.duration

    @property
    def load(self) -> float:
        """p99.9 of the generation time over the block's duration."""
        return self.at(99.9) / self.duration


@dataclass(frozen=True)
class Sustained:
    """The most steps whose p99.9 stays under `BOUND` of a block; 0 if not even one does."""

    steps: int
    basis: str


@dataclass(frozen=True)
class Report:
    """Measurements for one latency."""

    name: str
    latency: float
    times: Times
    sustained: Sustained


def fit_steps(points: list[Times]) -> int:
    """Most steps within the bound, by the line `median = a + b steps` and the worst tail seen.

    The tail is p99.9 over median, assumed to be the same for every number of steps.
    """
    steps = np.array([p.steps for p in points], float)
    medians = np.array([p.at(50) for p in points])
    b, a = np.polyfit(steps, medians, 1)
    tail = max(p.at(99.9) / p.at(50) for p in points)
    room = BOUND * points[0].duration / tail - a
    if room <= 0:
        return 0
    return int(min(_MOST_STEPS, room / b)) if b > 0 else _MOST_STEPS


class Bench:
    """Times blocks of one pack.

    Parameters
    ----------
    manifest : the pack.
    generator : started by `first_sound`; the caller stops it.
    clock : measures the times.
    say : called with a line of progress.
    """

    def __init__(
        self, manifest: Manifest, generator: Generator, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._manifest, self._generator = manifest, generator
        self._plan = make_plan(manifest)
        self._clock, self._say = clock, say
        self._index = 0

    def first_sound(self) -> float:
        """Seconds to start the generator, open the pack and generate the first block."""
        began = self._clock.now()
        self._generator.start()
        self._make(first_sampling(self._manifest).steps.default, 1.0)
        return self._clock.now() - began

    def _make(self, steps: int, stride: float) -> tuple[float, float]:
        """Generate one block. Returns generation time and audio time."""
        request = make_request(self._plan, self._index, steps=steps, stride=stride)
        self._index += 1
        began = self._clock.now()
        block = self._generator.make(request)
        took = self._clock.now() - began
        return took, len(block.samples) / self._manifest.rate

    def times(self, steps: int, stride: float, budget: float) -> Times:
        """Generate blocks for `budget` seconds, and a few at least."""
        self._say(f"{steps} steps, {stride * block_seconds(self._manifest):.2f} s blocks")
        took: list[float] = []
        lasts = 0.0
        end = self._clock.now() + budget
        while len(took) < _LEAST_BLOCKS or self._clock.now() < end:
            seconds, lasts = self._make(steps, stride)
            took.append(seconds)
        return Times(steps, stride, lasts, tuple(took))

    def report(self, name: str, latency: float, budget: float) -> Report:
        """Measure for one latency within about `budget` seconds."""
        steps = first_sampling(self._manifest).steps
        _, stride = lead_and_stride(latency, block_seconds(self._manifest))
        few = min(steps.least, max(1, steps.default // 2))
        main = self.times(steps.default, stride, 0.5 * budget)
        points = [self.times(few, stride, 0.1 * budget), main]
        points.append(self.times(2 * steps.default, stride, 0.15 * budget))
        return Report(name, latency, main, self._sustained(points, stride, 0.25 * budget))

    def _sustained(self, points: list[Times], stride: float, budget: float) -> Sustained:
        """Estimate by the fit, then try the estimate and a lower number."""
        estimate = fit_steps(points)
        if estimate < 1:
            return Sustained(0, f"estimated from a fit of {len(points)} measured points")
        steps = estimate
        for steps in dict.fromkeys((estimate, max(1, round(0.9 * estimate)))):
            tried = self.times(steps, stride, budget / 2)
            if tried.load <= BOUND:
                return Sustained(steps, f"measured over {len(tried.took)} blocks")
            points.append(tried)
        again = min(fit_steps(points), steps - 1)
        return Sustained(again, f"estimated from a fit of {len(points)} measured points")


def measure(
    manifest: Manifest,
    generator: Generator,
    latencies: dict[str, float],
    budget: float,
    *,
    clock: Clock,
    say: Callable[[str], None],
) -> tuple[float, list[Report]]:
    """Seconds to first sound, and a report for each latency, in about `budget` seconds.

    Raises
    ------
    AttaccaError
        The pack cannot be opened.
    """
    bench = Bench(manifest, generator, clock, say)
    try:
        first = bench.first_sound()
        share = budget / len(latencies)
        return first, [bench.report(n, s, share) for n, s in latencies.items()]
    finally:
        generator.stop()
