"""The ONNX Runtime sessions of a pack. Owned by one thread of the generator process.

Every stage has two graphs of fixed shapes: `context`, run once a block, and `step`, run once a
step. All tensors are float32; a block is [..., rows, frames] with ones before.

    context: what the block hears, by name -> named tensors
    step:    x [..., rows, frames], alpha [1], sigma [1], named tensors -> x0, of x's shape

What a context graph may ask for: `previous`, the block before, or `past`, the clean frames before
(both with `present` [1], 0 where there is none); an earlier stage's frames, by its name; and the
stage's controls, by theirs (engine/controls/encoding.py has their shapes). The names and shapes
of the tensors between the graphs are the pack's own affair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.controls.encoding import encode
from engine.controls.pack_controls import earlier_controls
from engine.errors import ConfigError, PackError
from engine.onnx_runtime import library
from engine.packs.files import open_graph
from engine.packs.manifest import Manifest, Stage
from engine.signal.roll import ROWS

Array = NDArray[np.float32]
Context = dict[str, NDArray[Any]]
TARGETS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def _nothing(_: str) -> None:
    pass


class StageSessions:
    """Open sessions of one stage: `shape` (rows, frames) of its block, `inputs` of its context."""

    def __init__(self, manifest: Manifest, stage: Stage, opener: _Opener) -> None:
        self._manifest, self.stage = manifest, stage
        self._context, self.inputs = opener.open(stage.context)
        self._step, step_inputs = opener.open(stage.step)
        self._check(step_inputs)
        self._check_answer(step_inputs["x"])
        self._full = tuple(step_inputs["x"])
        self.shape = (self._full[-2], self._full[-1])
        self._between = [o.name for o in self._context.get_outputs()]
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
        for name, array in self._sizes().items():
            if name in self.inputs:
                self._expect_size(stage.context, self.inputs, name, array.size)
        for name in self.inputs:
            if name not in known:
                raise PackError(
                    f"{manifest.path(stage.context)}: input {name!r} is unknown; "
                    f"known are {', '.join(sorted(known))}"
                )

    def _sizes(self) -> dict[str, Array]:
        """What the context hears beside frames, at rest."""
        controls = earlier_controls(self.stage.controls)
        return {"present": np.ones(1, np.float32)} | {
            c.graph_input: encode(c, c.default) for c in controls
        }

    def _check_answer(self, x: list[int]) -> None:
        """Refuse a step graph that does not answer x0 in the shape of x."""
        shapes = {o.name: list(o.shape) for o in self._step.get_outputs()}
        if shapes.get("x0", [])[-2:] != x[-2:] or any(n != 1 for n in shapes["x0"][:-2]):
            raise PackError(
                f"{self._manifest.path(self.stage.step)}: output 'x0' is {shapes.get('x0')}; it "
                f"has to be {x}, as 'x' is"
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
        made = self._run(self.stage.context, self._context, self._between, feed)
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
        made = self._run(self.stage.step, self._step, ["x0"], {**feed, **context})[0]
        return made.reshape(self.shape)

    def _run(self, file: str, session: Any, outputs: list[str], feed: Mapping[str, Any]) -> Any:
        try:
            return session.run(outputs, feed)
        except Exception as error:  # ONNX Runtime raises a dozen unrelated types
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise PackError(f"{self._manifest.path(file)}: the graph fails ({first})") from error

    def nothing(self) -> dict[str, Array]:
        """Zeros for everything that the context hears."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.inputs.items()}


class _Opener:
    """Opens graphs on one target with one set of options."""

    def __init__(
        self, manifest: Manifest, options: Mapping[str, Any], announce: Callable[[str], object]
    ) -> None:
        self._manifest, self._options, self._announce = manifest, options, announce

    def open(self, name: str) -> tuple[Any, dict[str, list[int]]]:
        """The session, and its inputs' shapes by name."""
        self._announce("open")
        session = open_graph(self._manifest, name, **self._options)
        shapes = {i.name: list(i.shape) for i in session.get_inputs()}
        for tensor in (*session.get_inputs(), *session.get_outputs()):
            where = f"{self._manifest.path(name)}: tensor {tensor.name!r}"
            if not all(isinstance(n, int) for n in tensor.shape):
                raise PackError(f"{where} is {tensor.shape}; shapes have to be fixed")
            if tensor.type != "tensor(float)":
                raise PackError(f"{where} is a {tensor.type}; it has to be a tensor(float)")
        return session, shapes


class Sessions:
    """Open sessions of one pack on one target, stage by stage in `stages`.

    Parameters
    ----------
    manifest : the pack; its files should have been verified.
    threads : of ONNX Runtime within one operator. Never more than there are idle cores: spinning
        is off, but threads that wait for each other still cost.
    target : `cpu` or `cuda`.
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
        if target not in TARGETS:
            raise ConfigError(f"target {target!r} is unknown; there are {', '.join(TARGETS)}")
        if TARGETS[target] not in library().get_available_providers():
            raise ConfigError(
                f"target {target!r} needs an ONNX Runtime with {TARGETS[target]}; "
                "install onnxruntime-gpu, or use cpu"
            )
        options = {
            "threads": threads, "provider": TARGETS[target], "flush_denormals": flush_denormals
        }  # fmt: skip
        opener = _Opener(manifest, options, announce)
        self._announce = announce
        self.stages = tuple(StageSessions(manifest, s, opener) for s in manifest.stages)

    def warm_up(self, runs: int = 2) -> None:
        """Run every graph before the first block, so that no first-time cost is heard."""
        for stage in self.stages:
            x = np.zeros(stage.shape, np.float32)
            for _ in range(runs):
                self._announce("warm-up")
                stage.denoise(x, 1.0, 1.0, stage.context(stage.nothing()))
