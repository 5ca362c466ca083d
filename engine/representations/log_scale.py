"""Conversion between magnitudes and normalised logarithms, which a network diffuses.

    x = (ln(magnitude + floor) - mean) / scale          [bins, frames] float32

One mean per bin and one scale. The topmost rows (the Nyquist row: "we simply discard the top row")
are dropped when encoding and filled with zeros when decoding, as in the piano continuation paper,
section III.B. Its decibels in 0 .. 1 correspond to a constant mean and a scale of
80 / (20 / ln 10). One owner thread per object.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import ConfigError

__all__ = ["LogScale"]


class LogScale:
    """Converts between magnitudes and normalised logarithms.

    Parameters
    ----------
    full_bins : int
        Rows of a full spectrum.
    ceiling : float
        The largest possible magnitude of samples within -1 .. 1; decoded ones are clipped to it.
    bins : int
        Rows kept, from the lowest up; 512 of 513 for a window of 1024.
    floor : float
        Added to the magnitude before the logarithm; over 0, in magnitude (not squared).
    mean : array [bins] or a number
        In nepers.
    scale : float
        In nepers, over 0.
    clamp : bool
        Raise magnitudes below the floor to it, as vocoders expect, instead of adding it.

    Raises
    ------
    ConfigError
        A number is out of range, or ``mean`` does not have ``bins`` values.
    """

    def __init__(
        self,
        full_bins: int,
        ceiling: float,
        bins: int,
        floor: float,
        mean: ArrayLike,
        scale: float,
        *,
        clamp: bool = False,
    ) -> None:
        if not 1 <= bins <= full_bins:
            raise ConfigError(f"{bins} bins kept: choose 1 to {full_bins}")
        if not (math.isfinite(floor) and floor > 0.0):
            raise ConfigError(f"magnitude floor {floor}: use a number over 0, for example 1e-3")
        if not (math.isfinite(scale) and scale > 0.0):
            raise ConfigError(f"log magnitude scale {scale}: use a number over 0, for example 2.0")
        values = np.asarray(mean, np.float32)
        if values.shape not in ((), (bins,), (bins, 1)):
            raise ConfigError(f"mean of shape {values.shape}: use one number or {bins} of them")
        if not np.isfinite(values).all():
            raise ConfigError("mean with NaN or infinite values: use finite numbers")
        self.bins = bins
        self.full_bins = full_bins
        self.floor = float(floor)
        self.scale = float(scale)
        self.mean: NDArray[np.float32] = np.broadcast_to(values.reshape(-1, 1), (bins, 1)).copy()
        self._clamp = clamp
        self._greatest = math.log(max(ceiling, floor) if clamp else ceiling + floor)

    def encode(self, magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert magnitudes [full bins or ``bins``, frames] to x [bins, frames]."""
        if magnitude.shape[0] not in (self.bins, self.full_bins):
            raise ConfigError(
                f"magnitudes with {magnitude.shape[0]} rows: use {self.full_bins} or {self.bins}"
            )
        kept, floor = magnitude[: self.bins].astype(np.float32, copy=False), np.float32(self.floor)
        x = np.log(np.maximum(kept, floor) if self._clamp else kept + floor)
        x -= self.mean
        x /= np.float32(self.scale)
        return x

    def decode(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
        """Convert x to magnitudes.

        Parameters
        ----------
        x : ndarray [bins, frames]

        Returns
        -------
        magnitudes : ndarray [full bins, frames]
            From 0 to the ceiling.
        clipped : int
            Values of a network that diverged: overflow is clipped, NaN becomes 0.
        """
        if x.shape[0] != self.bins:
            raise ConfigError(f"a block with {x.shape[0]} rows: use {self.bins}")
        with np.errstate(over="ignore", invalid="ignore"):
            logs = x.astype(np.float32, copy=True)
            logs *= np.float32(self.scale)
            logs += self.mean
        missing = np.isnan(logs)
        over = logs > self._greatest
        clipped = int(np.count_nonzero(missing)) + int(np.count_nonzero(over))
        if clipped:
            logs[missing] = -np.inf
        np.minimum(logs, np.float32(self._greatest), out=logs)
        # Below -80 the exponential is negligible next to any floor.
        np.maximum(logs, np.float32(-80.0), out=logs)
        out = np.zeros((self.full_bins, x.shape[1]), np.float32)
        kept = out[: self.bins]
        np.exp(logs, out=kept)
        if not self._clamp:
            kept -= np.float32(self.floor)
        np.maximum(kept, np.float32(0.0), out=kept)
        return out, clipped
