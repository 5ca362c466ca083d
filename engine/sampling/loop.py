"""The one inner loop: walks a sampler's table over a block.

A `SamplerLoop` belongs to one thread (the generator's). `prepare` allocates, `run` does not, apart
from what the network allocates and a few small objects of the noise generator. A block is
ndarray [any shape, frames last] float32, dimensionless (the scale the network was trained on).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, PackError
from engine.sampling.guidance import Denoise, FloatArray
from engine.sampling.noise import INITIAL_STEP, fill_noise
from engine.sampling.samplers import Table

__all__ = ["Replace", "SamplerLoop"]


@dataclass(frozen=True, eq=False)
class Replace:
    """Clean frames that the block must contain (continuing by replacement), or cells (inpainting).

    Attributes
    ----------
    context : ndarray [shape=(..., n)]
        Clean frames, of the block's shape but for the last axis.
    start : int
        Frame of the block where they stand; 0 continues the past.
    mask : ndarray of bool [shape=the context's], optional
        The cells that count; the others are left to the network.
    """

    context: NDArray[np.floating[Any]]
    start: int = 0
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class _Row:
    """One row of a table as plain numbers: array scalars would cost time in every step."""

    alpha: float
    sigma: float
    a: float
    b: float
    c: float
    d: float
    saved: bool
    save_x: bool
    save_x0: bool


class SamplerLoop:
    """Runs a table: x_next = a x + b x0_hat + c x0_prev + d noise, row by row.

    Parameters
    ----------
    dtype : numpy float type
        Of every buffer; float32, and float64 for tests of accuracy.
    """

    def __init__(self, dtype: type[np.floating[Any]] = np.float32) -> None:
        self._dtype = np.dtype(dtype)
        self._rows: tuple[_Row, ...] = ()
        self._buffers: list[FloatArray] = []

    @property
    def rows(self) -> int:
        """Rows of the prepared table: network evaluations a block, without guidance."""
        return len(self._rows)

    def prepare(self, shape: tuple[int, ...], table: Table) -> None:
        """Take a table, and allocate for blocks of `shape` unless that shape is held already.

        Cheap with an unchanged shape, so the steps may change between any two blocks.
        """
        if not self._buffers or self._buffers[0].shape != tuple(shape):
            self._buffers = [np.zeros(shape, dtype=self._dtype) for _ in range(7)]
        columns = (table.alpha, table.sigma, table.a, table.b, table.c, table.d, table.saved)
        values = list(zip(*(column.tolist() for column in columns), strict=True))
        self._rows = tuple(
            _Row(
                *row,
                save_x=after is not None and after[6],
                save_x0=after is not None and after[4] != 0,
            )
            for row, after in zip(values, [*values[1:], None], strict=True)
        )

    def run(
        self,
        denoise: Denoise,
        seed: int,
        block: int,
        stage: int = 0,
        temperature: float = 1.0,
        *,
        out: FloatArray,
        replace: Replace | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> FloatArray:
        """Make one block in `out` and return it.

        Parameters
        ----------
        denoise : callable
            (x, alpha, sigma) to x0_hat of x's shape. It must not keep or change x.
        seed, block, stage : int
            Key of the noise; the same key and table make the same block.
        temperature : float
            Factor on the standard deviation of the noise that the block starts from (not on noise
            added later): 1 samples the trained distribution, less plays safer, 0 is its centre.
        out : ndarray [shape=the prepared shape]
            Receives the block.
        replace : Replace, optional
            Its frames are overwritten, before each evaluation, with the context noised to that
            row's level, and with the clean context at the end. The context's noise is that of
            the start, renewed by each row that adds noise.
        on_step : callable, optional
            Called after each row with (rows done, rows).

        Raises
        ------
        ConfigError
            Not prepared, a temperature that is negative or not finite, `out` or the context of a
            wrong shape.
        PackError
            The network answers another shape.
        """
        if not self._rows:
            raise ConfigError("The sampler loop has no table yet: call prepare(shape, table) first")
        if not (0 <= temperature < math.inf):
            raise ConfigError(
                f"Invalid temperature {temperature!r}: choose 0 or more; 1 is neutral"
            )
        x, x_next, x_saved, x0_prev, noise, term, clean = self._buffers
        if out.shape != x.shape:
            raise ConfigError(f"Invalid output shape {out.shape}: the block has {x.shape}")
        where: Any = None
        if replace is not None:
            where = _where(replace, x.shape)
            clean.fill(0)
            clean[where] = replace.context
            if replace.mask is not None:
                where = _cells(where, replace.mask, x.shape)

        fill_noise(noise, seed, block, stage, INITIAL_STEP)
        np.multiply(noise, temperature * self._rows[0].sigma, out=x)
        for index, row in enumerate(self._rows):
            if where is not None:
                # over whole buffers: on parts of arrays numpy allocates; x_next is free until below
                np.multiply(clean, row.alpha, out=x_next)
                np.multiply(noise, row.sigma, out=term)
                term += x_next
                x[where] = term[where]
            x0 = denoise(x, row.alpha, row.sigma)
            if x0.shape != x.shape:
                raise PackError(
                    f"The network answered shape {x0.shape} to {x.shape}: export the pack again"
                )
            np.multiply(x_saved if row.saved else x, row.a, out=x_next)
            np.multiply(x0, row.b, out=term)
            x_next += term
            if row.c != 0:
                np.multiply(x0_prev, row.c, out=term)
                x_next += term
            if row.d != 0:
                fill_noise(noise, seed, block, stage, index + 1)
                np.multiply(noise, row.d, out=term)
                x_next += term
            if row.save_x0:
                np.copyto(x0_prev, x0)
            if row.save_x:
                x, x_next, x_saved = x_next, x_saved, x
            else:
                x, x_next = x_next, x
            if on_step is not None:
                on_step(index + 1, len(self._rows))
        np.copyto(out, x)
        if where is not None:
            out[where] = clean[where]
        return out


def _cells(where: Any, mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The masked cells of the context as a mask over the whole block."""
    cells = np.zeros(shape, bool)
    cells[where] = mask
    return cells


def _where(replace: Replace, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Index of the context in the block; ConfigError if it does not fit."""
    context = replace.context.shape
    fits = len(context) == len(shape) and context[:-1] == shape[:-1]
    if not fits or replace.start < 0 or replace.start + context[-1] > shape[-1]:
        raise ConfigError(
            f"Invalid context of shape {context} at frame {replace.start}: "
            f"it must fit in a block of {shape}, frames last"
        )
    return (..., slice(replace.start, replace.start + context[-1]))
