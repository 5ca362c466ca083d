"""The open graphs of one stage, checked against the plan. Owned by the generator's thread.

All tensors between the stages are float32; a block is [..., rows, frames] with ones before.

    context: what the block reads, by name -> named tensors, once a block
    step:    x, alpha [1], sigma [1], named tensors -> x0, of x's shape, once a row of the sampler
    final:   the inputs of step -> x0, in place of the last row's
    read:    frames, position [1], cached tensors -> new entries of the cached tensors
    run:     what the block reads, by name -> frames

What a graph may read: frames of the stage's inputs, by `graph_input`; its controls, by theirs; its
own past as `previous` (embed) or `past` (prefix), with `present` [1], 0 where there is none; what
an encoder outputs for a text. A step graph without a context graph reads all of that itself. The
names and shapes of the tensors between the graphs are for the pack to choose.
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
    encoded : shapes of what the encoders output for the texts that the stage reads, by graph input.

    Attributes
    ----------
    shape : (rows, frames) of what the sampler works on: the block, with its past where it
        continues by `replace`.
    inputs : shapes of everything that is read, by name.

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
            self._check_reads("context", self.context)
        if stage.kind == "network":
            self._check_reads("run", self.main)
            self._check_answer("run", self.main, "frames")
        else:
            self._check_step()
        self.inputs: dict[str, tuple[int, ...]] = {}
        for graph in filter(None, (self.context, self.main)):
            known = {*self._expected, *encoded}
            self.inputs |= {n: t.shape for n, t in graph.inputs.items() if n in known}

    def _sizes(self) -> dict[str, tuple[int, ...]]:
        """What can be read, by name: (rows, frames), or (size,) of a control."""
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
        """Refuse inputs that nothing feeds, or of another shape than what is read."""
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
        wanted = self._encoded[name]
        if shape != wanted:
            raise PackError(
                f"{self._manifest.path(file)}: input {name!r} is {list(shape)}; the encoder "
                f"outputs {list(wanted)}"
            )

    def _check_shape(
        self, file: str, name: str, shape: tuple[int, ...], wanted: tuple[int, ...]
    ) -> None:
        fits = (
            math.prod(shape) == wanted[0]
            if len(wanted) == 1
            else shape[-2:] == wanted and all(n == 1 for n in shape[:-2])
        )
        if not fits:
            text = f"[{wanted[0]}]" if len(wanted) == 1 else f"[1, {wanted[0]}, {wanted[1]}]"
            raise PackError(
                f"{self._manifest.path(file)}: input {name!r} is {list(shape)}; it has to be {text}"
            )

    def _check_step(self) -> None:
        stage = self._plan.stage
        for purpose in ("step", "final"):
            if purpose not in self.graphs:
                continue
            graph, file = self.graphs[purpose], stage.graphs[purpose]
            for name, wanted in zip(_STEP, (self.shape, (1,), (1,)), strict=True):
                shape = graph.inputs[name].shape if name in graph.inputs else ()
                self._check_shape(file, name, shape, wanted)
            self._check_answer(purpose, graph, "x0")
            if self.context is None:
                self._check_reads(purpose, graph, (*_STEP, *self.cached))
                continue
            have = {*_STEP, *self.context.outputs, *self.cached}
            missing = sorted(set(graph.inputs) - have)
            if missing:
                raise PackError(
                    f"{self._manifest.path(file)}: wants {missing}, which "
                    f"{stage.graphs['context']} does not give"
                )

    @property
    def cached(self) -> tuple[str, ...]:
        """Names of the tensors that a cache keeps."""
        read = self.graphs.get("read")
        return () if read is None else tuple(read.outputs)

    def _check_answer(self, purpose: str, graph: Graph, name: str) -> None:
        wanted = self.shape
        shape = graph.outputs[name].shape if name in graph.outputs else ()
        if shape[-2:] != wanted or any(n != 1 for n in shape[:-2]):
            raise PackError(
                f"{self._manifest.path(self._plan.stage.graphs[purpose])}: output {name!r} is "
                f"{list(shape)}; it has to be [1, {wanted[0]}, {wanted[1]}]"
            )

    def feed(self, graph: Graph, read: Tensors) -> dict[str, NDArray[np.generic]]:
        """Those of the tensors that a graph takes, in its shapes and types."""
        fed: dict[str, NDArray[np.generic]] = {}
        for name, tensor in graph.inputs.items():
            if name in read:
                fed[name] = np.ascontiguousarray(read[name], tensor.dtype).reshape(tensor.shape)
        return fed

    def run_context(self, read: Tensors) -> dict[str, NDArray[np.generic]]:
        """What every step of the next block gets beside x, alpha and sigma.

        Raises
        ------
        PackError
            The graph fails.
        """
        if self.context is None:
            return self.feed(self.main, read)
        answered = self.context.run(self.feed(self.context, read), self.between)
        passed = {n: a for n, a in self.feed(self.main, read).items() if n not in _STEP}
        return {**passed, **dict(zip(self.between, answered, strict=True))}

    def zeros(self) -> dict[str, Array]:
        """Zeros for everything that is read."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.inputs.items()}
