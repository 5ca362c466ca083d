"""Walks a sampler's table in the target's own memory.

x, the context's tensors and the table's coefficients stay on the device. In each row the host
uploads the row's number and, where the sampler adds some, fresh noise. Small graphs
(engine/execution/graphs/, written by export/walk_graphs.py) work around the network:

    enter     x, clean values, noise           -> x_in: x with the clean values noised to the row
    network   x_in                             -> conditional (and unconditional, where guided)
    residual  conditional, unconditional       -> residual
    update    x_in, conditional, residual, ... -> x_next, x0

The arithmetic is the host walker's, in the same order: on one provider both sample the same block.
One thread (the generator's) owns a walker. Buffers and bindings are created with it and keep their
addresses, so that CUDA graphs can be captured and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, PackError
from engine.execution.onnx_graph import OnnxGraph, failure, run_options
from engine.execution.protocols import Feed, SamplingJob
from engine.execution.rows import Row, Walk, plan_walk
from engine.execution.step_graph import check_step
from engine.onnx_runtime import library
from engine.sampling.noise import INITIAL_STEP, fill_noise
from engine.sampling.schedules import MAX_STEPS

__all__ = ["COLUMNS", "GRAPHS", "DeviceWalker"]

GRAPHS = Path(__file__).parent / "graphs"
# Of the table on the device. `factor` is guidance's on the residual, `end` the frame at which clean
# values end.
COLUMNS = ("alpha", "sigma", "a", "b", "c", "d", "factor", "end")

Shape = tuple[int, ...]
OpenHelper = Callable[[Path, Mapping[str, int]], OnnxGraph]


class _Tensor:
    """Device memory that keeps its address."""

    def __init__(self, shape: Shape, dtype: Any, device: str) -> None:
        self.shape, self.dtype, self.device = shape, np.dtype(dtype), device
        self._value = library().OrtValue.ortvalue_from_shape_and_type(shape, self.dtype, device, 0)
        self.address: int = self._value.data_ptr()

    def upload(self, array: NDArray[Any]) -> None:
        self._value.update_inplace(np.ascontiguousarray(array, self.dtype).reshape(self.shape))

    def download(self) -> NDArray[Any]:
        return self._value.numpy()


class _Bound:
    """A graph whose inputs and outputs all lie in device memory.

    `capture` is the number, from 0, of its CUDA graph: one for each set of addresses of a session.
    """

    def __init__(
        self,
        graph: OnnxGraph,
        inputs: Mapping[str, _Tensor],
        outputs: Mapping[str, _Tensor],
        capture: int,
    ) -> None:
        self._name, self._session = graph.name, graph.session
        self._kept = (inputs, outputs)  # the binding itself holds addresses only
        self._options = run_options(capture=1 + capture)
        self._binding = self._session.io_binding()
        sides = (
            (inputs, graph.inputs, self._binding.bind_input),
            (outputs, graph.outputs, self._binding.bind_output),
        )
        for tensors, wanted, bind in sides:
            for name, tensor in tensors.items():
                shape = list(wanted[name].shape)  # the same memory may go by several shapes
                bind(name, tensor.device, 0, tensor.dtype.type, shape, tensor.address)

    def run(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        except Exception as error:  # ONNX Runtime raises a dozen unrelated types
            raise failure(self._name, error) from error


class DeviceWalker:
    """Samples blocks of one step graph of ONNX Runtime.

    Parameters
    ----------
    step : the network.
    shape : (rows, frames) of x.
    open_helper : opens one of the small graphs, by its path and the sizes of its free dimensions.
    device : where the target's memory is, as ONNX Runtime names it: `cpu` or `cuda`.

    Raises
    ------
    PackError
        The graph is no step of that shape, or the target cannot run the small graphs.
    """

    def __init__(
        self, step: OnnxGraph, shape: tuple[int, int], open_helper: OpenHelper, device: str
    ) -> None:
        check_step(step, shape)
        self._step, self._shape, self._device = step, shape, device
        sizes = {"rows": shape[0], "frames": shape[1], "steps": MAX_STEPS}
        self._helpers = {
            name: open_helper(GRAPHS / f"{name}.onnx", sizes)
            for name in ("enter", "residual", "update")
        }
        # x_in[1] is of rows that need the x of the row before (Heun); x0 takes turns (multistep).
        self._x_in, self._x0 = ([self._block(), self._block()] for _ in range(2))
        self._x, self._clean, self._noise, self._residual = (self._block() for _ in range(4))
        self._answers = [self._block(), self._block()]  # conditional, unconditional
        self._mask = self._tensor(shape, np.bool_)
        self._frame = self._tensor((shape[1],))
        self._frame.upload(np.arange(shape[1]))
        self._table = self._tensor((MAX_STEPS, len(COLUMNS)))
        self._row = self._tensor((1,), np.int64)
        self._level = {"alpha": self._tensor((1,)), "sigma": self._tensor((1,))}
        self._contexts = [self._context_tensors(), self._context_tensors()]
        self._host_table = np.zeros((MAX_STEPS, len(COLUMNS)), np.float32)
        self._host_noise, self._host_clean, self._host_x = (
            np.zeros(shape, np.float32) for _ in range(3)
        )
        self._host_mask = np.zeros(shape, np.bool_)
        self._host_row = np.zeros(1, np.int64)
        self._bind()

    def _tensor(self, shape: Shape, dtype: Any = np.float32) -> _Tensor:
        return _Tensor(shape, dtype, self._device)

    def _block(self) -> _Tensor:
        return self._tensor(self._shape)

    def _context_tensors(self) -> dict[str, _Tensor]:
        return {
            name: self._tensor(info.shape, info.dtype)
            for name, info in self._step.inputs.items()
            if name not in ("x", *self._level)
        }

    def _bind(self) -> None:
        """Bind every way in which a row can use the graphs."""
        row = {"table": self._table, "row": self._row}
        clean = {"clean": self._clean, "mask": self._mask, "frame": self._frame}
        conditional, unconditional = self._answers
        enter, update = self._helpers["enter"], self._helpers["update"]
        self._enter = [
            _Bound(
                enter,
                {"x": self._x, "noise": self._noise, **clean, **row},
                {"x_in": x_in, **self._level},
                number,
            )
            for number, x_in in enumerate(self._x_in)
        ]
        self._network = [
            [
                _Bound(
                    self._step,
                    {"x": x_in, **self._level, **context},
                    {"x0": answer},
                    2 * branch + number,
                )
                for number, x_in in enumerate(self._x_in)
            ]
            for branch, (context, answer) in enumerate(
                zip(self._contexts, self._answers, strict=True)
            )
        ]
        self._subtract = _Bound(
            self._helpers["residual"],
            {"conditional": conditional, "unconditional": unconditional},
            {"residual": self._residual},
            0,
        )
        # Where a row has no guidance or needs no earlier x0, the coefficient is 0, and the x0 of
        # the network stands in: what an earlier block left in the buffer must not come through.
        self._update = {
            (turn, guided, multistep): _Bound(
                update,
                {
                    "x": self._x_in[0],
                    "conditional": conditional,
                    "residual": self._residual if guided else conditional,
                    "x0_prev": self._x0[1 - turn] if multistep else conditional,
                    "noise": self._noise,
                    **row,
                },
                {"x_next": self._x, "x0": self._x0[turn]},
                4 * turn + 2 * guided + multistep,
            )
            for turn in (0, 1)
            for guided in (False, True)
            for multistep in (False, True)
        }

    def sample(self, job: SamplingJob, out: NDArray[np.float32]) -> int:
        """Sample a block into `out` (see `engine.execution.protocols.Walker`)."""
        walk = plan_walk(job, self._shape, out)
        if len(walk.rows) > MAX_STEPS:
            raise ConfigError(f"Invalid table of {len(walk.rows)} rows: choose up to {MAX_STEPS}")
        self._upload_table(walk)
        self._upload_clean(walk)
        self._upload_context(0, job.context)
        if job.free is not None:
            self._upload_context(1, job.free)
        fill_noise(self._host_noise, job.seed, job.block, job.stage, INITIAL_STEP)
        np.multiply(self._host_noise, job.temperature * walk.rows[0].sigma, out=self._host_x)
        self._noise.upload(self._host_noise)
        self._x.upload(self._host_x)
        for index, row in enumerate(walk.rows):
            self._walk_row(index, row, job)
            job.on_row(index + 1, len(walk.rows))
        out[...] = self._x.download()
        if walk.fixed is not None:
            where = walk.fixed.where(-1)
            out[where] = self._host_clean[where]
        return walk.evaluations

    def _walk_row(self, index: int, row: Row, job: SamplingJob) -> None:
        number = int(row.saved)
        self._host_row[0] = index
        self._row.upload(self._host_row)
        self._enter[number].run()
        self._network[0][number].run()
        if row.guided is not None and row.guided.unconditional:
            self._network[1][number].run()
            self._subtract.run()
        if row.d != 0:
            fill_noise(self._host_noise, job.seed, job.block, job.stage, index + 1)
            self._noise.upload(self._host_noise)
        self._update[index % 2, row.guided is not None, row.c != 0].run()

    def _upload_table(self, walk: Walk) -> None:
        for index, row in enumerate(walk.rows):
            factor = 0.0 if row.guided is None else row.guided.factor
            end = self._shape[1] if walk.fixed is None else walk.fixed.ends[index]
            self._host_table[index] = (
                row.alpha, row.sigma, row.a, row.b, row.c, row.d, factor, end
            )  # fmt: skip
        self._table.upload(self._host_table)

    def _upload_clean(self, walk: Walk) -> None:
        self._host_mask.fill(False)
        if walk.fixed is not None and walk.clean is not None:
            self._host_clean.fill(0)
            self._host_clean[walk.fixed.region] = walk.clean
            where = walk.fixed.region if walk.fixed.cells is None else walk.fixed.cells
            self._host_mask[where] = True
            self._clean.upload(self._host_clean)
        self._mask.upload(self._host_mask)

    def _upload_context(self, branch: int, context: Feed) -> None:
        for name, tensor in self._contexts[branch].items():
            if name not in context:
                raise PackError(f"{self._step.name}: the graph fails (no input {name!r})")
            tensor.upload(context[name])
