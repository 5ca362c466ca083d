"""Continues with the next target when one fails during playback.

One thread (the generator's) owns it. A graph that fails on one target is opened on the next one and
run again. A block that fails is sampled again from its start: its noise depends on the block alone,
so it is the block that the next target would have sampled, and the stream has no gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.execution.protocols import Array, Executor, Feed, Graph, SamplingJob, TensorInfo, Walker
from engine.packs.manifest import Manifest

__all__ = ["FallbackExecutor"]


class FallbackExecutor:
    """An executor on the first target that works.

    Parameters
    ----------
    first : already opened. If it cannot open a graph, that is an error: only later failures fall
        back.
    others : create the executors of the following targets, in the order in which they are tried.
    """

    def __init__(self, first: Executor, others: Sequence[Callable[[], Executor]]) -> None:
        self.current, self._others = first, list(others)
        self._notices: list[str] = []

    @property
    def target(self) -> str:
        """The target in use."""
        return self.current.target

    def notices(self) -> tuple[str, ...]:
        """Events since the last call, one line each."""
        found = tuple(self._notices)
        self._notices.clear()
        return found

    def open(self, manifest: Manifest, file: str) -> Graph:
        """Open one of a pack's graphs (see `engine.execution.protocols.Executor`)."""
        return _Graph(self, lambda: self.current.open(manifest, file))

    def walker(self, step: Graph, shape: tuple[int, int]) -> Walker:
        """A walker for a step graph that this executor opened."""
        if not isinstance(step, _Graph):
            raise PackError(f"{step.name}: it was opened elsewhere; open it with this executor")
        return _Walker(self, step, shape)

    def fall_back(self, failed: Executor, error: PackError) -> None:
        """Use the next target from now on, unless another graph has already caused that.

        Raises
        ------
        PackError
            There is no other target.
        """
        if self.current is not failed:
            return
        if not self._others:
            raise error
        self.current = self._others.pop(0)()
        self._notices.append(
            f"target {failed.target!r} failed ({error}); playing on with {self.current.target!r}"
        )


class _Graph:
    """A graph on whichever target is in use."""

    def __init__(self, owner: FallbackExecutor, reopen: Callable[[], Graph]) -> None:
        self._owner, self._reopen = owner, reopen
        self._executor, self._graph = owner.current, reopen()

    def now(self) -> Graph:
        """The graph on the target in use."""
        while self._executor is not self._owner.current:
            self._executor = self._owner.current
            try:
                self._graph = self._reopen()
            except PackError as error:
                self._owner.fall_back(self._executor, error)
        return self._graph

    @property
    def name(self) -> str:
        return self._graph.name

    @property
    def inputs(self) -> Mapping[str, TensorInfo]:
        return self._graph.inputs

    @property
    def outputs(self) -> Mapping[str, TensorInfo]:
        return self._graph.outputs

    def run(self, feed: Feed, outputs: Sequence[str]) -> list[Array]:
        while True:
            graph, executor = self.now(), self._executor
            try:
                return graph.run(feed, outputs)
            except PackError as error:
                self._owner.fall_back(executor, error)


class _Walker:
    """A walker on whichever target is in use."""

    def __init__(self, owner: FallbackExecutor, step: _Graph, shape: tuple[int, int]) -> None:
        self._owner, self._step, self._shape = owner, step, shape
        self._executor = owner.current
        self._walker = owner.current.walker(step.now(), shape)

    def sample(self, job: SamplingJob, out: NDArray[np.float32]) -> int:
        while True:
            try:
                return self._now().sample(job, out)
            except PackError as error:
                self._owner.fall_back(self._executor, error)

    def _now(self) -> Walker:
        step = self._step.now()
        if self._executor is not self._owner.current:
            self._executor = self._owner.current
            self._walker = self._executor.walker(step, self._shape)
        return self._walker
