"""The plan of a pack: its stages in order, where each begins, how much of each signal is kept.

Pure data and exact arithmetic: any thread, any process. Times are counted in samples at the pack's
rate, as fractions; of signals on beats in beats. Frames of a signal are counted by their absolute
position, frame 0 beginning at time 0. Only a transform goes from beats to samples: every other
stage has its inputs on the axis of its output.

A stage that reads frames beyond its block would have its inputs run a block further than it needs.
So it stands behind them instead: the first frame of its output lies `after` frames of the input
before the first frame of the input, and what it reads before that is the empty frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from engine.errors import PackError
from engine.packs.manifest import MANIFEST, Manifest
from engine.packs.stages import Input, Stage
from engine.representations.signals import Signal
from engine.time.tempo_map import FASTEST, SLOWEST

__all__ = ["InputPlan", "Plan", "StagePlan", "block_seconds", "make_plan"]

_MOST_BYTES = 2 << 30  # of all signals that are kept
_MOST_SECONDS = 600  # of a block
_BEAT_SECONDS = Fraction(60, 120)  # where a length in seconds has to be named beforehand


@dataclass(frozen=True)
class InputPlan:
    """How the frames of a stage's output map to those of one input: `ratio` frames for each."""

    read: Input
    ratio: Fraction

    def window(self, position: int, block: int) -> tuple[int, int]:
        """First frame, and the one after the last, that a block of `block` frames reads."""
        first = self.ratio * position - self.read.before
        end = self.ratio * (position + block) + self.read.after
        return int(first), int(end)


@dataclass(frozen=True)
class StagePlan:
    """One stage in its place.

    Attributes
    ----------
    frame : length of one frame of the output, in samples or, where it lies on beats, in beats.
    frame_samples : in samples; of beats, at 120 BPM.
    start : position of the first frame of the output.
    unit : what is kept of a block is a multiple of so many frames, so that the next block begins
        on a frame of every input.
    """

    stage: Stage
    frame: Fraction
    frame_samples: Fraction
    start: int
    unit: int
    inputs: tuple[InputPlan, ...]

    @property
    def block_samples(self) -> Fraction:
        """Length of one run, in samples; 0 of a transform."""
        return self.stage.block * self.frame_samples

    def kept(self, stride: float) -> int:
        """Frames to keep of a block at a stride (a share of it): a multiple of `unit`, at least
        one.
        """
        units = self.stage.block // self.unit
        return max(1, min(units, round(stride * units))) * self.unit


@dataclass(frozen=True)
class Plan:
    """Stages in the order in which they run, those that nothing plays left out.

    Attributes
    ----------
    lengths : frames of each signal that have to be remembered.
    bytes : of all of them, and of one block of each stage.
    beats : how many of the tempo map have to be remembered.
    first_beat : with which the piece begins, 0 or before it.
    block_samples : of the longest block: what a block control waits for.
    """

    stages: tuple[StagePlan, ...]
    lengths: Mapping[str, int]
    bytes: int
    beats: int
    first_beat: int
    block_samples: int

    @cached_property
    def _by_output(self) -> dict[str, StagePlan]:
        return {plan.stage.output: plan for plan in self.stages}

    def stage(self, output: str) -> StagePlan | None:
        """The stage that produces a signal, or None."""
        return self._by_output.get(output)

    def delay(self, output: str) -> Fraction:
        """Samples by which a signal's first frame lies before the first frame of the piece."""
        found = self.stage(output)
        return -found.start * found.frame_samples if found else Fraction(0)


def make_plan(manifest: Manifest) -> Plan:
    """Plan the stages that the output needs.

    Raises
    ------
    PackError
        One line: stages that wait for each other, grids that never meet, blocks of over ten
        minutes, signals that need over 2 GiB.
    """
    where = f"{manifest.folder / MANIFEST}"
    ordered = _in_order(where, manifest)
    planned: dict[str, StagePlan] = {}
    for stage in ordered:
        planned[stage.output] = _plan_stage(where, manifest, stage, planned)
    lengths = _lengths(manifest, planned)
    size = sum(4 * length * manifest.signal(name).rows for name, length in lengths.items())
    size += sum(4 * s.block * manifest.signal(s.output).rows for s in ordered)
    if size > _MOST_BYTES:
        raise PackError(
            f"{where}: its signals need {size >> 20} MiB; use shorter blocks, pasts and windows, "
            f"up to {_MOST_BYTES >> 20} MiB"
        )
    longest = max(plan.block_samples for plan in planned.values())
    if longest > _MOST_SECONDS * manifest.rate:
        raise PackError(
            f"{where}: a block lasts {float(longest) / manifest.rate:.0f} s; use up to "
            f"{_MOST_SECONDS}"
        )
    on_beats = [p for p in planned.values() if manifest.signal(p.stage.output).grid.per_beat]
    first_beat = math.floor(min((p.start * p.frame for p in on_beats), default=Fraction(0)))
    beats = _beats(manifest, on_beats, lengths)
    return Plan(tuple(planned.values()), lengths, size, beats, first_beat, math.ceil(longest))


def block_seconds(manifest: Manifest) -> float:
    """Length of the longest block of a pack."""
    return make_plan(manifest).block_samples / manifest.rate


def _in_order(where: str, manifest: Manifest) -> list[Stage]:
    """The stages that the output needs, each after those that it reads."""
    ordered: list[Stage] = []
    waiting: list[str] = []

    def visit(signal: str) -> None:
        stage = manifest.producer(signal)
        if stage is None or stage in ordered:
            return
        if signal in waiting:
            chain = " <- ".join([*waiting[waiting.index(signal) :], signal])
            raise PackError(f"{where}: stages wait for each other: {chain}; break the circle")
        waiting.append(signal)
        for read in stage.inputs:
            visit(read.signal)
        waiting.pop()
        ordered.append(stage)

    visit(manifest.output)
    return ordered


def _frame(signal: Signal) -> Fraction:
    """Length of a frame, in samples or in beats."""
    per_beat = signal.grid.per_beat
    return 1 / per_beat if per_beat else signal.grid.samples or Fraction(1)


def _check_axes(where: str, stage: Stage, output: Signal, source: Signal) -> None:
    on_beats = source.grid.per_beat is not None
    if on_beats != (output.grid.per_beat is not None):
        axes = ("beats", "samples") if on_beats else ("samples", "beats")
        raise PackError(
            f"{where}: stage {stage.name!r} reads {source.name!r}, which lies on {axes[0]}, for "
            f'{output.name!r} on {axes[1]}; add a stage with transform = "perform" that turns '
            "beats into samples"
        )


def _plan_stage(
    where: str, manifest: Manifest, stage: Stage, planned: Mapping[str, StagePlan]
) -> StagePlan:
    output = manifest.signal(stage.output)
    frame = _frame(output)
    nominal = frame * _BEAT_SECONDS * manifest.rate if output.grid.per_beat else frame
    if stage.kind == "transform":
        source = manifest.signal(stage.inputs[0].signal)
        if source.grid.per_beat:  # whenever the beats begin, it begins with the piece
            return StagePlan(stage, frame, nominal, 0, 1, ())
        parent = planned.get(source.name)
        begins = parent.start * parent.frame if parent else Fraction(0)
        start = begins / frame
        if start.denominator > 1:
            raise PackError(
                f"{where}: stage {stage.name!r} begins between two frames of {stage.output!r}; "
                "choose grids that are multiples of each other"
            )
        return StagePlan(stage, frame, nominal, int(start), 1, ())
    unit = 1
    inputs: list[InputPlan] = []
    begins = Fraction(0)
    for read in stage.inputs:
        _check_axes(where, stage, output, manifest.signal(read.signal))
        ratio = frame / _frame(manifest.signal(read.signal))
        unit = math.lcm(unit, ratio.denominator)
        inputs.append(InputPlan(read, ratio))
        parent = planned.get(read.signal)
        if parent is not None:
            theirs = parent.frame
            begins = min(begins, parent.start * theirs - read.after * theirs)
    if stage.block % unit:
        raise PackError(
            f"{where}: stage {stage.name!r} has blocks of {stage.block} frames; they begin on a "
            f"frame of each of its inputs only where that is a multiple of {unit}"
        )
    start = math.floor(begins / (frame * unit)) * unit
    return StagePlan(stage, frame, nominal, start, unit, tuple(inputs))


def _lengths(manifest: Manifest, planned: Mapping[str, StagePlan]) -> dict[str, int]:
    """Frames to remember of each signal: what its own stage and those that read it look back.

    No stage is behind the output, since what it keeps rests on committed frames of its inputs. And
    a stage runs only while a reader needs it, so it is ahead of the output by its own block at
    most, and by what its readers are ahead and read. Where beats are performed, a block of them is
    longest at the slowest tempo, and most of them are ahead at the fastest.
    """
    beat = Fraction(60 * manifest.rate)  # samples, at 1 BPM
    ahead: dict[str, Fraction] = {}  # beyond the output's position: samples, or beats
    for plan in reversed(list(planned.values())):
        name = plan.stage.output
        block = plan.stage.block * plan.frame
        source = planned.get(plan.stage.inputs[0].signal) if plan.stage.inputs else None
        performs = source is not None and _performs(manifest, plan)
        if source is not None and performs:
            block = source.stage.block * source.frame * beat / SLOWEST
        furthest = ahead.get(name, Fraction(0)) + block
        ahead[name] = furthest
        for read in plan.stage.inputs:
            own = planned.get(read.signal)
            beyond = read.after * own.frame if own else Fraction(0)
            reach = furthest + plan.stage.block * plan.frame + beyond
            if performs:
                reach = Fraction(math.ceil(furthest * FASTEST / beat))
            ahead[read.signal] = max(ahead.get(read.signal, Fraction(0)), reach)
    lengths: dict[str, int] = {}
    for plan in planned.values():
        lengths[plan.stage.output] = max(lengths.get(plan.stage.output, 0), plan.stage.read_past)
        for read in plan.inputs:
            frame = plan.frame / read.ratio
            back = math.ceil(ahead[read.read.signal] / frame) + read.read.before
            lengths[read.read.signal] = max(lengths.get(read.read.signal, 0), back)
    return {name: length for name, length in lengths.items() if length}


def _performs(manifest: Manifest, plan: StagePlan) -> bool:
    on_beats = manifest.signal(plan.stage.inputs[0].signal).grid.per_beat is not None
    return plan.stage.kind == "transform" and on_beats


def _beats(manifest: Manifest, on_beats: Sequence[StagePlan], lengths: Mapping[str, int]) -> int:
    """Beats to remember: those of all frames that are remembered, and of what is not performed."""
    found = [math.ceil(2 * p.stage.block * p.frame) for p in on_beats]
    for name, length in lengths.items():
        if manifest.signal(name).grid.per_beat is not None:
            found.append(math.ceil(length * _frame(manifest.signal(name))))
    return sum(found) + 2 if found else 1
