"""Room, tone and level for rendered piano, so that a model does not learn one dry instrument."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

TARGET_RMS_DB = -22.0


def in_a_room(x: np.ndarray, rate: int, room: float, rng: np.random.Generator) -> np.ndarray:
    """Add a synthetic reverberation: noise that decays, faster at high frequencies.

    `x` float32 [samples]. `room` 0..1 goes from a damped cabin to a small hall: wet 0.01 to 0.2 by
    amplitude, RT60 0.25 to 1.3 s, each within 15 %. The direct sound stays first and dominant.
    """
    decay = (0.25 + 1.05 * room) * rng.uniform(0.85, 1.15)  # RT60 in seconds
    wet = (0.01 + 0.19 * room) * rng.uniform(0.85, 1.15)
    n = int(decay * rate)
    t = np.arange(n) / rate
    noise = rng.standard_normal(n)
    cutoff = np.exp(-3.0 * t / decay)  # a one-pole smoothing that closes with time
    tail = noise * np.exp(-6.9 * t / decay)
    smooth = np.convolve(tail, np.ones(4) / 4, "same")
    response = cutoff * tail + (1 - cutoff) * smooth
    response[: int(0.012 * rate)] = 0
    response *= wet / (np.sqrt(np.sum(response**2)) + 1e-9)
    response[0] = 1.0
    return fftconvolve(x, response.astype(np.float32))[: len(x)].astype(np.float32)


def toned(x: np.ndarray, rate: int, brightness: float, rng: np.random.Generator) -> np.ndarray:
    """Tilt the spectrum around 1 kHz by 0.8 dB an octave times `brightness` (-1..1).

    Three random bands of at most 1 dB each keep one brightness from being one curve.
    """
    n = 513
    f = np.linspace(0, rate / 2, n)
    octave = np.log2(np.maximum(f, 30) / 1000)
    gain = 0.8 * brightness * octave
    for _ in range(3):
        gain += rng.uniform(-1, 1) * np.exp(-0.5 * ((octave - rng.uniform(-4, 3)) / 0.7) ** 2)
    half = np.fft.irfft(10 ** (gain / 20))
    fir = np.roll(half, n - 1)[n - 257 : n + 256] * np.hanning(513)
    return fftconvolve(x, fir.astype(np.float32), "same").astype(np.float32)


def levelled(x: np.ndarray, rate: int, db: float = TARGET_RMS_DB) -> np.ndarray:
    """Scale so that the RMS of the sounding seconds is `db` dBFS, with peaks under 1."""
    n = len(x) // rate * rate
    rms = np.sqrt(np.mean(x[:n].reshape(-1, rate) ** 2, axis=1) + 1e-12) if n else np.array([1e-6])
    sounding = rms[rms > rms.max() * 0.05]
    x = x * np.float32(10 ** (db / 20) / np.sqrt(np.mean(sounding**2)))
    peak = abs(x).max()
    return x * np.float32(0.97 / peak) if peak > 0.97 else x


def below_full_scale(x: np.ndarray) -> np.ndarray:
    """Bend samples over 0.8 towards 1 in a piece whose peak is over 0.97; others stay as they are.

    So a few loud pieces keep their level relative to the others without clipping.
    """
    if abs(x).max() <= 0.97:
        return x
    over = np.maximum(abs(x) - 0.8, 0)
    return np.where(over > 0, np.sign(x) * (0.8 + 0.2 * np.tanh(over / 0.2)), x).astype(np.float32)
