"""A look-ahead peak limiter: the last stage before the ring, always on.

One owner thread (the mixer's). Arrays: `ndarray [shape=(frames, channels)] float32`. Channels are
linked: all get the same gain, so the stereo image does not move. It limits sample peaks, not the
peaks between samples; therefore the ceiling is slightly below full scale.

A sample x[n] needs the reduction e[n] = 1 - min(1, ceiling / |x[n]|). With
look-ahead L: m[n] = max(e[n-L..n]) spreads it, d[n] = max(m[n], release * d[n-1]) releases it
slowly, and y[n-L] = x[n-L] * (1 - mean(d[n-L..n])) turns steps into ramps of L frames. Every term
of the mean is at least e[n-L], so the ceiling holds by construction. (The scheme of P. Hämäläinen,
"Smoothing of the control signal without clipped output in digital peak limiters", DAFx 2002.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.audio.gain import db_to_gain

__all__ = ["Limiter"]

_CHUNK = 512  # frames: keeps release ** -n of the closed form near 1
_NEGLIGIBLE = 1e-6  # a smaller reduction counts as 0, so that quiet audio passes unchanged


class Limiter:
    """Keeps |y| at or below the ceiling; quieter audio passes unchanged, `latency` frames later.

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int
    ceiling_db : float
        Highest output in dBFS.
    lookahead_s : float
        Seconds over which the gain falls before a peak; also the latency.
    release_s : float
        Time constant of the release, in seconds.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        *,
        ceiling_db: float = -0.3,
        lookahead_s: float = 0.003,
        release_s: float = 0.06,
    ) -> None:
        self.ceiling = db_to_gain(ceiling_db)
        self.latency = max(1, round(lookahead_s * rate))
        self._channels = channels
        # Above 1/64 of a chunk: release ** -512 stays far inside float64.
        self._release = math.exp(-1.0 / max(8.0, release_s * rate))
        self._decay = self._release ** np.arange(1, _CHUNK + 1, dtype=np.float64)
        self.reset()

    def reset(self) -> None:
        """Drop all state; the next `latency` output frames are silent."""
        self._delay = np.zeros((self.latency, self._channels), np.float32)
        self._needs = np.zeros(self.latency)
        self._reductions = np.zeros(self.latency)
        self._last = 0.0
        self._reduction = 0.0

    @property
    def reduction(self) -> float:
        """Largest reduction in the last block: 0 (none) to 1 (silence), linear."""
        return self._reduction

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Limit one block.

        Parameters
        ----------
        block : ndarray [shape=(frames, channels)] float32
            Finite values.

        Returns
        -------
        ndarray [shape=(frames, channels)] float32
            The audio of `latency` frames ago, limited.
        """
        self._reduction = 0.0
        if block.shape[0] <= _CHUNK:
            return self._chunk(block)
        cuts = range(0, block.shape[0], _CHUNK)
        return np.concatenate([self._chunk(block[at : at + _CHUNK]) for at in cuts])

    def _chunk(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        frames, ahead = block.shape[0], self.latency
        if frames == 0:
            return block.copy()
        line = np.concatenate((self._delay, block))
        out = line[:frames].copy()
        self._delay = line[frames:]
        level = np.abs(block)
        idle = self._last == 0.0 and not self._needs.any() and not self._reductions.any()
        if idle and level.max() <= self.ceiling:
            return out
        peak = level.max(axis=1).astype(np.float64)
        needs = np.concatenate((self._needs, 1.0 - self.ceiling / np.maximum(peak, self.ceiling)))
        spread = _sliding_max(needs, ahead + 1)
        # d[n] = max(m[n], r d[n-1]) unrolled: r^n * max over k <= n of m[k] r^-k.
        decay = self._decay[:frames]
        held = decay * np.maximum(np.maximum.accumulate(spread / decay), self._last)
        held[held < _NEGLIGIBLE] = 0.0
        reductions = np.concatenate((self._reductions, held))
        sums = np.cumsum(np.concatenate(((0.0,), reductions)))
        mean = (sums[ahead + 1 :] - sums[: -ahead - 1]) / (ahead + 1)
        out *= (1.0 - mean).astype(np.float32)[:, np.newaxis]
        # Rounding to float32 may land one step above the ceiling.
        np.clip(out, -self.ceiling, self.ceiling, out=out)
        self._needs, self._reductions = needs[frames:], reductions[frames:]
        self._last = float(held[-1])
        self._reduction = max(self._reduction, float(mean.max()))
        return out


def _sliding_max(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Maximum over each window of `width`: shape (n,) gives (n - width + 1,), by doubling."""
    reach = 1
    while reach * 2 <= width:
        values = np.maximum(values[:-reach], values[reach:])
        reach *= 2
    rest = width - reach
    return np.maximum(values[: values.size - rest], values[rest:]) if rest else values
