"""How far reconstructed sound is from its target: numbers for benchmarks and tests.

Magnitudes float32 [bins, frames] in the scale of `Stft`, samples float32 [samples]. Pure
functions, any thread.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.stft import Stft

__all__ = [
    "log_spectral_distance",
    "multi_resolution_error",
    "seam_convergence",
    "seam_jumps",
    "spectral_convergence",
]

Float = NDArray[np.float32]

_RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
_PLACES = 800


def log_spectral_distance(target: Float, magnitude: Float, floor: float = 1e-3) -> float:
    """Mean over frames of the root mean square over bins of the level difference, in dB.

    Parameters
    ----------
    target, magnitude : ndarray [bins, frames]
    floor : float
        Added to both before the logarithm, so that inaudible bins do not dominate; 1e-3 is 108 dB
        under a full-scale sine with a window of 1024.
    """
    _alike(target, magnitude)
    level = 20.0 * np.log10((magnitude + floor) / (target + floor))
    return float(np.sqrt(np.mean(level**2, axis=0)).mean())


def spectral_convergence(target: Float, magnitude: Float) -> float:
    """Norm of the difference over the norm of the target (0: the same; silence: 0 or infinite)."""
    _alike(target, magnitude)
    norm = float(np.linalg.norm(target))
    error = float(np.linalg.norm(magnitude - target))
    if norm == 0.0:
        return 0.0 if error == 0.0 else float("inf")
    return error / norm


def multi_resolution_error(
    reference: Float,
    samples: Float,
    resolutions: Sequence[tuple[int, int]] = _RESOLUTIONS,
    floor: float = 1e-3,
) -> float:
    """Spectral convergence plus mean absolute log magnitude difference (nepers), averaged.

    Over several (window, hop), after Yamamoto et al. 2020 (Parallel WaveGAN, eqs. 4 to 6).

    Parameters
    ----------
    reference, samples : ndarray [samples]
        Of one length, longer than the longest window.
    """
    if reference.shape != samples.shape:
        raise ConfigError(f"signals of {reference.shape} and {samples.shape}: cut them alike")
    total = 0.0
    for window, hop in resolutions:
        stft = Stft(window, hop)
        a, b = np.abs(stft.forward(reference)), np.abs(stft.forward(samples))
        total += spectral_convergence(a, b)
        total += float(np.abs(np.log((b + floor) / (a + floor))).mean())
    return total / len(resolutions)


def seam_convergence(target: Float, magnitude: Float, stft: Stft, seams: Sequence[int]) -> float:
    """Spectral convergence of the frames whose window lies across one of ``seams`` (samples)."""
    _alike(target, magnitude)
    starts = np.arange(target.shape[1]) * stft.hop
    across = np.zeros(starts.size, bool)
    for seam in seams:
        across |= (starts < seam) & (starts + stft.window > seam)
    return spectral_convergence(target[:, across], magnitude[:, across])


def seam_jumps(samples: Float, seams: Sequence[int], reach: int = 16) -> NDArray[np.float64]:
    """How unusual the steepest step at each seam is, as z-scores against the interior.

    The step is the greatest first difference within ``reach`` samples of a seam, over the root
    mean square of the differences around it (so that a click counts at any loudness); the interior
    is the same figure at places spread evenly between the seams.

    Parameters
    ----------
    samples : ndarray [samples]
    seams : sequence of int
        Sample positions; those too near an end are left out.
    reach : int

    Returns
    -------
    ndarray [seams] float64
        A click is well over 4; music has onsets, so compare with the same signal unbroken.
    """
    step = np.abs(np.diff(samples.astype(np.float64)))
    around = 32 * reach
    places = np.array([s for s in seams if around < s < step.size - around], np.int64)
    spread = np.linspace(around + 1, step.size - around - 1, _PLACES).astype(np.int64)
    far = np.abs(spread[:, None] - places[None, :]).min(axis=1, initial=around + 1) > around
    inside = _crests(step, spread[far], reach, around)
    there = _crests(step, places, reach, around)
    return (there - inside.mean()) / max(float(inside.std()), 1e-12)


def _crests(
    step: NDArray[np.float64], places: NDArray[np.int64], reach: int, around: int
) -> NDArray[np.float64]:
    out = np.zeros(places.size)
    for k, place in enumerate(places):
        near = step[place - around : place + around]
        level = float(np.sqrt(np.mean(near**2)))
        # A log, because ratios of this kind are skewed and a z-score wants them even.
        out[k] = np.log((step[place - reach : place + reach].max() + 1e-9) / (level + 1e-9))
    return out


def _alike(target: Float, magnitude: Float) -> None:
    if target.shape != magnitude.shape:
        raise ConfigError(
            f"Magnitudes {target.shape} and {magnitude.shape}: use the same shape for both"
        )
