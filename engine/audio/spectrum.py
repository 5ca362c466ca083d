"""Spectra for display: bands of equal musical width, in decibels.

Pure, without mutable state: any thread. A full-scale sine within one band reads 0 dB (up to 1.4 dB
less between two bins of the transform: Hann's scalloping loss, F. J. Harris, "On the use of windows
for harmonic analysis with the discrete Fourier transform", Proc. IEEE 66, 1978).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "FLOOR", "Bands", "Hertz", "centres"]

Hertz: TypeAlias = NDArray[np.float64]  # [shape=(bands,)], rising

BANDS = 96
FLOOR = -90.0  # dB, the lowest level
_LOW, _HIGH = 40.0, 16_000.0  # Hz
_FRAME_S = 0.085  # seconds of a frame: 4,096 samples at 48 kHz
_QUIET = 10.0 ** (FLOOR / 20.0)


def centres(*rates: int) -> Hertz:
    """Centre frequencies in Hz, evenly spaced on a logarithmic axis from 40 Hz to 16 kHz.

    The last one is at most half of the lowest of `rates` (frames per second).
    """
    high = min([_HIGH, *(rate / 2 for rate in rates)])
    return np.geomspace(_LOW, max(high, 2 * _LOW), BANDS)


class Bands:
    """Spectra of frames of one length at one rate.

    Parameters
    ----------
    rate : int
        Samples per second.
    middles : ndarray [shape=(bands,)]
        Hz, rising evenly on a logarithmic axis.
    frame : int, optional
        Samples of a frame; by default the power of two next to 85 ms.

    Notes
    -----
    The level of a band is that of the highest bin between its edges. Low bands are narrower than a
    bin: their amplitude is interpolated linearly between the neighbouring bins.
    """

    def __init__(self, rate: int, middles: Hertz, *, frame: int | None = None) -> None:
        self.frame = frame or 2 ** round(np.log2(_FRAME_S * rate))
        self.rate, self.middles = rate, middles
        window = np.hanning(self.frame + 1)[:-1]  # periodic, as for every transform
        self._window = (window * (2.0 / window.sum())).astype(np.float32)
        step = float(middles[1] / middles[0]) ** 0.5
        top = self.frame // 2
        edges = np.append(middles / step, middles[-1] * step) * self.frame / rate
        bins = np.clip(np.ceil(edges).astype(int), 0, top)
        place = np.clip(middles * self.frame / rate, 0, top - 1)
        self._below = place.astype(int)
        self._share = (place - self._below).astype(np.float32)
        # For a band without bins, reduceat returns the bin at its start; `_wide` removes it, and
        # the interpolated value remains.
        self._starts, self._stop = bins[:-1], max(int(bins[-1]), int(bins[-2]) + 1)
        self._wide = (np.diff(bins) > 0).astype(np.float32)

    def levels(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Levels of one frame, or of several at once.

        Parameters
        ----------
        frames : ndarray [shape=(..., frame)] float32

        Returns
        -------
        ndarray [shape=(..., bands)] float32
            Decibels, `FLOOR` at least.
        """
        spectrum = np.abs(np.fft.rfft(frames * self._window, axis=-1)).astype(np.float32)
        low = spectrum[..., self._below]
        middle = low + (spectrum[..., self._below + 1] - low) * self._share
        most = np.maximum.reduceat(spectrum[..., : self._stop], self._starts, axis=-1)
        level = np.maximum(middle, most * self._wide)
        decibels = 20.0 * np.log10(np.maximum(level, np.float32(_QUIET)))
        return decibels.astype(np.float32, copy=False)
