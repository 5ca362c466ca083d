"""Computes phases of new frames from those of the previous frame, in one pass.

A *plan* depends only on the magnitudes and is computed for all frames at once: for each bin of each
frame, the bin of the previous frame from which its phase comes, and the increment. Each frame is
then one gather and one addition:

    phase[n] = phase[n - 1][source[n]] + increment[n]

Prusa & Sondergaard 2016, "Real-time spectrogram inversion using phase gradient heap integration"
(RTPGHI). Its heap gives each bin its phase along the path of the largest magnitudes: in time from
the same bin of the previous frame, or in frequency from a neighbour. Within a frame that is a
widest path on a line, which two sweeps over the bins solve exactly for all frames at once, without
a heap (the tests compare both).

Frame-major arrays [frames, bins]; phases in radians at the first sample of the frame (see `Stft`).
No state, any thread.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.representations.stft import Stft

__all__ = ["PhaseGradient", "Plan", "arrivals", "run_plan"]

Float = NDArray[np.float32]

_QUIET = 1e-9  # smaller magnitudes (-230 dB of full scale) count as silence


class Plan(NamedTuple):
    """The sources of phases; see the module docstring."""

    source: NDArray[np.intp]  # [frames, bins]
    increment: Float  # [frames, bins] radians


def run_plan(plan: Plan, phase: Float) -> Float:
    """Compute the phases [frames, bins] of ``plan`` from ``phase`` [bins]."""
    out = np.empty_like(plan.increment)
    for n in range(out.shape[0]):
        np.add(phase[plan.source[n]], plan.increment[n], out=out[n])
        # Wrap at once, because float32 loses the phase of a bin after some seconds.
        out[n] -= np.float32(2 * np.pi) * np.rint(out[n] * np.float32(0.5 / np.pi))
        phase = out[n]
    return out


class PhaseGradient:
    """Phase gradient integration in the order of the heap (Prusa & Sondergaard 2016).

    With the Gaussian closest to a Hann window of W samples, gamma = 0.25645 W^2, the
    log magnitude s gives the phase's derivatives (eqs. 6 to 9, hop a, W bins):

        per frame    a W / (2 gamma) (s[m + 1] - s[m - 1]) + 2 pi a m / W
        per bin      - gamma / (2 a W) (s[n + 1] - s[n - 1]) - pi

    (-pi because frames start at the edge of the window, not at its centre). The last frame without
    look-ahead uses the backward difference, as in the zero-delay form of the paper.

    Parameters
    ----------
    stft : Stft
    tolerance : float
        Bins below this fraction of their frame's maximum pass on no phase in frequency.
    """

    def __init__(self, stft: Stft, tolerance: float = 1e-5) -> None:
        gamma = 0.25645 * stft.window**2
        bins = np.arange(stft.bins)
        self._slope = stft.hop * stft.window / (2.0 * gamma)
        self._carrier = np.mod(2.0 * np.pi * stft.hop * bins / stft.window, 2.0 * np.pi)
        self._curve = gamma / (2.0 * stft.hop * stft.window)
        self._tolerance = float(np.log(tolerance))

    def gradients(self, logs: Float, known: int) -> tuple[Float, Float]:
        """Return (per frame, per bin) derivatives for ``known`` frames after the two past ones.

        ``logs`` [2 + frames, bins]; per frame [known, bins] already averaged over the step (the
        trapezoidal rule); per bin [known, bins - 1] averaged between neighbours.
        """
        spread = np.zeros((known + 1, logs.shape[1]), np.float32)
        part = logs[1 : known + 2]
        spread[:, 1:-1] = (part[:, 2:] - part[:, :-2]) * np.float32(self._slope)
        per_frame = 0.5 * (spread[1:] + spread[:-1]) + self._carrier.astype(np.float32)
        rise = np.empty((known, logs.shape[1]), np.float32)
        central = min(known, logs.shape[0] - 3)
        rise[:central] = logs[3 : 3 + central] - logs[1 : 1 + central]
        if central < known:
            rise[central:] = 2.0 * (logs[known + 1] - logs[known])
        # At a step into silence the difference of logarithms has no meaning; clip it.
        np.clip(rise, -12.0, 12.0, out=rise)
        rise *= np.float32(-self._curve)
        per_bin = 0.5 * (rise[:, 1:] + rise[:, :-1]) - np.float32(np.pi)
        return per_frame, per_bin

    def plan(self, past: Float, magnitudes: Float, known: int) -> Plan:
        """Plan the frames of ``magnitudes`` [frames, bins] after ``past`` [2, bins].

        Parameters
        ----------
        past : ndarray [2, bins]
            Magnitudes of the two frames before.
        magnitudes : ndarray [frames, bins]
        known : int
            Plan only the first ``known`` frames; the others improve the last planned one.
        """
        logs = np.log(np.maximum(np.concatenate((past, magnitudes)), np.float32(_QUIET)))
        per_frame, per_bin = self.gradients(logs, known)
        before, now = logs[1 : known + 1], logs[2 : known + 2]
        from_time, from_left = arrivals(before, now, self._tolerance)
        index = np.arange(now.shape[1])
        left = np.maximum.accumulate(np.where(from_time, index, 0), axis=1)
        right = np.minimum.accumulate(np.where(from_time, index, index[-1])[:, ::-1], axis=1)
        source = np.where(from_time, index, np.where(from_left, left, right[:, ::-1]))
        # float64: the sum over 512 bins of about pi each must keep its fraction.
        climb = np.zeros(now.shape, np.float64)
        np.cumsum(per_bin, axis=1, dtype=np.float64, out=climb[:, 1:])
        rows = np.arange(known)[:, None]
        increment = per_frame[rows, source] + (climb - climb[rows, source])
        return Plan(source, np.mod(increment, 2.0 * np.pi).astype(np.float32))


def arrivals(
    before: Float, now: Float, tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Solve the order of the heap: which bins get their phase in time, which others from the left.

    The heap (largest first) contains the bins of the previous frame. A popped bin passes its phase
    to the same bin of this frame, which enters the heap; a popped bin of this frame passes its
    phase to its neighbours. So a bin is reached first along the path whose smallest member is the
    largest:

        F_left[m] = min(now[m - 1], max(before[m - 1], F_left[m - 1])), F_right alike,
        in time where before[m] >= max(F_left, F_right), else from the larger of the two.

    Parameters
    ----------
    before, now : ndarray [frames, bins]
        Log magnitudes of the previous frame and of the frame, row by row.
    tolerance : float
        Natural logarithm of the fraction of the maximum below which bins pass on nothing in
        frequency.
    """
    top = np.maximum(before.max(axis=1), now.max(axis=1))[:, None]
    limit = top + np.float32(tolerance)
    # Without a previous value, the strongest bin of the group starts: such keys lie below all real
    # ones, in the order of the present magnitudes.
    low = limit - np.float32(100.0) + np.float32(1e-3) * (now - top)
    time = np.ascontiguousarray(np.where(before >= limit, before, low).T)
    keys = np.ascontiguousarray(np.where(now >= limit, now, np.float32(-np.inf)).T)
    bins = time.shape[0]
    # Both sweeps at once, the second on the reversed bins.
    time2 = np.stack((time, time[::-1]), axis=1)
    keys2 = np.stack((keys, keys[::-1]), axis=1)
    reach = np.full_like(time2, -np.inf)
    best = np.empty_like(time2[0])
    for m in range(1, bins):
        np.maximum(time2[m - 1], reach[m - 1], out=best)
        np.minimum(best, keys2[m - 1], out=reach[m])
    left, right = reach[:, 0], reach[::-1, 1]
    return (time >= np.maximum(left, right)).T, (left > right).T
