"""The positions of a walk, against a slow reference that computes every frame by itself.

Stages here are functions of one frame: of its position in the piece and of the input frames in
reach. So however blocks are cut and whatever is kept of them, a signal has to come out the same.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.execution.protocols import TensorInfo
from engine.packs.manifest import Manifest
from engine.packs.plan import make_plan
from engine.packs.stages import Input, Stage
from engine.representations.signals import Grid, Signal
from engine.stages.request import Request, StageRequest
from engine.stream.walk import PlanWalk

RATE = 8000


def value(number: int, parents: list[np.ndarray]) -> float:
    """What a stage outputs for a frame: it depends on every input frame in reach, and on where."""
    total = 0.1 * number
    for k, frames in enumerate(parents):
        weights = np.cos(np.arange(frames.size) * (k + 1) + number)
        total += float(weights @ frames.ravel())
    return float(np.sin(total + 1))


class FrameGraph:
    """A network stage that computes each frame of a block from the part of the window it reads."""

    name = "frames"

    def __init__(self, number, stage, plan, blocks):
        self._number, self._stage, self._plan = number, stage, plan
        self.inputs = {}
        for read in plan.inputs:
            first, end = read.window(0, stage.block)
            self.inputs[read.read.graph_input] = TensorInfo((1, 1, end - first))
        self.outputs = {"frames": TensorInfo((1, 1, stage.block))}

    def run(self, feed, outputs):
        block = np.zeros((1, 1, self._stage.block), np.float32)
        for i in range(self._stage.block):
            parents = []
            for read in self._plan.inputs:
                window = feed[read.read.graph_input][0]
                begin = int(read.ratio * i)
                reach = read.read.before + 1 + read.read.after
                parents.append(window[:, begin : begin + reach])
            block[0, 0, i] = value(self._number, parents)
        return [block]


class FrameExecutor:
    target = "frames"

    def __init__(self, manifest):
        self._manifest = manifest

    def notices(self):
        return []

    def open(self, manifest, file):
        number = int(file)
        stage = manifest.stages[number]
        return FrameGraph(number, stage, make_plan(manifest).stage(stage.output), {})


@st.composite
def plans(draw):
    """A root without inputs and up to three stages above it, on grids that divide each other."""
    grids = [draw(st.sampled_from([8, 4])), 4, 2, 1]
    count = draw(st.integers(1, 3))
    frames = [*grids[:count], 1]
    stages = []
    for number, grid in enumerate(frames):
        readable = [n for n in range(number) if frames[n] >= grid]
        parents = draw(st.sets(st.sampled_from(readable), max_size=2)) if readable else set()
        if number and (number - 1) not in parents:
            parents.add(number - 1)
        inputs = tuple(
            Input(f"s{p}", draw(st.integers(0, 5)), draw(st.integers(0, 3)), f"s{p}")
            for p in sorted(parents)
        )
        unit = int(np.lcm.reduce([frames[p] // grid for p in parents] or [1]))
        block = unit * draw(st.integers(1, 6))
        stages.append(
            Stage(f"s{number}", "network", f"s{number}", inputs, block=block,
                  graphs={"run": str(number)})
        )  # fmt: skip
    signals = tuple(
        Signal(f"s{n}", "samples", 1, 1, Grid(samples=Fraction(g)), options={"limit": 1e6})
        for n, g in enumerate(frames)
    )
    return Manifest(
        Path("tiny"), 3, "tiny", "", "", "", (), RATE, 1, f"s{len(frames) - 1}", signals,
        tuple(stages), (), (), "", "", 0.0, {},
    )  # fmt: skip


class Reference:
    """Every frame by itself, with all of its inputs; slow."""

    def __init__(self, manifest):
        self._manifest, self._plan, self._known = manifest, make_plan(manifest), {}

    def frame(self, signal, position):
        plan = self._plan.stage(signal)
        if position < plan.start:
            return 0.0
        if (signal, position) not in self._known:
            number = int(signal[1:])
            parents = []
            for read in plan.inputs:
                begin = int(read.ratio * position // 1) - read.read.before
                reach = read.read.before + 1 + read.read.after
                frames = [self.frame(read.read.signal, begin + j) for j in range(reach)]
                parents.append(np.array([frames], np.float32))
            self._known[signal, position] = np.float32(value(number, parents))
        return self._known[signal, position]


def requests(plan, draw_share):
    stages = {p.stage.name: StageRequest(p.kept(draw_share())) for p in plan.stages}
    return Request(0, stages=stages)


@settings(max_examples=60, deadline=None)
@given(plans(), st.randoms(use_true_random=False))
def test_a_stream_is_the_same_however_its_blocks_are_kept(manifest, random):
    walk = PlanWalk(manifest, FrameExecutor(manifest))
    reference = Reference(manifest)
    output = manifest.output
    position = walk.plan.stage(output).start
    for _ in range(12):
        share = random.choice([1.0, 0.5, 0.3, 0.7])
        samples = walk.make(requests(walk.plan, lambda: share)).samples[:, 0]  # noqa: B023
        expected = [reference.frame(output, position + i) for i in range(len(samples))]
        np.testing.assert_allclose(samples, expected, rtol=0, atol=1e-5)
        position += len(samples)


@settings(max_examples=25, deadline=None)
@given(plans(), st.integers(1, 6))
def test_a_restored_state_goes_on_to_the_bit(manifest, blocks):
    walk = PlanWalk(manifest, FrameExecutor(manifest))
    shares = [1.0, 0.5, 0.3, 0.7]
    ask = [requests(walk.plan, lambda i=i: shares[i % 4]) for i in range(blocks + 6)]
    for request in ask[:blocks]:
        walk.make(request)
    state = walk.state()
    expected = [walk.make(request).samples for request in ask[blocks:]]
    other = PlanWalk(manifest, FrameExecutor(manifest))
    other.restore(state)
    for request, samples in zip(ask[blocks:], expected, strict=True):
        np.testing.assert_array_equal(other.make(request).samples, samples)
