"""The self-test of a pack: its networks reproduce the exporter's results, and it can be played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.execution.executor import Executor
from engine.execution.onnx_graph import open_graph
from engine.execution.protocols import Graph
from engine.notes.transcription import Transcriber
from engine.packs.files import load_arrays
from engine.packs.manifest import Manifest
from engine.stream.requests import make_request
from engine.stream.walk import PlanWalk


@dataclass(frozen=True)
class SelfTest:
    """The largest difference from the golden vectors, relative to the output's deviation."""

    worst: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether this machine reproduces the exporter's results."""
        return self.worst <= self.tolerance


def self_test(manifest: Manifest, executor: Executor) -> SelfTest:
    """Run the pack's golden vectors.

    They contain for every diffusion stage one array per graph input, `x`, `alpha`, `sigma` and the
    exporter's `x0`, named `STAGE/NAME` (in packs of format 1, which have one stage, `NAME`); with a
    final graph `x0_final` as well. For a graph that runs once they contain its inputs and outputs:
    of a network stage as `STAGE/NAME`, of a cache as `STAGE/read/NAME`, of an encoder as
    `encoder/CONTROL/NAME`.

    Then two blocks are generated, and the transcription graph is opened.

    Raises
    ------
    PackError
        The vectors cannot be read, or the blocks cannot be played.
    """
    golden: dict[str, NDArray[Any]] = load_arrays(manifest, manifest.golden)
    walk = PlanWalk(manifest, executor)
    worst = 0.0
    try:
        for stage in walk.diffusion.values():
            found = _of_stage(golden, stage.plan.stage.name)
            for i, (x, x0) in enumerate(zip(found["x"], found["x0"], strict=True)):
                read = {name: found[name][i] for name in stage.graphs.inputs}
                level = {n: np.full(1, found[n][i], np.float32) for n in ("alpha", "sigma")}
                feed = {**stage.graphs.run_context(read), **level, "x": x}
                main = stage.graphs.main
                got = main.run(stage.graphs.feed(main, feed), ["x0"])[0]
                worst = max(worst, _difference(got.reshape(x0.shape), x0))
                if final := stage.graphs.graphs.get("final"):
                    got = final.run(stage.graphs.feed(final, feed), ["x0"])[0]
                    x0 = found["x0_final"][i]
                    worst = max(worst, _difference(got.reshape(x0.shape), x0))
        for name, graph in _graphs_run_once(walk):
            worst = max(worst, _worst(graph, _of_stage(golden, name)))
    except (ValueError, KeyError, TypeError) as error:
        path = manifest.folder / manifest.golden
        raise PackError(f"{path}: golden vectors cannot be used ({error})") from error
    _play_two_blocks(walk)
    if manifest.transcription:
        Transcriber(open_graph(manifest, manifest.transcription))
    return SelfTest(worst, manifest.tolerance)


def _graphs_run_once(walk: PlanWalk) -> Iterator[tuple[str, Graph]]:
    """Each with what its golden vectors are called."""
    for stage in walk.diffusion.values():
        if read := stage.graphs.graphs.get("read"):
            yield f"{stage.plan.stage.name}/read", read
    for network in walk.networks.values():
        yield network.plan.stage.name, network.graphs.main
    for name, prompt in walk.prompts.items():
        yield f"encoder/{name}", prompt.graph


def _worst(graph: Graph, found: Mapping[str, NDArray[Any]]) -> float:
    outputs = list(graph.outputs)
    worst = 0.0
    for i in range(len(found[outputs[-1]])):
        feed = {
            name: np.ascontiguousarray(found[name][i], tensor.dtype).reshape(tensor.shape)
            for name, tensor in graph.inputs.items()
        }
        for name, got in zip(outputs, graph.run(feed, outputs), strict=True):
            worst = max(worst, _difference(got.reshape(found[name][i].shape), found[name][i]))
    return worst


def _of_stage(golden: Mapping[str, NDArray[Any]], name: str) -> Mapping[str, NDArray[Any]]:
    own = name + "/"
    return {k.removeprefix(own): v for k, v in golden.items() if k.startswith(own)} or golden


def _difference(got: NDArray[Any], expected: NDArray[Any]) -> float:
    # A constant output, such as a mask of ones, has no deviation to divide by.
    difference = float(abs(got - expected).max() / (expected.std() or 1.0))
    return difference if np.isfinite(difference) else float("inf")


def _play_two_blocks(walk: PlanWalk) -> None:
    manifest = walk.manifest
    for index in range(2):
        request = make_request(walk.plan, index, steps=manifest.least_steps)
        produced = walk.make(request)
        samples = produced.samples
        if samples.shape[1] != manifest.channels or not np.isfinite(samples).all():
            raise PackError(
                f"{manifest.folder}: a block has shape {list(samples.shape)} and "
                f"{np.count_nonzero(~np.isfinite(samples))} samples that are not finite"
            )
        if produced.faults:
            raise PackError(f"{manifest.folder}: {produced.faults[0]}; export the pack again")
