"""The open graphs of one stage, checked against the plan. Owned by the generator's thread.

All tensors between stages are float32; a block is [..., rows, frames] with leading ones.

    context: inputs of the block, by name -> named tensors, once per block
    step:    x, alpha [1], sigma [1], named tensors -> x0, of x's shape, once per sampler row
    final:   the inputs of step -> x0, instead of the last row
    read:    frames, position [1], cached tensors -> new entries of the cached tensors
    run:     inputs of the block, by name -> frames

A graph may read: frames of the stage's inputs and its controls, by `graph_input`; its own past as
`previous` (embed) or `past` (prefix), with `present` [1], 0 without a past; the outputs of an
encoder. A step graph without a context graph reads all of these itself. The pack chooses names and
shapes of the tensors between its graphs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.controls.encoding import encode
from engine.errors import PackError
from engine.execution.executor import Executor, Graph
from engine.packs.manifest import Manifest
from engine.packs.plan import StagePlan

__all__ = ["StageGraphs"]

Array = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.generic]]
_STEP = ("x", "alpha", "sigma")


class StageGraphs:
    """Opens the graphs of a diffusion or network stage.

    Parameters
    ----------
    rows : of a frame that the graphs output; the projection of the signal may add others.
    encoded : shapes of the encoder tensors that the stage reads, by graph input.

    Attributes
    ----------
    shape : (rows, frames) that the sampler works on: the block, with `replace` also the past.
    inputs : shapes of all inputs, by name.

    Raises
    ------
    PackError
        A graph cannot be opened, or does not match the manifest.
    """

    def __init__(
        self,
        manifest: Manifest,
        plan: StagePlan,
        executor: Executor,
        rows: int,
        encoded: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._manifest, self._plan, self._encoded = manifest, plan, encoded
        stage = plan.stage
        self.graphs: dict[str, Graph] = {
            name: executor.open(manifest, file) for name, file in stage.graphs.items()
        }
        main = "run" if stage.kind == "network" else "step"
        self.main = self.graphs[main]
        self.context = self.graphs.get("context")
        frames = stage.block + (stage.past if stage.continues == "replace" else 0)
        self.shape = (rows, frames)
        self._expected = self._sizes()
        self.between: tuple[str, ...] = ()
        if self.context is not None:
            self.between = tuple(n for n in self.context.outputs if n in self.main.inputs)
            self._check_reads("context", self.context, self.cached)
        if stage.kind == "network":
            self._check_reads("run", self.main)
            self._check_output("run", self.main, "frames")
        else:
            self._check_step()
        self.inputs: dict[str, tuple[int, ...]] = {}
        for graph in filter(None, (self.context, self.main)):
            known = {*self._expected, *encoded, *self.cached}
            self.inputs |= {n: t.shape for n, t in graph.inputs.items() if n in known}

    def _sizes(self) -> dict[str, tuple[int, ...]]:
        """The possible inputs, by name: (rows, frames), or (size,) of a control."""
        manifest, stage = self._manifest, self._plan.stage
        rows = manifest.signal(stage.output).rows
        sizes: dict[str, tuple[int, ...]] = {}
        if stage.continues == "embed":
            sizes["previous"] = (rows, stage.block)
        elif stage.continues == "prefix":
            sizes["past"] = (rows, stage.past)
        if stage.continues in ("embed", "prefix"):
            sizes["present"] = (1,)
        for read in self._plan.inputs:
            first, end = read.window(0, stage.block)
            sizes[read.read.graph_input] = (
                manifest.signal(read.read.signal).rows, end - first
            )  # fmt: skip
        for control in manifest.controls:
            if control.short in stage.controls and control.kind != "text":
                sizes[control.graph_input] = (encode(control, control.default).size,)
        return sizes

    def _check_reads(self, purpose: str, graph: Graph, known: Sequence[str] = ()) -> None:
        """Refuse inputs that are unknown or of another shape."""
        file = self._plan.stage.graphs[purpose]
        for name, tensor in graph.inputs.items():
            if name in known:
                continue
            if name in self._encoded:
                self._check_encoded(file, name, tensor.shape)
                continue
            if name not in self._expected:
                able = ", ".join(sorted({*self._expected, *self._encoded, *known}))
                raise PackError(
                    f"{self._manifest.path(file)}: input {name!r} is unknown; known are {able}"
                )
            self._check_shape(file, name, tensor.shape, self._expected[name])

    def _check_encoded(self, file: str, name: str, shape: tuple[int, ...]) -> None:
        expected = self._encoded[name]
        if shape != expected:
            raise PackError(
                f"{self._manifest.path(file)}: input {name!r} is {list(shape)}; the encoder "
                f"outputs {list(expected)}"
            )

    def _check_shape(
        self, file: str, name: str, shape: tuple[int, ...], expected: tuple[int, ...]
    ) -> None:
        fits = (
            math.prod(shape) == expected[0]
            if len(expected) == 1
            else shape[-2:] == expected and all(n == 1 for n in shape[:-2])
        )
        if not fits:
            one = len(expected) == 1
            text = f"[{expected[0]}]" if one else f"[1, {expected[0]}, {expected[1]}]"
            raise PackError(
                f"{self._manifest.path(file)}: input {name!r} is {list(shape)}; use {text}"
            )

    def _check_step(self) -> None:
        stage = self._plan.stage
        for purpose in ("step", "final"):
            if purpose not in self.graphs:
                continue
            graph, file = self.graphs[purpose], stage.graphs[purpose]
            for name, expected in zip(_STEP, (self.shape, (1,), (1,)), strict=True):
                shape = graph.inputs[name].shape if name in graph.inputs else ()
                self._check_shape(file, name, shape, expected)
            self._check_output(purpose, graph, "x0")
            if self.context is None:
                self._check_reads(purpose, graph, (*_STEP, *self.cached))
                continue
            have = {*_STEP, *self.context.outputs, *self.cached}
            missing = sorted(set(graph.inputs) - have)
            if missing:
                raise PackError(
                    f"{self._manifest.path(file)}: inputs {missing} are not outputs of "
                    f"{stage.graphs['context']}"
                )

    @property
    def cached(self) -> tuple[str, ...]:
        """Names of the cached tensors, and of their position and count."""
        read = self.graphs.get("read")
        return () if read is None else (*read.outputs, "position", "count")

    def _check_output(self, purpose: str, graph: Graph, name: str) -> None:
        expected = self.shape
        shape = graph.outputs[name].shape if name in graph.outputs else ()
        if shape[-2:] != expected or any(n != 1 for n in shape[:-2]):
            raise PackError(
                f"{self._manifest.path(self._plan.stage.graphs[purpose])}: output {name!r} is "
                f"{list(shape)}; use [1, {expected[0]}, {expected[1]}]"
            )

    def feed(self, graph: Graph, read: Tensors) -> dict[str, NDArray[np.generic]]:
        """The tensors that a graph reads, in its shapes and types."""
        fed: dict[str, NDArray[np.generic]] = {}
        for name, tensor in graph.inputs.items():
            if name in read:
                fed[name] = np.ascontiguousarray(read[name], tensor.dtype).reshape(tensor.shape)
        return fed

    def run_context(self, read: Tensors) -> dict[str, NDArray[np.generic]]:
        """The inputs of every step of the next block, besides x, alpha and sigma.

        Raises
        ------
        PackError
            The graph fails.
        """
        if self.context is None:
            return self.feed(self.main, read)
        outputs = self.context.run(self.feed(self.context, read), self.between)
        passed = {n: a for n, a in self.feed(self.main, read).items() if n not in _STEP}
        return {**passed, **dict(zip(self.between, outputs, strict=True))}

    def zeros(self) -> dict[str, Array]:
        """Zeros for all inputs."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.inputs.items()}
