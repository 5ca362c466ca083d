"""How long a pack's graphs take on another target than the CPU, in turns.

    python -m benchmarks.target_times TARGET [--pack piano] [--runs 200] [--out docs]

Run it with the Python of an environment whose ONNX Runtime has the target (docs/install.md). Both
sides are sessions of that one ONNX Runtime, with one thread; each graph gets the same random inputs
from the host and returns its outputs there, in an order drawn for every pair.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.paired import paired_ratio
from engine.execution.onnx_executor import OnnxExecutor
from engine.execution.protocols import Graph
from engine.execution.targets import CPU_TARGET, checked_target
from engine.packs.discovery import find_pack
from engine.packs.manifest import Manifest
from engine.packs.read import read_manifest

_WARM = 5  # pairs that are not counted


def opened(target: str, manifest: Manifest) -> Mapping[str, Graph]:
    """Every graph of the pack's stages on a target, by its file."""
    executor = OnnxExecutor(
        checked_target(target), 1, flush_denormals=True, announce=lambda _: None
    )
    files = [file for stage in manifest.stages for file in stage.graphs.values()]
    graphs = {file: executor.open(manifest, file) for file in files}
    for notice in executor.notices():
        print(notice, flush=True)
    return graphs


def times(
    ours: Graph, theirs: Graph, runs: int, rng: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Seconds of each run of two graphs, in turns."""
    feed = {
        name: rng.standard_normal(info.shape).astype(info.dtype)
        for name, info in ours.inputs.items()
    }
    taken: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(runs + _WARM):
        for ours_now in rng.permutation([False, True]).tolist():
            graph = ours if ours_now else theirs
            began = time.perf_counter()
            graph.run(feed, list(graph.outputs))
            taken[ours_now].append(time.perf_counter() - began)
    return taken[True][_WARM:], taken[False][_WARM:]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the table, and write it."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.target_times", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("target", help="such as openvino")
    p.add_argument("--pack", default="piano")
    p.add_argument("--runs", type=int, default=200, help="pairs of runs of each graph")
    p.add_argument("--seed", type=int, default=1, help="of the inputs and the orders")
    p.add_argument("--out", type=Path, help="folder of the page and its data, such as docs")
    args = p.parse_args(arguments)
    rng, manifest = np.random.default_rng(args.seed), read_manifest(find_pack(args.pack))
    there, here = opened(CPU_TARGET, manifest), opened(args.target, manifest)
    rows, data = [], {}
    for file, graph in here.items():
        ours, theirs = times(graph, there[file], args.runs, rng)
        ratio = paired_ratio(ours, theirs, rng)
        rows.append([
            file, f"{np.median(theirs) * 1e3:.2f} ms", f"{np.median(ours) * 1e3:.2f} ms",
            str(ratio),
        ])  # fmt: skip
        data[file] = {CPU_TARGET: theirs, args.target: ours, **vars(ratio)}
    header = ("graph", CPU_TARGET, args.target, f"{args.target} / {CPU_TARGET}")
    text = (
        f"{args.runs} pairs of runs of each graph, one thread. The ratio is the median of "
        "the pairs' ratios, with its 95 % interval.\n\n"
    )
    report.deliver("target_times", text + report.table(header, rows), data, args.out)


if __name__ == "__main__":
    main()
