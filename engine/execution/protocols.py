"""The protocols of executors, graphs and walkers.

Each object belongs to one thread (the generator's). Arrays are float32 on the host, frames last; a
walker may keep its own elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.packs.manifest import Manifest
from engine.sampling.replace import Replace
from engine.sampling.samplers import Table

__all__ = ["Array", "Executor", "Feed", "Graph", "SamplingJob", "TensorInfo", "Walker"]

Array = NDArray[Any]
Feed = Mapping[str, Array]


@dataclass(frozen=True)
class TensorInfo:
    """Shape and type (as numpy names it, such as `float32`) of an input or output of a graph."""

    shape: tuple[int, ...]
    dtype: str = "float32"


class Graph(Protocol):
    """An open network of fixed shapes."""

    @property
    def name(self) -> str:
        """For messages: its file."""
        ...

    @property
    def inputs(self) -> Mapping[str, TensorInfo]:
        """By name."""
        ...

    @property
    def outputs(self) -> Mapping[str, TensorInfo]:
        """By name."""
        ...

    def run(self, feed: Feed, outputs: Sequence[str]) -> list[Array]:
        """The named outputs, in that order.

        Raises
        ------
        PackError
            The graph fails, in one line.
        """
        ...


def _no_listener(_: int, __: int) -> None:
    pass


@dataclass(frozen=True, eq=False)
class SamplingJob:
    """One block to sample.

    Attributes
    ----------
    table : of the sampler, one row for each evaluation of the network.
    context : the other inputs of every step, besides x, alpha and sigma, by name.
    free : the same for the unconditional branch; None without one, and then scale is 1.
    scale, every, sigma_data : guidance, as `engine.sampling.guidance.guidance_rows` has them.
    temperature : factor on the standard deviation of the noise that the block starts from (not on
        noise added later): 1 samples the trained distribution, less is safer, 0 is its centre.
    seed, block, stage : key of the noise. The same key and table sample the same block.
    known : clean frames or cells that the block must contain.
    on_row : called after each row with (rows done, rows).
    """

    table: Table
    context: Feed
    free: Feed | None = None
    scale: float = 1.0
    every: int = 1
    sigma_data: float = 1.0
    temperature: float = 1.0
    seed: int = 1
    block: int = 0
    stage: int = 0
    known: Replace | None = None
    on_row: Callable[[int, int], object] = _no_listener


class Walker(Protocol):
    """Samples blocks with one step graph; holds its buffers between blocks."""

    def sample(self, job: SamplingJob, out: NDArray[np.float32]) -> int:
        """Sample a block into `out` [rows, frames]. Returns the evaluations of the network (NFE).

        Raises
        ------
        ConfigError
            A value of the job cannot be used, or `out` has another shape.
        PackError
            The graph fails.
        """
        ...


class Executor(Protocol):
    """Opens graphs on one target."""

    @property
    def target(self) -> str:
        """A name in `engine.execution.targets.TARGETS`."""
        ...

    def notices(self) -> tuple[str, ...]:
        """Events for the performer since the last call, one line each."""
        ...

    def open(self, manifest: Manifest, file: str) -> Graph:
        """Open one of a pack's graphs.

        Raises
        ------
        PackError
            It cannot be opened there, or its shapes or types cannot be used.
        """
        ...

    def walker(self, step: Graph, shape: tuple[int, int]) -> Walker:
        """A walker for a step graph whose x is [..., rows, frames].

        Raises
        ------
        PackError
            The graph is not a step of that shape.
        """
        ...
