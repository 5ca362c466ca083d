"""The ONNX Runtime sessions of a pack. Owned by one thread of the generator process.

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

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, PackError
from engine.packs.manifest import Manifest, Stage

Array = NDArray[np.float32]
Context = dict[str, NDArray[Any]]
TARGETS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class StageSessions:
    """Open sessions of one stage: `shape` (rows, frames) of its block, `inputs` of its context."""

    def __init__(self, manifest: Manifest, stage: Stage, opener: _Opener) -> None:
        self._manifest, self.stage = manifest, stage
        self._context, self.inputs = opener.open(stage.context)
        self._step, step_inputs = opener.open(stage.step)
        self._check(step_inputs)
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
        rows = manifest.representation.bins if stage.represents == "spectrum" else None
        self._expect(stage.step, step, "x", rows, frames)
        if stage.continuing == "embed":
            self._expect(stage.context, self.inputs, "previous", rows, frames)
        else:
            self._expect(stage.context, self.inputs, "past", rows, stage.context_frames)
        known = {"previous", "past", "present", *stage.controls}
        if stage.after:
            heard = manifest.stages[[s.name for s in manifest.stages].index(stage.after)]
            span = stage.history + heard.frames + stage.lookahead
            self._expect(stage.context, self.inputs, stage.after, None, span)
            known.add(stage.after)
        for name in self.inputs:
            if name not in known:
                raise PackError(
                    f"{manifest.path(stage.context)}: input {name!r} is unknown; "
                    f"known are {', '.join(sorted(known))}"
                )

    def _expect(
        self, file: str, have: Mapping[str, list[int]], name: str, rows: int | None, frames: int
    ) -> None:
        shape = have.get(name, [])
        fits = len(shape) >= 2 and shape[-1] == frames and rows in (None, shape[-2])
        if not fits or any(n != 1 for n in shape[:-2]):
            wanted = f"[1, {'rows' if rows is None else rows}, {frames}]"
            raise PackError(
                f"{self._manifest.path(file)}: input {name!r} is {shape}; it has to be {wanted}"
            )

    def context(self, heard: Mapping[str, Array]) -> Context:
        """What every step of the next block is told. `heard` by name, of any shape that fits."""
        feed = {
            name: np.ascontiguousarray(heard[name], np.float32).reshape(shape)
            for name, shape in self.inputs.items()
        }
        made = self._context.run(self._between, feed)
        return {k: v for k, v in zip(self._between, made, strict=True) if k in self._wanted}

    def denoise(self, x: Array, alpha: float, sigma: float, context: Context) -> Array:
        """One network evaluation: noisy x [rows, frames] -> x0 [rows, frames]."""
        self._alpha[0], self._sigma[0] = alpha, sigma
        feed = {"x": x.reshape(self._full), "alpha": self._alpha, "sigma": self._sigma}
        made = self._step.run(["x0"], {**feed, **context})[0]
        return made.reshape(self.shape)

    def nothing(self) -> dict[str, Array]:
        """Zeros for everything that the context hears."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.inputs.items()}


class _Opener:
    """Opens graphs on one target with one set of options."""

    def __init__(self, manifest: Manifest, threads: int, target: str, flush: bool) -> None:
        self._manifest, self._target = manifest, target
        self._threads, self._flush = threads, flush

    def open(self, name: str) -> tuple[Any, dict[str, list[int]]]:
        """The session, and its inputs' shapes by name."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        if self._flush:
            options.add_session_config_entry("session.set_denormal_as_zero", "1")
        path = self._manifest.path(name)
        try:
            session = ort.InferenceSession(str(path), options, providers=[TARGETS[self._target]])
        except Exception as error:  # ONNX Runtime raises a dozen unrelated types
            first = str(error).splitlines()[0]
            raise PackError(f"{path}: ONNX Runtime cannot open it ({first})") from error
        shapes = {i.name: list(i.shape) for i in session.get_inputs()}
        for key, shape in shapes.items():
            if not all(isinstance(n, int) for n in shape):
                raise PackError(f"{path}: input {key!r} is {shape}; shapes have to be fixed")
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
    ) -> None:
        import onnxruntime as ort

        if target not in TARGETS:
            raise ConfigError(f"target {target!r} is unknown; there are {', '.join(TARGETS)}")
        if TARGETS[target] not in ort.get_available_providers():
            raise ConfigError(
                f"target {target!r} needs an ONNX Runtime with {TARGETS[target]}; "
                "install onnxruntime-gpu, or use cpu"
            )
        opener = _Opener(manifest, threads, target, flush_denormals)
        self.stages = tuple(StageSessions(manifest, s, opener) for s in manifest.stages)

    def warm_up(self, runs: int = 2) -> None:
        """Run every graph before the first block, so that no first-time cost is heard."""
        for stage in self.stages:
            x = np.zeros(stage.shape, np.float32)
            for _ in range(runs):
                stage.denoise(x, 1.0, 1.0, stage.context(stage.nothing()))
