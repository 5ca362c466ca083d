"""The instrument played live into a card that is a thread, to measure latencies.

`ProbedInstrument` is the product's `Instrument` with two probes. Instead of PortAudio a thread
takes periods out of the output ring, at the pace of a clock, and keeps them with their times. And
the generator's blocks are kept with theirs. Nothing between the two is changed.

Times are seconds of `time.perf_counter`. What the device adds after the ring is not in them.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from engine.audio.ring import OutputRing
from engine.audio.sinks import RingSink, Sink
from engine.instrument import Instrument
from engine.output import CHANNELS_OUT, Output, ring_for
from engine.packs.plan import make_plan
from engine.resample import resample
from engine.stream.generator import Block
from engine.stream.pack_stream import PackStream
from engine.stream.requests import make_request

RATE = 48_000
PERIOD = 256  # frames that the card takes at a time
TONE_HZ = 1500.0  # whole periods in 256 frames at 48 kHz, so that every period's level is exact

Samples = NDArray[np.float32]


class Card:
    """A sound card that is a thread: takes frames from the ring at the pace of the clock."""

    def __init__(self, ring: OutputRing) -> None:
        self._ring = ring
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-card", daemon=True)
        self.times: list[float] = []
        self.periods: list[Samples] = []
        self.short = 0  # periods that the ring could not fill
        self._thread.start()

    def stop(self) -> None:
        """End the thread; before the ring is closed."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        due, playing = time.perf_counter(), False
        while not self._stop.is_set():
            due += PERIOD / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            got = self._ring.read(PERIOD)[:, 0]
            playing = playing or got.size == PERIOD
            self.short += playing and got.size < PERIOD
            whole = np.zeros(PERIOD, np.float32)
            whole[: got.size] = got
            self.times.append(time.perf_counter())
            self.periods.append(whole)


@dataclass(frozen=True)
class Noted:
    """A block as it left the generator."""

    at: float
    block: Block


class CardOutput(Output):
    """The product's output, with the thread in place of PortAudio."""

    def _open(self, device: str | None, fill_s: float) -> Sink:
        self.rate, self.channels = RATE, CHANNELS_OUT
        self.ring = ring_for(RATE, CHANNELS_OUT)
        self.card = Card(self.ring)
        return RingSink(self.ring, RATE, fill_s)

    def close(self, **how: Any) -> None:
        """Stop the card before the ring goes."""
        self.card.stop()
        super().close(**how)


class ProbedInstrument(Instrument):
    """An instrument whose card and generator are watched; `play("probe")` starts it."""

    card: Card | None = None
    noted: list[Noted]

    def _open_output(self, device: str | None) -> CardOutput:
        self.noted = []
        output = CardOutput(device, self._latency, self._clock, lambda *_: None, threading.Event())
        self.card = output.card
        return output

    def _start_stream(self, *args: Any, **how: Any) -> PackStream:
        stream = super()._start_stream(*args, **how)
        generator = stream.feeder._generator
        make = generator.make

        def noted(request: object) -> Block:
            block = make(request)  # type: ignore[arg-type]
            self.noted.append(Noted(time.perf_counter(), block))
            return block

        generator.make = noted  # type: ignore[method-assign]
        return stream


def tone(seconds: float, rate: int, level_db: float = -20.0) -> Samples:
    """A steady sine [frames, 1] to be played as the past."""
    n = np.arange(round(seconds * rate))
    x = np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * TONE_HZ * n / rate)
    return x.astype(np.float32)[:, None]


def gain_latencies(
    pack: str | Path, latency: float, count: int, rng: np.random.Generator, threads: int = 1
) -> tuple[list[float], list[float]]:
    """Seconds from `set(gain=...)` until the ring's exit begins to follow, and has followed.

    A tone plays; a second generator works all the time beside it, as when the lead is low.
    """
    from engine.stream.generator import Generator

    begins, done = [], []
    with ProbedInstrument(pack, latency=latency, threads=threads) as instrument:
        rate = instrument.manifest.rate
        load = Generator(instrument.manifest.folder, threads)
        load.start()
        busy = threading.Event()
        worker = threading.Thread(target=_keep_busy, args=(load, instrument, busy), daemon=True)
        worker.start()
        try:
            instrument.play("probe", past=tone(0.45 * count + 4.0, rate))
            time.sleep(1.5)
            sets = []
            for k in range(count):
                time.sleep(float(rng.uniform(0.25, 0.4)))
                new = -12.0 if k % 2 == 0 else 0.0
                sets.append((time.perf_counter(), new))
                instrument.set(gain=new)
            time.sleep(0.4)
        finally:
            busy.set()
            worker.join()
            load.stop()
        card = instrument.card
        assert card is not None
        times, periods = np.array(card.times), list(card.periods)
    levels = np.array([_db(p) for p in periods[: times.size]])
    for at, new in sets:
        old = -12.0 - new
        after = np.flatnonzero(times[: levels.size] > at)
        moved = after[np.abs(levels[after] + 20.0 - old) > 1.0]
        there = after[np.abs(levels[after] + 20.0 - new) < 1.0]
        begins.append(float(times[moved[0]] - at))
        done.append(float(times[there[0]] - at))
    return begins, done


def _keep_busy(generator: object, instrument: Instrument, stop: threading.Event) -> None:
    plan, k = make_plan(instrument.manifest), 0
    while not stop.is_set():
        generator.make(make_request(plan, k))  # type: ignore[attr-defined]
        k += 1


def _db(samples: Samples) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples))) + 1e-9))


@dataclass(frozen=True)
class Switched:
    """A block control that was changed. Times are seconds since the change.

    `promised` is `status().latencies.total`, the worst case; `left_ring` until the first sample of
    the first changed block left the ring; `generated` until that block was generated; `match` is
    the correlation by which it was found.
    """

    promised: float
    left_ring: float
    generated: float
    match: float


@dataclass(frozen=True)
class Switches:
    """All changes of one profile, and what disturbed them."""

    each: list[Switched]
    eased: int
    gaps: int
    steps: int


def block_latencies(
    pack: str | Path,
    latency: float,
    count: int,
    rng: np.random.Generator,
    threads: int = 1,
) -> Switches:
    """Change the seed while it plays, and find the first changed block in what left the ring."""
    changes = []
    with ProbedInstrument(pack, latency=latency, threads=threads) as instrument:
        instrument.play("probe")
        instrument.wait_for_sound()
        time.sleep(latency + 3.0)  # the lead is at its target
        for k in range(count):
            time.sleep(float(rng.uniform(0.3, 1.0)))
            promised = instrument.status().latencies.total
            changes.append((time.perf_counter(), promised, 100 + k))
            instrument.set(seed=100 + k)
            time.sleep(latency + 2.5)
        stats = instrument.status()
        eased = sum(e.kind == "eased" for e in instrument.events)
        blocks, card, rate = list(instrument.noted), instrument.card, instrument.manifest.rate
        assert card is not None
        times, audio = list(card.times), np.concatenate(card.periods[: len(card.times)])
    each = []
    for at, promised, seed in changes:
        first = next((b for b in blocks if b.block.request.seed == seed and b.at > at), None)
        if first is None:
            continue
        begin = int(np.searchsorted(times, at)) * PERIOD
        part = audio[begin : begin + round((latency + 2.4) * RATE)]
        place, match = located(first.block.samples[:, 0], rate, part, RATE)
        left_ring = times[min((begin + place) // PERIOD, len(times) - 1)] - at
        each.append(Switched(promised, left_ring, first.at - at, match))
    return Switches(each, eased, stats.lead.gaps, stats.stream.steps)


def located(block: Samples, rate: int, audio: Samples, audio_rate: int) -> tuple[int, float]:
    """Where the beginning of a block stands in audio: (sample, correlation 0 .. 1)."""
    probe = resample(block[: round(0.2 * rate)], rate, audio_rate)
    cross = scipy.signal.correlate(audio, probe, mode="valid", method="fft")
    energy = np.convolve(np.square(audio, dtype=np.float64), np.ones(probe.size), "valid")
    norm = np.sqrt(np.maximum(energy, 1e-9)) * max(float(np.linalg.norm(probe)), 1e-9)
    likeness = cross / norm
    place = int(np.argmax(likeness))
    return place, float(likeness[place])


def resident_mb(pid: int | str = "self") -> float:
    """Resident memory of a process in MB; NaN without /proc."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return float("nan")
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used; NaN without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def growth_per_hour(times: list[float], values: list[float], skip: float = 0.3) -> float:
    """Slope of values over times (seconds), per hour, the first share of the time left out."""
    begin = times[0] + skip * (times[-1] - times[0])
    late = [(t, v) for t, v in zip(times, values, strict=True) if t >= begin]
    if len(late) < 3:
        return float("nan")
    t, v = np.array(late).T
    return float(np.polyfit(t - t[0], v, 1)[0] * 3600)
