"""Log magnitudes, normalised to the numbers that a network diffuses, and back.

    x = (ln(magnitude + floor) - mean) / scale          [bins, frames] float32

Per-bin mean, one scale, the topmost rows (the Nyquist row: "we simply discard the top row")
dropped on the way in and put back as zeros on the way out, as in the piano continuation paper,
section III.B. Its decibels in 0 .. 1 are the case of a constant mean and a scale of
80 / (20 / ln 10). Any thread may call it, one owner for each object (it counts).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import ConfigError

__all__ = ["LogScale"]


class LogScale:
    """Normalised logarithms of magnitudes and back.

    Parameters
    ----------
    full_bins : int
        Rows of a full spectrum.
    ceiling : float
        The greatest magnitude that samples within -1 .. 1 can have; decoded ones are held to it.
    bins : int
        Rows kept, from the lowest up; 512 of 513 for a window of 1024.
    floor : float
        Added to the magnitude before the logarithm; over 0, in magnitude (not squared).
    mean : array [bins] or a number
        In nepers.
    scale : float
        In nepers, over 0.
    clamp : bool
        Magnitudes under the floor are raised to it, as vocoders expect; otherwise it is added.

    Raises
    ------
    ConfigError
        If a number is out of its range or ``mean`` does not have ``bins`` values.
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
            raise ConfigError(f"magnitude floor {floor}: must be over 0, for example 1e-3")
        if not (math.isfinite(scale) and scale > 0.0):
            raise ConfigError(f"log magnitude scale {scale}: must be over 0, for example 2.0")
        values = np.asarray(mean, np.float32)
        if values.shape not in ((), (bins,), (bins, 1)):
            raise ConfigError(f"mean of shape {values.shape}: use one number or {bins} of them")
        if not np.isfinite(values).all():
            raise ConfigError("mean of the log magnitudes has a value that is not finite")
        self.bins = bins
        self.full_bins = full_bins
        self.floor = float(floor)
        self.scale = float(scale)
        self.mean: NDArray[np.float32] = np.broadcast_to(values.reshape(-1, 1), (bins, 1)).copy()
        self._clamp = clamp
        self._greatest = math.log(max(ceiling, floor) if clamp else ceiling + floor)

    def encode(self, magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn magnitudes [full bins, frames] (or already ``bins`` rows) into x [bins, frames]."""
        if magnitude.shape[0] not in (self.bins, self.full_bins):
            raise ConfigError(
                f"magnitudes with {magnitude.shape[0]} rows: it takes {self.full_bins} or "
                f"{self.bins}"
            )
        kept, floor = magnitude[: self.bins].astype(np.float32, copy=False), np.float32(self.floor)
        x = np.log(np.maximum(kept, floor) if self._clamp else kept + floor)
        x -= self.mean
        x /= np.float32(self.scale)
        return x

    def decode(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
        """Turn x into magnitudes.

        Parameters
        ----------
        x : ndarray [bins, frames]

        Returns
        -------
        magnitudes : ndarray [full bins, frames]
            From 0 to the ceiling.
        clipped : int
            Values of a network that diverged: overflow, held to the ceiling, and NaN, made silent.
        """
        if x.shape[0] != self.bins:
            raise ConfigError(f"a block with {x.shape[0]} rows: this one has {self.bins} bins")
        with np.errstate(over="ignore", invalid="ignore"):
            logs = x.astype(np.float32, copy=True)
            logs *= np.float32(self.scale)
            logs += self.mean
        missing = np.isnan(logs)
        over = logs > self._greatest
        wild = int(np.count_nonzero(missing)) + int(np.count_nonzero(over))
        if wild:
            logs[missing] = -np.inf
        np.minimum(logs, np.float32(self._greatest), out=logs)
        # Below -80 the exponential would be a denormal beside any floor.
        np.maximum(logs, np.float32(-80.0), out=logs)
        out = np.zeros((self.full_bins, x.shape[1]), np.float32)
        kept = out[: self.bins]
        np.exp(logs, out=kept)
        if not self._clamp:
            kept -= np.float32(self.floor)
        np.maximum(kept, np.float32(0.0), out=kept)
        return out, wild
