"""Estimates velocities from the 93 ms of sound after each onset. Pure functions: any thread.

The estimate is linear in two energies: that of the note's partials after the onset, and the
increase above 4 kHz at the onset, where the hammer is prominent and few other strings sound. Notes
that start together share both, so their number is subtracted; a parabola over the keyboard is
added. It was fitted to 39,328 rendered notes of 150 training pieces on two pianos. On the 32
held-out pieces that were not used for any decision, the rank correlation with the true velocities
is 0.65 and the mean error 10 of 127; one constant velocity has an error of 13.
(`benchmarks.transcription` uses all 42 pieces: 0.68.) The level matters: the sound should be as
loud as the training data of the shipped packs (-24 dBFS RMS), or all velocities are too low or too
high.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.notes.note import LOWEST, PITCHES

__all__ = ["estimate_velocities"]

_SPAN = 0.093  # seconds
_PARTIALS = 8
_BLOW = 4000.0, 11000.0  # Hz
_FLOOR = 1e-9  # -90 dBFS
_CHUNK = 256  # notes per batch

_TOGETHER = 0.03  # seconds

# Velocity = _FITTED . (1, partials in dB, blow in dB, log2 of the notes that start together, p,
# p^2); p is in units of two octaves from middle C.
_FITTED = np.array([184.69, 2.25, 0.76, -4.88, 8.13, 4.76])


def estimate_velocities(
    x: NDArray[np.float32], rate: float, pitches: Sequence[int], starts: Sequence[float]
) -> NDArray[np.int64]:
    """Velocities 1..127 of notes, [notes].

    Parameters
    ----------
    x : ndarray [shape=(samples,)] float32, mono
    rate : Hz, at least 22,050
    pitches : MIDI numbers, 21..108
    starts : seconds from the first sample
    """
    n = round(_SPAN * rate)
    window = np.hanning(n)
    scale = window.sum() ** 2
    low, high = (round(f * n / rate) for f in _BLOW)
    padded = np.pad(x, (2 * n, 2 * n))
    where = np.round(np.asarray(starts, np.float64) * rate).astype(np.int64) + 2 * n
    where = np.clip(where, n, len(padded) - n)
    keys = np.clip(np.asarray(pitches, np.float64), LOWEST, LOWEST + PITCHES - 1)
    together = np.log2(_together(np.asarray(starts, np.float64)))
    found = np.ones(len(where), np.int64)
    for first in range(0, len(where), _CHUNK):
        part = slice(first, first + _CHUNK)
        at, key = where[part, None], keys[part, None]
        after, before = (
            abs(np.fft.rfft(padded[at + shift + np.arange(n)] * window)) ** 2 / scale
            for shift in (0, -n)
        )
        f0 = 440 * 2 ** ((key - 69) / 12)
        bins = np.round(f0 * np.arange(1, _PARTIALS + 1) * n / rate).astype(np.int64)
        bins = np.minimum(
            bins, n // 2 - 2
        )  # a partial above the highest bin has almost no energy there
        near = [np.take_along_axis(after, bins + d, axis=1) for d in (-1, 0, 1)]
        partials = np.sum(near, axis=(0, 2))
        blow = np.maximum(after - before, 0)[:, low:high].sum(axis=1)
        p = (key[:, 0] - 60) / 24
        energies = (_decibels(partials), _decibels(blow), together[part])
        features = np.stack([np.ones_like(p), *energies, p, p**2], axis=1)
        found[part] = np.clip(np.round(features @ _FITTED), 1, 127)
    return found


def _together(starts: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of notes that start within 30 ms of each note, including itself. [notes]."""
    order = np.sort(starts)
    last = np.searchsorted(order, starts + _TOGETHER, "right")
    return np.asarray(last - np.searchsorted(order, starts - _TOGETHER, "left"), np.int64)


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(power + _FLOOR)
