"""A target that fails while it plays: the next one samples the same block."""

from pathlib import Path

import numpy as np
import pytest
from tiny_pack import TINY

from engine.errors import PackError
from engine.execution.executor import SamplingJob, make_executor
from engine.execution.fallback import FallbackExecutor
from engine.packs.read import read_manifest
from engine.sampling.samplers import table_for
from engine.stream.requests import make_request
from engine.stream.walk import PlanWalk

SHIPPED = Path(__file__).parents[3] / "packs" / "piano"


class Failing:
    """An executor whose graphs fail after so many runs."""

    target = "cuda"

    def __init__(self, runs: int, opens: bool = True) -> None:
        self._inner, self.left, self._opens = make_executor(), runs, opens

    def notices(self):
        return ()

    def open(self, manifest, file):
        if not self._opens:
            raise PackError(f"{file}: no memory")
        return FailingGraph(self._inner.open(manifest, file), self)

    def walker(self, step, shape):
        return self._inner.walker(step, shape)


class FailingGraph:
    def __init__(self, graph, owner) -> None:
        self._graph, self._owner = graph, owner
        self.name, self.inputs, self.outputs = graph.name, graph.inputs, graph.outputs

    def run(self, feed, outputs):
        if self._owner.left == 0:
            raise PackError(f"{self.name}: the graph fails (device lost)")
        self._owner.left -= 1
        return self._graph.run(feed, outputs)


def blocks(executor=None, count=4):
    """Blocks of the shipped piano in a row, with guidance, and what was reported."""
    walk = PlanWalk(read_manifest(SHIPPED), executor or make_executor())
    made = [
        walk.make(make_request(walk.plan, i, steps=8, guidance=2.0, controls={"density": 6.0}))
        for i in range(count)
    ]
    return np.concatenate([m.samples for m in made]), [m.faults for m in made]


@pytest.fixture(scope="module")
def undisturbed():
    return blocks()[0]


@pytest.mark.parametrize("runs", [0, 1, 20, 27, 34, 60])
def test_a_target_that_fails_in_the_middle_of_a_block_leaves_no_gap(undisturbed, runs):
    executor = FallbackExecutor(Failing(runs), [make_executor])
    samples, faults = blocks(executor)
    np.testing.assert_array_equal(samples, undisturbed)
    assert executor.target == "cpu"
    (said,) = [text for block in faults for text in block]
    assert said.startswith("target 'cuda' failed (")
    assert said.endswith("the graph fails (device lost)); playing on with 'cpu'")


def test_targets_are_tried_in_order_and_one_that_cannot_open_is_passed_over():
    order = [lambda: Failing(100, opens=False), make_executor]
    executor = FallbackExecutor(Failing(3), order)
    manifest = read_manifest(TINY)
    step = executor.open(manifest, manifest.stages[0].graphs["step"])
    shape = step.inputs["x"].shape[-2:]
    walker, out = executor.walker(step, shape), np.zeros(shape, np.float32)
    context = executor.open(manifest, manifest.stages[0].graphs["context"])
    feed = {name: np.zeros(info.shape, np.float32) for name, info in context.inputs.items()}
    found = dict(zip(context.outputs, context.run(feed, list(context.outputs)), strict=True))
    job = SamplingJob(
        table_for("ddim", 4, "karras"), {n: a for n, a in found.items() if n in step.inputs}
    )
    assert walker.sample(job, out) == 4
    assert executor.target == "cpu"
    assert len(executor.notices()) == 2
    assert executor.notices() == ()


def test_when_the_last_target_fails_its_error_is_raised():
    executor = FallbackExecutor(Failing(0), [lambda: Failing(0)])
    manifest = read_manifest(TINY)
    graph = executor.open(manifest, manifest.stages[0].graphs["context"])
    feed = {name: np.zeros(info.shape, np.float32) for name, info in graph.inputs.items()}
    with pytest.raises(PackError, match=r"context\.onnx: the graph fails \(device lost\)"):
        graph.run(feed, list(graph.outputs))


def test_a_graph_of_another_executor_is_refused():
    executor = FallbackExecutor(Failing(0), [])
    manifest = read_manifest(TINY)
    step = make_executor().open(manifest, manifest.stages[0].graphs["step"])
    with pytest.raises(PackError, match="opened elsewhere"):
        executor.walker(step, (64, 32))
