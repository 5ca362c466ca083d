"""Griffin-Lim over a whole spectrogram, as the piano continuation paper uses it: a baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.representations.refiner import Refiner, polar
from engine.representations.stft import Stft

__all__ = ["griffin_lim"]

Float = NDArray[np.float32]
Complex = NDArray[np.complex64]


def griffin_lim(
    magnitude: Float,
    stft: Stft,
    iterations: int = 32,
    momentum: float = 0.99,
    rng: np.random.Generator | None = None,
) -> Float:
    """Reconstruct samples from a whole spectrogram, from random phases.

    Parameters
    ----------
    magnitude : ndarray [bins, frames] float32
    stft : Stft
    iterations : int
    momentum : float
        0 for the plain algorithm.
    rng : numpy Generator, optional
        Source of the first phases; seed 0 when left out.

    Returns
    -------
    ndarray [(frames - 1) * hop + window] float32
    """
    rows = np.ascontiguousarray(magnitude.T, np.float32)
    spectrum = _random_spectrum(rows, rng or np.random.default_rng(0))
    refiner = Refiner(stft, momentum)
    refiner.refine(rows, spectrum, iterations, None)
    return stft.inverse(np.ascontiguousarray(spectrum.T))


def _random_spectrum(magnitudes: Float, rng: np.random.Generator) -> Complex:
    """``magnitudes`` (any shape) with phases drawn evenly from the circle."""
    angle = rng.random(magnitudes.shape, np.float32) * np.float32(2.0 * np.pi)
    return polar(magnitudes, angle)
