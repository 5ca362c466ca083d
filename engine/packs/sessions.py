"""The ONNX Runtime sessions of a pack. Owned by one thread of the generator process.

A stage has two graphs of fixed shapes: `context`, run once a block, and `step`, run once a step:

    context: previous [1, 1, bins, frames], present [1]                 -> named tensors
    step:    x [1, 1, bins, frames], alpha [1], sigma [1], named tensors -> x0 [1, 1, bins, frames]

All float32. The names and shapes of the tensors between them are the pack's own affair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, PackError
from engine.packs.manifest import Manifest

Array = NDArray[np.float32]
Context = dict[str, NDArray[Any]]
TARGETS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Sessions:
    """Open sessions of one pack on one target.

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
        self._manifest = manifest
        self._target = target
        self._threads = threads
        self._flush = flush_denormals
        stage, representation = manifest.stage, manifest.representation
        self.shape = (representation.bins, stage.frames)
        full = (1, 1, *self.shape)
        self._context = self._open(stage.context, {"previous": list(full), "present": [1]})
        self._step = self._open(stage.step, {"x": list(full), "alpha": [1], "sigma": [1]})
        self._between = [o.name for o in self._context.get_outputs()]
        wanted = {i.name for i in self._step.get_inputs()} - {"x", "alpha", "sigma"}
        if not wanted <= set(self._between):
            raise PackError(
                f"{manifest.path(stage.step)}: wants {sorted(wanted - set(self._between))}, which "
                f"{stage.context} does not give"
            )
        self._wanted = wanted
        self._alpha = np.ones(1, np.float32)
        self._sigma = np.ones(1, np.float32)
        self._present = np.ones(1, np.float32)

    def _open(self, name: str, inputs: dict[str, list[int]]) -> Any:
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
        have = {i.name: list(i.shape) for i in session.get_inputs()}
        for key, shape in inputs.items():
            if have.get(key) != shape:
                raise PackError(f"{path}: input {key!r} is {have.get(key)}; it has to be {shape}")
        return session

    def context(self, previous: Array | None) -> Context:
        """What every step of the next block is told of its past.

        `previous` is x0 [bins, frames] of the block before, or None where there is no past.
        """
        bins, frames = self.shape
        past = np.zeros((bins, frames), np.float32) if previous is None else previous
        self._present[0] = 0.0 if previous is None else 1.0
        feed = {"previous": past.reshape(1, 1, bins, frames), "present": self._present}
        made = self._context.run(self._between, feed)
        return {k: v for k, v in zip(self._between, made, strict=True) if k in self._wanted}

    def denoise(self, x: Array, alpha: float, sigma: float, context: Context) -> Array:
        """One network evaluation: noisy x [bins, frames] -> x0 [bins, frames]."""
        self._alpha[0], self._sigma[0] = alpha, sigma
        feed = {"x": x.reshape(1, 1, *self.shape), "alpha": self._alpha, "sigma": self._sigma}
        made = self._step.run(["x0"], {**feed, **context})[0]
        return made.reshape(self.shape)

    def warm_up(self, runs: int = 2) -> None:
        """Run every graph before the first block, so that no first-time cost is heard."""
        x = np.zeros(self.shape, np.float32)
        for _ in range(runs):
            self.denoise(x, 1.0, 1.0, self.context(x))
