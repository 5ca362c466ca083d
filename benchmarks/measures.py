"""Pure measures of sound: of seams, of phrases, of minutes.

Samples float32 [samples] mono, places in samples. Any thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.embedding import QUIET_DB, RATE, WINDOW, cosine_distance, level_db
from engine.representations.stft import Stft

Samples = NDArray[np.float32]
Embed = Callable[[Samples], NDArray[np.float32]]

SEAM_MEASURES: Mapping[str, str] = {
    "jump": "steepest step from sample to sample at the place, z-score in the 50 ms around it",
    "slope": "sharpest change of the first difference there, z-score in the same 50 ms",
    "flux": "greatest spectral flux where old frames pass into new, over the median of 1 s around",
    "loudness": "level of the 200 ms after against the 200 ms before, dB, either way",
    "embedding": "cosine distance of YAMNet's embeddings of the 0.975 s before and after",
}
_NEAR = 2  # samples either side that belong to the place
_FLUX = Stft(512, 256)


def seam_measures(
    samples: Samples, place: int, crossing: int, rate: int, embed: Embed | None
) -> dict[str, float] | None:
    """All of `SEAM_MEASURES` at one place; None where there is too little, or only quiet, sound.

    Parameters
    ----------
    place : first sample after the join.
    crossing : samples from there to the middle of the spectral passage; the first two measures
        look at the place, the others at the crossing.
    embed : returns the embedding of 0.975 s at `rate`; None leaves it out.
    """
    middle = place + crossing
    reach = rate
    if min(place, middle) < reach or max(place, middle) + reach > samples.size:
        return None
    if level_db(samples[middle - reach : middle + reach]) < QUIET_DB:
        return None
    around = round(0.025 * rate)
    near = samples[place - around : place + around].astype(np.float64)
    step = np.diff(near)  # step[around - 1] leads onto the place
    found = {
        "jump": _standing(np.abs(step), around - 1),
        "slope": _standing(np.abs(np.diff(step)), around - 1),
        "flux": _flux_ratio(samples, middle, rate),
        "loudness": _loudness_step(samples, middle, rate),
    }
    if embed is not None:
        n = round(WINDOW * rate / RATE)
        before, after = samples[middle - n : middle], samples[middle : middle + n]
        found["embedding"] = cosine_distance(embed(before), embed(after))
    return found


def _standing(values: NDArray[np.float64], at: int) -> float:
    """z-score of the greatest value within `_NEAR` of `at` among all the others."""
    near = slice(max(0, at - _NEAR), at + _NEAR + 1)
    others = np.delete(values, near)
    return float((values[near].max() - others.mean()) / (others.std() + 1e-9))


def _flux_ratio(samples: Samples, middle: int, rate: int) -> float:
    hop = _FLUX.hop
    wide = rate // 2 // hop  # frames either side
    begin = middle - wide * hop - _FLUX.window // 2
    part = samples[begin : begin + 2 * wide * hop + _FLUX.window]
    magnitude = np.sqrt(np.abs(_FLUX.forward(part)))  # compressed, so that soft notes count too
    flux = np.maximum(np.diff(magnitude, axis=1), 0.0).sum(axis=0)
    # flux[i] is from frame i to i + 1; frame `wide` stands on the middle.
    return float(flux[wide - 2 : wide + 2].max() / (np.median(flux) + 1e-9))


def _loudness_step(samples: Samples, middle: int, rate: int) -> float:
    n = round(0.2 * rate)
    before, after = level_db(samples[middle - n : middle]), level_db(samples[middle : middle + n])
    return abs(max(after, -70.0) - max(before, -70.0))


def chroma(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Mean chroma [12] of unit length, from C: energy of the partials of 55 Hz to 2.1 kHz.

    Magnitudes by the square root, so that one loud note does not stand for the phrase.
    """
    window = 1 << round(math.log2(rate / 4))  # 0.25 s: separates semitones from 110 Hz up
    stft = Stft(window, window // 4)
    magnitude = np.sqrt(np.abs(stft.forward(samples, pad=True))).mean(axis=1).astype(np.float64)
    frequency = np.arange(stft.bins) * rate / window
    kept = (frequency >= 55.0) & (frequency <= 2100.0)
    pitch = np.round(12 * np.log2(frequency[kept] / 440.0) + 69).astype(int) % 12
    floor = np.median(magnitude[kept])  # what lies between the partials
    out = np.bincount(pitch, np.maximum(magnitude[kept] - floor, 0.0), minlength=12)
    out /= np.bincount(pitch, minlength=12)
    norm = float(np.linalg.norm(out))
    return out / norm if norm > 0 else np.full(12, 12**-0.5)


def onsets_per_second(samples: Samples, rate: int) -> float:
    """Peaks of the spectral flux that stand out by half again over the second around them."""
    stft = Stft(1024, 256)
    magnitude = np.log1p(20.0 * np.abs(stft.forward(samples)))
    flux = np.maximum(np.diff(magnitude, axis=1), 0.0).sum(axis=0)
    if flux.size < 16:
        return 0.0
    wide = max(3, round(0.5 * rate / stft.hop))
    local = np.convolve(np.pad(flux, wide, mode="edge"), np.ones(2 * wide + 1), "valid")
    local /= 2 * wide + 1
    near = np.lib.stride_tricks.sliding_window_view(np.pad(flux, 2, mode="edge"), 5).max(axis=1)
    peaks = (flux >= near) & (flux > 1.5 * local + 1.0)
    return float(peaks.sum() / (samples.size / rate))


def centroid(samples: Samples) -> float:
    """Mean frequency of the magnitude spectrum, as a share of the rate."""
    stft = Stft(1024, 256)
    mean = np.abs(stft.forward(samples)).mean(axis=1)
    return float((mean * np.arange(stft.bins)).sum() / max(float(mean.sum()), 1e-12) / 1024)


def character(samples: Samples, rate: int) -> dict[str, float]:
    """Level in dBFS, centroid in Hz and onsets per second of a minute."""
    return {
        "level_db": level_db(samples),
        "centroid_hz": centroid(samples) * rate,
        "onsets": onsets_per_second(samples, rate),
    }


def share_with_interval(hits: int, total: int, z: float = 1.96) -> tuple[float, float, float]:
    """Share and its Wilson interval (1927) of 95 %; (0, 0, 1) for nothing."""
    if total == 0:
        return 0.0, 0.0, 1.0
    share, n = hits / total, total
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, max(0.0, middle - half), min(1.0, middle + half)


def quantiles(values: Sequence[float], steps: int = 40) -> list[float]:
    """`steps` + 1 evenly spaced quantiles, rounded: the shape of a distribution, small."""
    if not len(values):
        return []
    return [round(float(v), 4) for v in np.quantile(values, np.linspace(0, 1, steps + 1))]
