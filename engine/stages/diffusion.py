"""A diffusion stage at work: what its block reads, its sampler, its guidance.

Owned by the generator's thread. Frames are ndarray [rows, frames] float32 in the network's scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.controls.control import Control, Value
from engine.controls.encoding import any_given, encode
from engine.execution.executor import Executor, Graph, SamplingJob
from engine.packs.manifest import Manifest
from engine.packs.plan import StagePlan
from engine.sampling.replace import Replace
from engine.sampling.samplers import Table, table_for, without_last_row
from engine.sampling.schedules import Schedule, make_schedule
from engine.stages.cache import FrameCache
from engine.stages.graphs import StageGraphs
from engine.stages.log import SignalLog
from engine.stages.request import PACKS_OWN, StageRequest

__all__ = ["BlockInputs", "DiffusionStage"]

Array = NDArray[np.float32]
Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class BlockInputs:
    """What one block reads beside the stage's own past.

    `windows`: frames of other signals by graph input; `controls`: values by short name;
    `encoded`: tensors of encoders by graph input, `empty` those of empty texts; `seed` and `block`
    key the noise; `known`: cells that the block must contain.
    """

    windows: Mapping[str, Array]
    controls: Mapping[str, Value]
    encoded: Tensors
    empty: Tensors
    seed: int
    block: int
    known: Replace | None = None


class DiffusionStage:
    """Samples the blocks of one stage.

    Parameters
    ----------
    manifest, plan : of the pack, and of the stage.
    executor : opens the graphs and walks the sampler's table.
    rows : of a frame that it samples.
    encoded : shapes of what it reads of encoders, by graph input.
    announce : called with the name of each part of the work before it is done.

    Raises
    ------
    PackError
        A graph cannot be opened, or is not what the manifest describes.
    """

    def __init__(
        self,
        manifest: Manifest,
        plan: StagePlan,
        executor: Executor,
        rows: int,
        encoded: Mapping[str, tuple[int, ...]],
        announce: Callable[[str], object],
    ) -> None:
        self.plan, self._announce = plan, announce
        self._stage = plan.stage
        self.graphs = StageGraphs(manifest, plan, executor, rows, encoded)
        self._walker = executor.walker(self.graphs.main, self.graphs.shape)
        self._controls: tuple[Control, ...] = tuple(
            c for c in manifest.controls if c.short in self._stage.controls
        )
        read = self.graphs.graphs.get("read")
        self.cache = FrameCache(read, self._stage.past, self.graphs.main) if read else None
        self._tables: dict[tuple[str, int], Table] = {}
        self._out = np.zeros(self.graphs.shape, np.float32)

    def warm_up(self) -> None:
        """Evaluate the context and one step with zeros."""
        context = self.graphs.run_context(self.graphs.zeros())
        ones = np.ones(1, np.float32)
        x = np.zeros(self.graphs.shape, np.float32)
        main = self.graphs.main
        main.run(self.graphs.feed(main, {**context, "x": x, "alpha": ones, "sigma": ones}), ["x0"])

    def table(self, request: StageRequest) -> Table:
        """The sampler's table for a request at this stage's noise levels; kept.

        Raises
        ------
        ConfigError
            For a sampler or a number of steps that cannot be used.
        """
        sampling = self._stage.sampling
        own = request.sampler == PACKS_OWN
        name = sampling.sampler if own else request.sampler
        if (name, request.steps) not in self._tables:
            options = sampling.sampler_options if own else {}
            table = table_for(
                name, request.steps, self._schedule, resample=self._stage.resample, **options
            )
            self._tables[name, request.steps] = table
        return self._tables[name, request.steps]

    def _schedule(self, intervals: int) -> Schedule:
        sampling = self._stage.sampling
        return make_schedule(sampling.schedule, intervals, **sampling.schedule_options)

    def run(self, request: StageRequest, block: BlockInputs, log: SignalLog) -> tuple[Array, int]:
        """Sample one block. The array stays valid until the next call.

        Returns
        -------
        block : ndarray [shape=(rows, block + overlap)]
        evaluations : of the network (NFE).

        Raises
        ------
        ConfigError
            For a value that the sampler cannot take.
        PackError
            A graph fails.
        """
        stage = self._stage
        table = self.table(request)
        self._announce(f"context {stage.name}")
        read = self._read(block, log)
        context = self.graphs.run_context(read)
        scale = self._scale(request, block, log)
        free = None
        if scale != 1.0:
            free = self.graphs.run_context({**read, **self._without(block, log)})
        step = f"step {stage.name}"
        self._announce(step)
        final = self.graphs.graphs.get("final")
        rows = table if final is None else without_last_row(table)
        job = SamplingJob(
            table=rows, context=context, free=free, scale=scale,
            every=stage.sampling.guidance.every, sigma_data=stage.sampling.sigma_data,
            temperature=request.temperature, seed=block.seed, block=block.block,
            stage=stage.noise_key, known=self._known(block, log),
            on_row=lambda _, __: self._announce(step),
        )  # fmt: skip
        evaluations = self._walker.sample(job, self._out)
        if final is not None:
            self._finish(final, context, float(table.alpha[-1]), float(table.sigma[-1]))
            evaluations += 1
        return self._out[:, self._out.shape[1] - stage.block - stage.overlap :], evaluations

    def _finish(self, final: Graph, context: Tensors, alpha: float, sigma: float) -> None:
        """Evaluate the `final` graph in place of the sampler's last row."""
        level = {"alpha": np.array([alpha], np.float32), "sigma": np.array([sigma], np.float32)}
        feed = self.graphs.feed(final, {**context, **level, "x": self._out})
        self._out[...] = final.run(feed, ["x0"])[0].reshape(self._out.shape)

    def _read(self, block: BlockInputs, log: SignalLog) -> dict[str, NDArray[Any]]:
        controls = {
            c.graph_input: encode(c, block.controls.get(c.short, c.default))
            for c in self._controls
            if c.kind != "text"
        }
        past = self._past(log, present=True)
        cached = self.cache.tensors(log) if self.cache else {}
        return {**past, **cached, **block.windows, **block.encoded, **controls}

    def _past(self, log: SignalLog, *, present: bool) -> dict[str, Array]:
        """The stage's own past as inputs of a graph; without `present`, as if there were none."""
        names = {"embed": "previous", "prefix": "past"}
        name = names.get(self._stage.continues)
        if name is None:
            return {}
        n = self._stage.read_past
        there = present and log.has_past
        frames = log.window(log.position - n, log.position) if there else log.empty(n)
        return {name: frames, "present": np.array([float(there)], np.float32)}

    def _scale(self, request: StageRequest, block: BlockInputs, log: SignalLog) -> float:
        """The guidance to use: 1 where there is nothing to strengthen."""
        branch = self._stage.sampling.guidance.branch
        if branch == "past":
            return request.guidance if log.has_past else 1.0
        wanted = branch == "controls" and any_given(self._controls, block.controls)
        return request.guidance if wanted else 1.0

    def _without(self, block: BlockInputs, log: SignalLog) -> dict[str, NDArray[Any]]:
        """What the branch without guidance reads in place of the past or the controls."""
        if self._stage.sampling.guidance.branch == "past":
            return dict(self._past(log, present=False))
        free: dict[str, NDArray[Any]] = {
            c.graph_input: encode(c, block.controls.get(c.short, c.default), free=True)
            for c in self._controls
            if c.kind != "text"
        }
        return {**free, **block.empty}

    def _known(self, block: BlockInputs, log: SignalLog) -> Replace | None:
        """The clean frames that the sampler overwrites.

        Of `replace` they are the past, and at its end `overlap` frames of the provisional tail,
        which are crossfaded with the network's. Without a tail the past ends where it is committed.
        """
        stage = self._stage
        if stage.continues != "replace":
            return block.known
        if not log.has_past:
            return None
        end = log.position + stage.overlap
        overlap = stage.overlap if log.end >= end else 0
        context = log.window(end - stage.past, log.position + overlap)
        return Replace(context, overlap=overlap)
