"""The open graphs of a pack. Owned by one thread of the generator process.

Every stage has two graphs of fixed shapes: `context`, run once a block, and `step`, run once a
step. All tensors are float32; a block is [..., rows, frames] with ones before.

    context: what the block hears, by name -> named tensors
    step:    x [..., rows, frames], alpha [1], sigma [1], named tensors -> x0, of x's shape

What a context graph may ask for: `previous`, the block before, or `past`, the clean frames before
(both with `present` [1], 0 where there is none); an earlier stage's frames, by its name; and the
stage's controls, by theirs (engine/stream/conditions.py has their shapes). The names and shapes
of the tensors between the graphs are the pack's own affair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.execution.executor import Executor, TensorInfo, make_executor
from engine.packs.manifest import Manifest, Stage
from engine.signal.roll import ROWS
from engine.stream.conditions import heard

Array = NDArray[np.float32]
Context = dict[str, NDArray[Any]]


def _nothing(_: str) -> None:
    pass


class StageSessions:
    """Open graphs of one stage.

    `shape` (rows, frames) of its block, `inputs` (shapes) of its context, `walker` of its step.
    """

    def __init__(self, manifest: Manifest, stage: Stage, executor: Executor) -> None:
        self._manifest, self.stage = manifest, stage
        self._context = executor.open(manifest, stage.context)
        self._step = executor.open(manifest, stage.step)
        self.inputs = _shapes(self._context.inputs)
        step_inputs = _shapes(self._step.inputs)
        self._check(step_inputs)
        self._full = tuple(step_inputs["x"])
        self.shape = (self._full[-2], self._full[-1])
        self.walker = executor.walker(self._step, self.shape)
        self._between = list(self._context.outputs)
        self._wanted = set(step_inputs) - {"x", "alpha", "sigma"}
        if not self._wanted <= set(self._between):
            raise PackError(
                f"{manifest.path(stage.step)}: wants {sorted(self._wanted - set(self._between))}, "
                f"which {stage.context} does not give"
            )
        self._alpha = np.ones(1, np.float32)
        self._sigma = np.ones(1, np.float32)

    def _check(self, step: Mapping[str, list[int]]) -> None:
        """Refuse graphs that the manifest does not describe."""
        manifest, stage = self._manifest, self.stage
        frames = stage.frames
        rows = self._rows(stage)
        self._expect(stage.step, step, "x", rows, frames)
        for name in ("alpha", "sigma"):
            self._expect_size(stage.step, step, name, 1)
        if stage.continuing == "embed":
            self._expect(stage.context, self.inputs, "previous", rows, frames)
        else:
            self._expect(stage.context, self.inputs, "past", rows, stage.context_frames)
        known = {"previous", "past", "present", *stage.controls}
        if stage.after:
            other = manifest.stages[[s.name for s in manifest.stages].index(stage.after)]
            span = stage.history + other.frames + stage.lookahead
            self._expect(stage.context, self.inputs, stage.after, self._rows(other), span)
            known.add(stage.after)
        for name, array in {"present": np.ones(1), **heard(stage.controls, {}, ())}.items():
            if name in self.inputs:
                self._expect_size(stage.context, self.inputs, name, array.size)
        for name in self.inputs:
            if name not in known:
                raise PackError(
                    f"{manifest.path(stage.context)}: input {name!r} is unknown; "
                    f"known are {', '.join(sorted(known))}"
                )

    def _rows(self, stage: Stage) -> int:
        return self._manifest.representation.bins if stage.represents == "spectrum" else ROWS

    def _expect(
        self, file: str, have: Mapping[str, list[int]], name: str, rows: int, frames: int
    ) -> None:
        shape = have.get(name, [])
        if shape[-2:] != [rows, frames] or any(n != 1 for n in shape[:-2]):
            raise PackError(
                f"{self._manifest.path(file)}: input {name!r} is {shape}; it has to be "
                f"[1, {rows}, {frames}]"
            )

    def _expect_size(self, file: str, have: Mapping[str, list[int]], name: str, size: int) -> None:
        if name not in have or math.prod(have[name]) != size:
            raise PackError(
                f"{self._manifest.path(file)}: input {name!r} is {have.get(name)}; it has to be "
                f"[{size}]"
            )

    def context(self, heard: Mapping[str, Array]) -> Context:
        """What every step of the next block gets. `heard` by name, of any shape that fits.

        Raises
        ------
        PackError
            The graph fails.
        """
        feed = {
            name: np.ascontiguousarray(heard[name], np.float32).reshape(shape)
            for name, shape in self.inputs.items()
        }
        made = self._context.run(feed, self._between)
        return {k: v for k, v in zip(self._between, made, strict=True) if k in self._wanted}

    def denoise(self, x: Array, alpha: float, sigma: float, context: Context) -> Array:
        """One network evaluation: noisy x [rows, frames] -> x0 [rows, frames].

        Raises
        ------
        PackError
            The graph fails.
        """
        self._alpha[0], self._sigma[0] = alpha, sigma
        feed = {"x": x.reshape(self._full), "alpha": self._alpha, "sigma": self._sigma}
        (made,) = self._step.run({**feed, **context}, ["x0"])
        return made.reshape(self.shape)

    def nothing(self) -> dict[str, Array]:
        """Zeros for everything that the context hears."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.inputs.items()}


def _shapes(tensors: Mapping[str, TensorInfo]) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in tensors.items()}


class Sessions:
    """Open sessions of one pack on one target, stage by stage in `stages`.

    Parameters
    ----------
    manifest : the pack; its files should have been verified.
    threads : of ONNX Runtime within one operator. Never more than there are idle cores: spinning
        is off, but threads that wait for each other still cost.
    target : a name in `engine.execution.targets.TARGETS`.
    flush_denormals : computes with denormals as zero, which decaying notes are full of. ONNX
        Runtime sets that for the whole calling thread and for good: for a process of its own.

    announce : called with the kind of work (`open`, `warm-up`) before each graph.

    Raises
    ------
    PackError
        When a graph cannot be opened or has not the inputs and outputs above.
    ConfigError
        When the target is unknown or this installation of ONNX Runtime lacks it.
    """

    def __init__(
        self,
        manifest: Manifest,
        threads: int = 1,
        target: str = "cpu",
        *,
        flush_denormals: bool = False,
        announce: Callable[[str], object] = _nothing,
    ) -> None:
        self.executor = make_executor(
            target, threads, flush_denormals=flush_denormals, announce=announce
        )
        self._announce = announce
        self.stages = tuple(StageSessions(manifest, s, self.executor) for s in manifest.stages)

    def warm_up(self, runs: int = 2) -> None:
        """Run every graph before the first block, so that no first-time cost is heard."""
        for stage in self.stages:
            x = np.zeros(stage.shape, np.float32)
            for _ in range(runs):
                self._announce("warm-up")
                stage.denoise(x, 1.0, 1.0, stage.context(stage.nothing()))
