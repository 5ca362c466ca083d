"""Walks a sampler's table in host memory.

x_next = a x + b x0_hat + c x0_prev + d noise, row by row, one evaluation of the network each, with
guidance and clean values in between. One thread (the generator's) owns a walker. Its buffers are
allocated when it is created; `sample` allocates only in the network and the noise generator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.execution.protocols import Array, Feed, Graph, SamplingJob
from engine.execution.rows import Row, plan_walk
from engine.execution.step_graph import check_step
from engine.sampling.noise import INITIAL_STEP, fill_noise

__all__ = ["HostWalker"]


class HostWalker:
    """Samples blocks of one step graph.

    Parameters
    ----------
    step : its x may be float64, for tests of accuracy; every buffer has its type.
    shape : (rows, frames) of x.

    Raises
    ------
    PackError
        The graph is not a step of that shape.
    """

    def __init__(self, step: Graph, shape: tuple[int, ...]) -> None:
        self._step, self._shape = step, tuple(shape)
        self._full = check_step(step, self._shape)
        dtype = np.dtype(step.inputs["x"].dtype)
        (
            self._x, self._x_next, self._x_saved, self._x0_prev, self._noise, self._term,
            self._clean, self._residual, self._guided,
        ) = (np.zeros(self._shape, dtype) for _ in range(9))  # fmt: skip
        self._alpha = np.ones(step.inputs["alpha"].shape, dtype)
        self._sigma = np.ones(step.inputs["sigma"].shape, dtype)

    def sample(self, job: SamplingJob, out: NDArray[Any]) -> int:
        """Sample a block into `out` (see `engine.execution.protocols.Walker`)."""
        walk = plan_walk(job, self._shape, out)
        if walk.fixed is not None and walk.clean is not None:
            self._clean.fill(0)
            self._clean[walk.fixed.region] = walk.clean
        x, x_next, x_saved, term = self._x, self._x_next, self._x_saved, self._term
        fill_noise(self._noise, job.seed, job.block, job.stage, INITIAL_STEP)
        np.multiply(self._noise, job.temperature * walk.rows[0].sigma, out=x)
        for index, row in enumerate(walk.rows):
            if walk.fixed is not None:
                # over whole buffers: on parts of arrays numpy allocates; x_next is free until below
                np.multiply(self._clean, row.alpha, out=x_next)
                np.multiply(self._noise, row.sigma, out=term)
                term += x_next
                where = walk.fixed.where(index)
                x[where] = term[where]
            x0 = self._guide(x, row, job)
            np.multiply(x_saved if row.saved else x, row.a, out=x_next)
            np.multiply(x0, row.b, out=term)
            x_next += term
            if row.c != 0:
                np.multiply(self._x0_prev, row.c, out=term)
                x_next += term
            if row.d != 0:
                fill_noise(self._noise, job.seed, job.block, job.stage, index + 1)
                np.multiply(self._noise, row.d, out=term)
                x_next += term
            if row.save_x0:
                np.copyto(self._x0_prev, x0)
            if row.save_x:
                x, x_next, x_saved = x_next, x_saved, x
            else:
                x, x_next = x_next, x
            job.on_row(index + 1, len(walk.rows))
        np.copyto(out, x)
        if walk.fixed is not None:
            where = walk.fixed.where(-1)
            out[where] = self._clean[where]
        return walk.evaluations

    def _guide(self, x: Array, row: Row, job: SamplingJob) -> Array:
        """x0 of the network, guided if the row is guided."""
        self._alpha[...], self._sigma[...] = row.alpha, row.sigma
        if row.guided is None or job.free is None:
            return self._evaluate(x, job.context)
        if row.guided.unconditional:
            # kept before the other branch runs: both may answer in one buffer of one session
            np.copyto(self._residual, self._evaluate(x, job.free))
        conditional = self._evaluate(x, job.context)
        if row.guided.unconditional:
            np.subtract(conditional, self._residual, out=self._residual)
        np.multiply(self._residual, row.guided.factor, out=self._guided)
        self._guided += conditional
        return self._guided

    def _evaluate(self, x: Array, context: Feed) -> Array:
        feed = {"x": x.reshape(self._full), "alpha": self._alpha, "sigma": self._sigma, **context}
        (x0,) = self._step.run(feed, ("x0",))
        if x0.size != x.size:
            raise PackError(
                f"{self._step.name}: x0 has shape {x0.shape} where x has {self._full}; "
                "export the pack again"
            )
        return x0.reshape(self._shape)
