"""When each control becomes audible, by paired reference.

    python -m benchmarks.control_latency [--phases 3] [--controls density held] [--out docs]

A performance is played twice with one seed, with a change of one control and without it. Both are
equal to the bit up to some sample; the first one that differs by more than -40 dB of full scale is
when the change is audible. Everything runs on virtual time, so a busy machine changes nothing and
both performances are the same until then: what is measured is how long the design makes a performer
wait, on a machine that keeps the lead. Sound goes into no device; the length of the output ring is
added.

The controls are those of the table, whatever pack it is: each goes from where a performer begins to
the far end of its range.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from engine.arguments import LATENCIES
from engine.controls.control import Control, Value, as_number
from engine.instrument import Instrument
from engine.output import FILL_S
from engine.packs.plan import block_seconds
from engine.stages.request import Request
from engine.stream.generator import Block, Generator

AUDIBLE = 10 ** (-40 / 20)
BOUNDS = {"default": (3.0, 1.5), "jam": (1.0, 0.5)}  # seconds, worst: must, aim
_SETTLED = 1.0  # seconds of pause until the lead stands, and of music before the first change
_LOOK = 0.25  # seconds between looks for a difference
PATIENCE = 4.0  # seconds beyond the latency for which a difference is waited for


@contextmanager
def blocks_take_no_time() -> Iterator[None]:
    """Within it the governor sees blocks that take no time, as they do on virtual time."""
    make = Generator.make

    def timeless(self: Generator, request: Request) -> Block:
        return replace(make(self, request), seconds=0.0)

    Generator.make = timeless  # type: ignore[method-assign]
    try:
        yield
    finally:
        Generator.make = make  # type: ignore[method-assign]


class Performance:
    """A performance into no device, on virtual time."""

    def __init__(self, instrument: Instrument, clock: Any) -> None:
        self._instrument, self._clock = instrument, clock
        self._parts: list[NDArray[np.float32]] = []
        instrument.tap(lambda period: self._parts.append(period[:, 0].copy()))
        instrument.set(pause=True)
        instrument.play(None)
        clock.sleep(_SETTLED)
        instrument.set(pause=False)

    @property
    def sound(self) -> NDArray[np.float32]:
        """The left channel so far [samples], as it goes into the output ring."""
        self._parts = [np.concatenate([np.zeros(0, np.float32), *self._parts])]
        return self._parts[0]

    @property
    def rate(self) -> int:
        """Samples per second of the output."""
        playing = self._instrument._playing
        assert playing is not None
        return playing.rate

    def wait(self, seconds: float) -> None:
        """Let it play."""
        self._clock.sleep(seconds)

    def set(self, name: str, value: Value) -> None:
        """Change a control."""
        self._instrument.set({name: value})


@contextmanager
def performance(pack: str, latency: float, threads: int) -> Iterator[Performance]:
    """A performance that always begins in the same way."""
    from tests.virtual_clock import VirtualClock

    clock: Any = VirtualClock()  # has its own conditions and threads
    with (
        blocks_take_no_time(),
        Instrument(pack, latency=latency, threads=threads, seed=1, clock=clock) as instrument,
    ):
        yield Performance(instrument, clock)


def changed(control: Control) -> Value:
    """A value far from where a performer begins."""
    if control.kind == "choice":
        return next(c for c in reversed(control.choices) if c != control.default)
    if control.kind == "pitch_classes":
        return tuple(1.0 if n in (0, 4, 7) else 0.0 for n in range(12))
    if control.kind == "keys":
        return tuple(int(control.low) + n for n in (36, 39, 43))
    if control.kind == "switch":
        return not control.default
    if control.kind == "whole":
        usual = int(as_number(control.default))
        return usual + 1 if control.high > 1000 else int(control.low)
    middle = (control.low + control.high) / 2
    begins = middle if control.default == "free" else as_number(control.default)
    return control.low if begins > middle else control.high


def first_difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> int | None:
    """The first sample at which two sounds differ audibly, as far as both go."""
    n = min(one.size, other.size)
    found = np.flatnonzero(np.abs(one[:n] - other[:n]) > AUDIBLE)
    return int(found[0]) if found.size else None


@dataclass(frozen=True)
class Latency:
    """Seconds from each change of a control until it was audible; None where it never was."""

    control: str
    when: str
    each: list[float | None]

    @property
    def audible(self) -> list[float]:
        """Those that were audible."""
        return [s for s in self.each if s is not None]


def measured(
    pack: str,
    latency: float,
    controls: list[Control],
    phases: int,
    threads: int,
    seed: int,
    patience: float = PATIENCE,
) -> Iterator[Latency]:
    """Each control's latency, its changes spread over the time between two blocks."""
    rng = np.random.default_rng(seed)
    with performance(pack, latency, threads) as plain:
        instrument = plain._instrument
        period = instrument.settings.number("stride") * block_seconds(instrument.manifest)
        plain.wait(_SETTLED + latency + period + latency + patience + _LOOK)
        reference = plain.sound
    for control in controls:
        each: list[float | None] = []
        for k in range(phases):
            at = _SETTLED + latency + period * (k + float(rng.random())) / phases
            with performance(pack, latency, threads) as played:
                played.wait(at)
                begin = played.sound.size
                assert np.array_equal(played.sound, reference[:begin]), "the same until now"
                played.set(control.name, changed(control))
                each.append(_until_audible(played, reference, begin, latency + patience))
        yield Latency(control.name, control.when, each)


def _until_audible(
    played: Performance, reference: NDArray[np.float32], begin: int, patience: float
) -> float | None:
    waited = 0.0
    while waited < patience:
        played.wait(_LOOK)
        waited += _LOOK
        found = first_difference(played.sound[begin:], reference[begin:])
        if found is not None:
            return found / played.rate + FILL_S
    return None


def _row(preset: str, found: Latency, phases: int) -> list[str]:
    seen = found.audible
    times = (f"{np.median(seen):.3f} s", f"{max(seen):.3f} s") if seen else ("", "")
    return [preset, f"`{found.control}`", found.when, *times, f"{len(seen)} of {phases}"]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the table, and write it."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.control_latency", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("--pack", default="piano")
    p.add_argument("--phases", type=int, default=3, help="changes of each control")
    p.add_argument("--controls", nargs="+", help="names; by default gain and all block controls")
    p.add_argument("--latencies", nargs="+", default=list(LATENCIES), choices=list(LATENCIES))
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=1, help="of the moments of the changes")
    p.add_argument("--out", type=Path, help="folder of the page and its data, such as docs")
    args = p.parse_args(arguments)
    table = Instrument(args.pack).settings.table
    names = args.controls or ["gain", *(c.name for c in table if c.when == "block")]
    controls = [table[name] for name in names]
    rows, data, summary = [], {}, []
    for preset in args.latencies:
        seconds = LATENCIES[preset]
        waited = []
        for found in measured(args.pack, seconds, controls, args.phases, args.threads, args.seed):
            rows.append(_row(preset, found, args.phases))
            data[f"{preset} {found.control}"] = found.each
            waited += found.audible if found.when == "block" else []
            print(*rows[-1], flush=True)
        must, aim = BOUNDS[preset]
        if waited:
            summary.append(
                f"{preset} ({seconds:g} s): block controls are audible after "
                f"{np.median(waited):.2f} s (median of {len(waited)}), worst {max(waited):.2f} s; "
                f"must {must:g} s, aim {aim:g} s"
            )
    header = ("latency", "control", "kind", "median", "worst", "audible")
    text = ". ".join(summary) + ".\n\n" + report.table(header, rows)
    report.deliver("control_latency", text, {"seconds": data}, args.out)


if __name__ == "__main__":
    main()
