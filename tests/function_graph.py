"""A step graph that is a Python function, for tests of walkers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.execution.host_walker import HostWalker
from engine.execution.protocols import SamplingJob, TensorInfo


class FunctionGraph:
    """(x, alpha, sigma) -> x0 as a graph; `calls` counts its evaluations.

    The context tensor `branch` chooses between two functions where there are two.
    """

    name = "function"

    def __init__(
        self,
        denoise: Callable[..., Any],
        shape: tuple[int, ...],
        dtype: str = "float32",
        unconditional: Callable[..., Any] | None = None,
    ) -> None:
        self._branches = (denoise, unconditional)
        one = TensorInfo((1,), dtype)
        self.inputs = {"x": TensorInfo(shape, dtype), "alpha": one, "sigma": one}
        self.outputs = {"x0": TensorInfo(shape, dtype)}
        self.calls = [0, 0]

    def run(self, feed: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        branch = int(feed["branch"][0]) if "branch" in feed else 0
        self.calls[branch] += 1
        alpha, sigma = float(feed["alpha"][0]), float(feed["sigma"][0])
        return [self._branches[branch](feed["x"], alpha, sigma)]


CONDITIONAL = {"branch": np.zeros(1)}
UNCONDITIONAL = {"branch": np.ones(1)}


def sampled(denoise, table, shape, dtype="float32", **job) -> Any:
    """One block of a function, by a host walker of its own."""
    out = np.zeros(shape, dtype)
    walker = HostWalker(FunctionGraph(denoise, shape, dtype), shape)
    walker.sample(SamplingJob(table, {}, **job), out)
    return out
