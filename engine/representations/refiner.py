"""Iterations that bring phases nearer to their magnitudes: fast Griffin-Lim and reflections.

Griffin & Lim 1984, "Signal estimation from modified short-time Fourier transform"; with the
momentum of Perraudin, Balazs & Sondergaard 2013, "A fast Griffin-Lim algorithm". Samples are
float32 [samples], magnitudes float32 [frames, bins]. One owner thread for each object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.representations.stft import Stft

__all__ = ["Refiner", "polar"]

Float = NDArray[np.float32]
Complex = NDArray[np.complex64]

_SETTLING = 4  # iterations of Griffin-Lim after the reflections
_TINY = np.float32(1e-18)  # under it a bin has no phase; its square is still a normal number


class Refiner:
    """Iterations of fast Griffin-Lim on frames that follow a fixed past.

    With a relaxation all but the last iterations are relaxed averaged alternating reflections
    (Luke 2005, "Relaxed averaged alternating reflections for diffraction imaging"; for sound Peer,
    Welker & Gerkmann 2022, "Beyond Griffin-Lim"), which leave the local minima that Griffin-Lim
    stays in, and the last ones settle what they end at.

    Parameters
    ----------
    stft : Stft
    momentum : float
        0 is the algorithm of 1984; 0.99 the one recommended in 2013.
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
        """Allocate for so many frames."""
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
            The start, of the magnitudes wanted; replaced by the result, of the same magnitudes.
        iterations : int
        past : ndarray [overlap] float32 or None
            What the frames before add (dual-windowed) to the first ``overlap`` samples; it stays
            as it is. None: nothing stood before, and the head is mended like the tail.
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
        """Iterate in place; ends on the magnitudes wanted.

        Of Luke 2005, eq. 11, with A the magnitudes, C the consistent spectra and R = 2 P - 1:
        ``x' = beta / 2 (R_C R_A x + x) + (1 - beta) P_A x``, that is
        ``beta (P_C (2 P_A x - x) + x) + (1 - 2 beta) P_A x``.
        """
        beta = self._relaxation
        wanted, reflected = np.empty_like(spectrum), np.empty_like(spectrum)
        for _ in range(iterations):
            np.copyto(wanted, spectrum)
            _impose(magnitudes, wanted, size)
            np.multiply(wanted, np.float32(2.0), out=reflected)
            reflected -= spectrum
            self.synthesise(reflected, signal, past)
            spectrum += self._stft.rows(signal)
            spectrum *= beta
            wanted *= np.float32(1.0) - np.float32(2.0) * beta
            spectrum += wanted
        _impose(magnitudes, spectrum, size)

    def synthesise(self, spectrum: Complex, signal: Float, past: Float | None) -> None:
        """Write the least-squares signal of ``spectrum`` [frames, bins] after ``past``."""
        stft = self._stft
        signal[:] = 0.0
        if past is not None:
            signal[: stft.overlap] = past
        stft.overlap_add(spectrum, signal)
        if past is None:
            stft.mend_edges(signal, spectrum.shape[0])
        else:
            # Behind the last frame nothing is known yet: divide by what is there. (Frames fewer
            # than the overlap lean on the past, whose sum is complete.)
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
