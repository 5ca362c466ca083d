"""Iterations that adapt phases to magnitudes: fast Griffin-Lim and reflections.

Griffin & Lim 1984, "Signal estimation from modified short-time Fourier transform"; with the
momentum of Perraudin, Balazs & Sondergaard 2013, "A fast Griffin-Lim algorithm". Samples are
float32 [samples], magnitudes float32 [frames, bins]. One owner thread per object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.representations.stft import Stft

__all__ = ["Refiner", "polar"]

Float = NDArray[np.float32]
Complex = NDArray[np.complex64]

_SETTLING = 4  # iterations of Griffin-Lim after the reflections
_TINY = np.float32(1e-18)  # smaller bins have no phase; its square is still a normal number


class Refiner:
    """Iterations of fast Griffin-Lim on frames with a fixed past.

    With a relaxation, all iterations except the last are relaxed averaged alternating reflections
    (Luke 2005, "Relaxed averaged alternating reflections for diffraction imaging"; for sound Peer,
    Welker & Gerkmann 2022, "Beyond Griffin-Lim"), which escape local minima of
    Griffin-Lim; the last iterations refine their result.

    Parameters
    ----------
    stft : Stft
    momentum : float
        0 is the algorithm of 1984; 0.99 is recommended in 2013.
    relaxation : float
        beta of Luke 2005, 0.5 to 1; 0 for Griffin-Lim alone.
    """

    def __init__(self, stft: Stft, momentum: float, relaxation: float = 0.0) -> None:
        self._stft = stft
        self._relaxation = np.float32(relaxation)
        # t = c + alpha (c - c_before), whose phase is that of c - alpha / (1 + alpha) c_before.
        self._weight = np.float32(momentum / (1.0 + momentum))
        self._signal: Float = np.zeros(0, np.float32)
        self._size: Float = np.zeros((0, stft.bins), np.float32)

    def prepare(self, frames: int) -> None:
        """Allocate memory for `frames`."""
        if self._size.shape[0] < frames:
            self._signal = np.zeros(self._stft.samples_of(frames), np.float32)
            self._size = np.zeros((frames, self._stft.bins), np.float32)

    def refine(
        self, magnitudes: Float, spectrum: Complex, iterations: int, past: Float | None
    ) -> None:
        """Iterate in place.

        Parameters
        ----------
        magnitudes : ndarray [frames, bins]
        spectrum : ndarray [frames, bins] complex64
            The start, with the target magnitudes; replaced by the result.
        iterations : int
        past : ndarray [overlap] float32 or None
            The fixed contribution (dual-windowed) of earlier frames to the first ``overlap``
            samples. None: there are no earlier frames, and the start is normalised like the end.
        """
        frames = magnitudes.shape[0]
        stft = self._stft
        self.prepare(frames)
        signal = self._signal[: stft.samples_of(frames)]
        size = self._size[:frames]
        if self._relaxation:
            relaxed = max(0, iterations - _SETTLING)
            self._reflect(magnitudes, spectrum, relaxed, past, signal, size)
            iterations -= relaxed
        before: Complex | None = None
        for _ in range(iterations):
            self.synthesise(spectrum, signal, past)
            projected = stft.rows(signal)
            if before is None:
                np.copyto(spectrum, projected)
                before = projected
            else:
                before *= -self._weight
                np.add(projected, before, out=spectrum)
                before = projected
            _impose(magnitudes, spectrum, size)

    def _reflect(
        self,
        magnitudes: Float,
        spectrum: Complex,
        iterations: int,
        past: Float | None,
        signal: Float,
        size: Float,
    ) -> None:
        """Iterate in place; the result has the target magnitudes.

        Luke 2005, eq. 11, with A the magnitudes, C the consistent spectra and R = 2 P - 1:
        ``x' = beta / 2 (R_C R_A x + x) + (1 - beta) P_A x``, that is
        ``beta (P_C (2 P_A x - x) + x) + (1 - 2 beta) P_A x``.
        """
        beta = self._relaxation
        target, reflected = np.empty_like(spectrum), np.empty_like(spectrum)
        for _ in range(iterations):
            np.copyto(target, spectrum)
            _impose(magnitudes, target, size)
            np.multiply(target, np.float32(2.0), out=reflected)
            reflected -= spectrum
            self.synthesise(reflected, signal, past)
            spectrum += self._stft.rows(signal)
            spectrum *= beta
            target *= np.float32(1.0) - np.float32(2.0) * beta
            spectrum += target
        _impose(magnitudes, spectrum, size)

    def synthesise(self, spectrum: Complex, signal: Float, past: Float | None) -> None:
        """Write the least-squares signal of ``spectrum`` [frames, bins] after ``past``."""
        stft = self._stft
        signal[:] = 0.0
        if past is not None:
            signal[: stft.overlap] = past
        stft.overlap_add(spectrum, signal)
        if past is None:
            stft.normalise_edges(signal, spectrum.shape[0])
        else:
            # After the last frame nothing is known yet: divide by the present sum. (The past is
            # complete where there are fewer frames than the overlap.)
            signal[signal.size - stft.overlap :] *= stft.tail_gain


def polar(magnitudes: Float, phases: Float) -> Complex:
    """Return ``magnitudes * exp(i phases)`` as complex64."""
    out = np.empty(magnitudes.shape, np.complex64)
    out.real = magnitudes * np.cos(phases)
    out.imag = magnitudes * np.sin(phases)
    return out


def _impose(magnitudes: Float, spectrum: Complex, size: Float) -> None:
    """Scale ``spectrum`` to ``magnitudes`` in place, keeping its phases; ``size`` is scratch."""
    np.abs(spectrum, out=size)
    np.maximum(size, _TINY, out=size)
    np.divide(magnitudes, size, out=size)
    np.multiply(spectrum, size, out=spectrum)
