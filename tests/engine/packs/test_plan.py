"""Plans: order, units, delays and memory in exact arithmetic, and which are refused."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PackError
from engine.packs.manifest import Manifest
from engine.packs.plan import make_plan
from engine.packs.stages import Input, Stage
from engine.representations.signals import Grid, Signal


def signal(name: str, samples: Fraction | int | str = 1, rows: int = 1) -> Signal:
    return Signal(name, "samples", rows, 1, Grid(samples=Fraction(samples)))


def network(output: str, block: int, *inputs: Input) -> Stage:
    return Stage(output, "network", output, inputs, block=block)


def pack(signals: list[Signal], stages: list[Stage], output: str) -> Manifest:
    return Manifest(
        Path("pack"), 3, "pack", "", "", "", (), 48000, 1, output, tuple(signals), tuple(stages),
        (), (), "", "", 0.0, {},
    )  # fmt: skip


def refusal(manifest: Manifest) -> str:
    with pytest.raises(PackError) as caught:
        make_plan(manifest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_stages_run_after_those_that_they_read_and_unneeded_ones_do_not():
    signals = [signal(n) for n in "abcd"]
    stages = [
        network("c", 4, Input("b"), Input("a")), network("d", 4, Input("a")),
        network("b", 4, Input("a")), network("a", 4),
    ]  # fmt: skip
    plan = make_plan(pack(signals, stages, "c"))
    assert [p.stage.name for p in plan.stages] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("reads", "circle"),
    [({"a": "a"}, "a <- a"), ({"a": "b", "b": "a"}, "a <- b <- a"),
     ({"a": "b", "b": "c", "c": "b"}, "b <- c <- b")],
)  # fmt: skip
def test_stages_that_wait_for_each_other_are_refused_with_the_circle(reads, circle):
    signals = [signal(n) for n in reads]
    stages = [network(n, 4, Input(read)) for n, read in reads.items()]
    assert f"wait for each other: {circle};" in refusal(pack(signals, stages, "a"))


def test_blocks_that_begin_between_frames_of_an_input_are_refused():
    signals = [signal("notes", 2048), signal("sound", 256)]
    stages = [network("notes", 8), network("sound", 20, Input("notes"))]
    assert "blocks of 20 frames" in refusal(pack(signals, stages, "sound"))
    assert "a multiple of 8" in refusal(pack(signals, stages, "sound"))


def test_grids_that_hardly_ever_meet_are_refused_where_a_block_is_shorter():
    signals = [signal("low", "441/160"), signal("sound")]
    stages = [network("low", 160), network("sound", 512, Input("low"))]
    assert "a multiple of 441" in refusal(pack(signals, stages, "sound"))
    stages[1] = replace(stages[1], block=882)
    assert make_plan(pack(signals, stages, "sound")).stage("sound").unit == 441


def test_a_transform_that_begins_between_two_samples_is_refused():
    signals = [signal("a", "3/2"), signal("b", "3/2"), signal("sound")]
    stages = [
        network("a", 4), network("b", 4, Input("a", after=1)),
        Stage("decode", "transform", "sound", (Input("b"),), transform="decode"),
    ]  # fmt: skip
    assert "begins between two frames of 'sound'" in refusal(pack(signals, stages, "sound"))


def test_a_signal_on_beats_that_nothing_performs_is_refused():
    signals = [Signal("beats", "roll", 4, 1, Grid(per_beat=Fraction(4))), signal("sound")]
    stages = [network("beats", 4), network("sound", 4, Input("beats"))]
    assert "'beats', which lies on beats" in refusal(pack(signals, stages, "sound"))


def on_beats(*names, per_beat=4):
    return [Signal(n, "roll", 4, 1, Grid(per_beat=Fraction(per_beat))) for n in names]


def performed(source, signals, *stages):
    """A pack in which a stage reads the performed roll of `source`."""
    perform = Stage("strings", "transform", "strings", (Input(source),), transform="perform")
    signals = [*signals, Signal("strings", "roll", 4, 1, Grid(Fraction(64))), signal("sound")]
    return pack(signals, [*stages, perform, network("sound", 256, Input("strings", 2, 1))], "sound")


def test_a_stage_on_beats_reads_only_beats():
    stages = [network("low", 4), network("roll", 4, Input("low"))]
    refused = refusal(performed("roll", [signal("low", 2), *on_beats("roll")], *stages))
    assert "'low', which lies on samples, for 'roll' on beats; add a stage" in refused


def test_stages_on_beats_stand_behind_each_other_in_beats_and_are_performed_from_the_first():
    stages = [network("chords", 2), network("roll", 4, Input("chords", after=3))]
    chords = on_beats("chords", per_beat=1)
    plan = make_plan(performed("roll", [*chords, *on_beats("roll")], *stages))
    assert (plan.stage("roll").start, plan.first_beat) == (-12, -3)
    assert plan.stage("roll").unit == 4
    assert plan.stage("strings").start == 0
    assert plan.stage("sound").start == -64


def test_a_performed_signal_is_remembered_for_the_slowest_tempo():
    plan = make_plan(performed("roll", on_beats("roll"), network("roll", 8)))
    slowest = 2 * 3 * 48000  # samples of two beats at 20 BPM
    assert plan.lengths["strings"] * 64 >= slowest + 256


@pytest.mark.parametrize(
    "stages",
    [
        [network("a", 4), network("sound", 4, Input("a", before=1 << 24))],
        [network("a", 1 << 24), network("sound", 4, Input("a"))],
        [network("a", 4), network("sound", 4, Input("a", after=1 << 24))],
    ],
    ids=["before", "block", "after"],
)
def test_signals_that_need_too_much_memory_are_refused(stages):
    assert "its signals need" in refusal(
        pack([signal("a", 1, 64), signal("sound")], stages, "sound")
    )


def test_blocks_of_over_ten_minutes_are_refused():
    longest = 600 * 48000
    assert make_plan(pack([signal("sound", 2)], [network("sound", longest // 2)], "sound"))
    assert "a block lasts" in refusal(
        pack([signal("sound", 4)], [network("sound", longest)], "sound")
    )


def test_a_stage_with_several_inputs_stands_behind_the_one_that_it_waits_for_longest():
    signals = [signal("notes", 2048), signal("tone", 512), signal("sound", 256)]
    stages = [
        network("notes", 8), network("tone", 16, Input("notes", after=1)),
        network("sound", 40, Input("notes", after=2), Input("tone", after=3)),
    ]  # fmt: skip
    plan = make_plan(pack(signals, stages, "sound"))
    assert plan.stage("tone").start == -4
    assert plan.delay("tone") == 2048
    assert plan.delay("sound") == 2 * 2048, (
        "3 frames of 512 beyond tone's 2048, on a frame of notes"
    )
    assert plan.delay("notes") == 0
    assert plan.block_samples == 16384


@st.composite
def manifests(draw) -> Manifest:
    """Up to four stages with any inputs, on grids whose ratios may be any small fractions."""
    grids = st.fractions(Fraction(1, 2), 12, max_denominator=3)
    frames = [draw(grids) for _ in range(draw(st.integers(2, 5)))]
    outside = draw(st.booleans())  # whether the first signal comes from outside
    stages = []
    for n in range(int(outside), len(frames)):
        parents = draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set()
        if n:
            parents.add(n - 1)
        inputs = [
            Input(f"s{p}", draw(st.integers(0, 9)), draw(st.integers(0, 9)), f"s{p}")
            for p in sorted(parents)
        ]
        unit = math.lcm(1, *((frames[n] / frames[p]).denominator for p in parents))
        stages.append(network(f"s{n}", unit * draw(st.integers(1, 5)), *inputs))
    signals = [signal(f"s{n}", f) for n, f in enumerate(frames)]
    return pack(signals, stages, f"s{len(frames) - 1}")


@given(manifests(), st.integers(-20, 20), st.floats(0, 1))
def test_windows_begin_and_end_on_frames_wherever_a_block_may_begin(manifest, blocks, stride):
    for p in make_plan(manifest).stages:
        kept = p.kept(stride)
        assert kept % p.unit == 0
        assert 0 < kept <= p.stage.block
        position = p.start + blocks * kept
        for read in p.inputs:
            first, end = read.window(position, p.stage.block)
            assert first == read.ratio * position - read.read.before
            assert end == read.ratio * (position + p.stage.block) + read.read.after


@given(manifests())
def test_no_stage_waits_for_frames_beyond_the_first_blocks_of_its_inputs(manifest):
    plan = make_plan(manifest)
    for p in plan.stages:
        assert p.start % p.unit == 0
        bounds = [Fraction(0)]
        for read in p.inputs:
            parent = plan.stage(read.read.signal)
            if parent is not None:
                bounds.append((parent.start - read.read.after) * parent.frame)
        assert p.start * p.frame <= min(bounds)
        assert (p.start + p.unit) * p.frame > min(bounds), "no further behind than it has to be"


@given(manifests())
def test_a_signal_is_remembered_at_least_as_far_as_a_window_reaches_back(manifest):
    plan = make_plan(manifest)
    for p in plan.stages:
        for read in p.inputs:
            assert plan.lengths.get(read.read.signal, 0) >= read.read.before
    assert plan.bytes >= 4 * sum(plan.lengths.values())
