"""Classifier-free guidance on x0, and a cheap form that asks the unconditional branch less often.

A `Guidance` belongs to the thread that runs the sampler loop. Arrays are of one block, any shape,
float32 (float64 in tests). Nothing is allocated after `prepare`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError

__all__ = ["Denoise", "Guidance", "guide", "rescale"]

FloatArray = NDArray[np.floating[Any]]
Denoise = Callable[[FloatArray, float, float], FloatArray]
"""(x, alpha, sigma) to x0_hat, of x's shape; may answer in a buffer that it uses again."""


def guide(
    uncond: FloatArray, cond: FloatArray, scale: float, out: FloatArray | None = None
) -> FloatArray:
    """x0 = uncond + scale (cond - uncond) (Ho and Salimans 2022, Eq 6, on x0).

    At scale 1 it is `cond` to the bit. `out` may be neither of the inputs.
    """
    if scale == 1:
        return cond.copy() if out is None else _copied(cond, out)
    out = np.subtract(cond, uncond, out=out)
    out *= scale
    out += uncond
    return out


def _copied(source: FloatArray, out: FloatArray) -> FloatArray:
    np.copyto(out, source)
    return out


def rescale(x0: FloatArray, cond: FloatArray, amount: float) -> FloatArray:
    """Bring the spread of guided `x0` back towards that of `cond`, in place; return it.

    x0 <- amount x0 std(cond) / std(x0) + (1 - amount) x0 (Lin et al. 2023, Eq 15 and 16), std over
    the whole array. A constant `x0` is left as it is. amount 0 is none, 0.7 the paper's choice.
    """
    spread = float(x0.std())
    if amount != 0 and spread > 0:
        x0 *= amount * float(cond.std()) / spread + (1 - amount)
    return x0


def _checked(scale: float) -> float:
    if not (0 <= scale < math.inf):
        raise ConfigError(f"Invalid guidance scale {scale!r}: choose 0 or more; 1 is none")
    return float(scale)


class Guidance:
    """A guided network, itself a `Denoise`.

    Parameters
    ----------
    cond, uncond : callable
        The network with and without its condition.
    scale : float
        0 is unconditional, 1 conditional (`uncond` is then never asked), above 1 guided.
    every : int
        Ask `uncond` in every so many rows, counted from the first; 0 asks in the first row only.
        Between, the residual cond - uncond of the last time is used again, shrunk as the noise
        falls: x0 = cond + (scale - 1) residual f / f_then, f = sigma^2 / (sigma^2 + alpha^2
        sigma_data^2). Unshrunk it over-guides the late rows, where the two branches agree; f is
        exact for two Gaussians of equal spread. The idea of reuse is StreamDiffusion's residual
        guidance (Kodaira et al. 2023).
    rescale_amount : float
        See `rescale`; 0..1.
    sigma_data : float
        Standard deviation of the data that the network was trained on.

    Raises
    ------
    ConfigError
        scale not finite or negative, every negative, rescale_amount outside 0..1, sigma_data not
        above 0.

    Notes
    -----
    `run(guidance.begin(), ...)`: `begin` must be called before every block, else the residual of
    the block before would be used.
    """

    def __init__(
        self,
        cond: Denoise,
        uncond: Denoise,
        scale: float,
        every: int = 1,
        rescale_amount: float = 0.0,
        sigma_data: float = 1.0,
    ) -> None:
        if every < 0:
            raise ConfigError(f"Invalid guidance interval {every!r}: choose 1 or more, 0 for once")
        if not (0 <= rescale_amount <= 1):
            raise ConfigError(f"Invalid guidance rescale {rescale_amount!r}: choose from 0 to 1")
        if not (0 < sigma_data < math.inf):
            raise ConfigError(f"Invalid sigma_data {sigma_data!r}: choose a number above 0")
        self._cond = cond
        self._uncond = uncond
        self._scale = _checked(scale)
        self._every = every
        self._rescale = float(rescale_amount)
        self._variance = float(sigma_data) ** 2
        self._row = 0
        self._share = 1.0
        self._residual = np.empty(0, dtype=np.float32)
        self._out = self._residual

    def prepare(self, shape: tuple[int, ...], dtype: type[np.floating[Any]] = np.float32) -> None:
        """Allocate for blocks of `shape`."""
        self._residual = np.zeros(shape, dtype=dtype)
        self._out = np.zeros(shape, dtype=dtype)

    def begin(self, scale: float | None = None) -> Guidance:
        """Forget the block before, take a new scale if one is given, and return self."""
        if scale is not None:
            self._scale = _checked(scale)
        self._row = 0
        return self

    def evaluations(self, rows: int) -> int:
        """Network evaluations for a table of `rows` rows, both branches together."""
        return rows + sum(self._asks(row) for row in range(rows))

    def _asks(self, row: int) -> bool:
        if self._scale == 1:
            return False
        return row == 0 or (self._every > 0 and row % self._every == 0)

    def __call__(self, x: FloatArray, alpha: float, sigma: float) -> FloatArray:
        """Answer guided x0_hat at (alpha, sigma), in a buffer that the next call overwrites."""
        asks = self._asks(self._row)
        self._row += 1
        if self._scale == 1:
            return self._cond(x, alpha, sigma)
        if asks:
            # kept before cond runs: both branches may answer in one buffer of one session
            np.copyto(self._residual, self._uncond(x, alpha, sigma))
        cond = self._cond(x, alpha, sigma)
        share = sigma**2 / (sigma**2 + alpha**2 * self._variance)
        if asks:
            np.subtract(cond, self._residual, out=self._residual)
            self._share = share
        np.multiply(self._residual, (self._scale - 1) * share / self._share, out=self._out)
        self._out += cond
        return rescale(self._out, cond, self._rescale)
