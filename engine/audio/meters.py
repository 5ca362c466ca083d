"""Meters: peak, RMS and clip counts of the output, as immutable snapshots.

The mixer thread calls `Meter.update`; any thread may call `Meter.snapshot` (one reference, replaced
as a whole). Levels are linear, per channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Meter", "MeterSnapshot"]

_HOLD_S = 2.0


@dataclass(frozen=True, slots=True)
class MeterSnapshot:
    """Levels over the last window.

    Attributes
    ----------
    peak, rms : tuple of float
        Linear, one for each channel; 1.0 is full scale.
    reduction : float
        The limiter's largest reduction in the window, 0 (none) to 1. If it is often above 0, turn
        the gain down.
    clips : int
        Frames since the start that would have clipped without the limiter. If it grows, turn the
        gain down.
    frames : int
        Frames metered since the start.
    hold : tuple of float
        The highest peak of the last two seconds, linear, one for each channel.
    """

    peak: tuple[float, ...]
    rms: tuple[float, ...]
    reduction: float
    clips: int
    frames: int
    hold: tuple[float, ...] = (0.0,)


class Meter:
    """Measures levels and publishes a snapshot every `window_s` seconds.

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int
    window_s : float
        Length of a window (0.033 for 30 frames per second on a screen).
    """

    def __init__(self, rate: int, channels: int, *, window_s: float = 0.033) -> None:
        self._window = max(1, round(window_s * rate))
        self._channels = channels
        self._clips = 0
        self._frames = 0
        self._clear()
        zeros = (0.0,) * channels
        self._hold, self._hold_frames = zeros, round(_HOLD_S * rate)
        self._held_since = [0] * channels
        self._snapshot = MeterSnapshot(zeros, zeros, 0.0, 0, 0, zeros)

    def update(
        self, output: NDArray[np.float32], *, clips: int = 0, reduction: float = 0.0
    ) -> None:
        """Measure one block of the output; mixer thread only.

        Parameters
        ----------
        output : ndarray [shape=(frames, channels)] float32
        clips : int
            Frames of this block above full scale before the limiter.
        reduction : float
            The limiter's largest reduction in the block.
        """
        if output.shape[0] == 0:
            return
        np.maximum(self._peak, np.abs(output).max(axis=0), out=self._peak)
        self._power += np.einsum("fc,fc->c", output, output)
        self._reduction = max(self._reduction, reduction)
        self._clips += clips
        self._measured += output.shape[0]
        self._frames += output.shape[0]
        if self._measured >= self._window:
            rms = np.sqrt(self._power / self._measured)
            peak = tuple(float(v) for v in self._peak)
            self._hold = tuple(self._held(c, v) for c, v in enumerate(peak))
            self._snapshot = MeterSnapshot(
                peak,
                tuple(float(v) for v in rms),
                self._reduction,
                self._clips,
                self._frames,
                self._hold,
            )
            self._clear()

    def _held(self, channel: int, peak: float) -> float:
        held = self._hold[channel]
        if peak >= held or self._frames - self._held_since[channel] > self._hold_frames:
            self._held_since[channel] = self._frames
            return peak
        return held

    def snapshot(self) -> MeterSnapshot:
        """Levels of the last whole window; any thread."""
        return self._snapshot

    def _clear(self) -> None:
        self._peak = np.zeros(self._channels, np.float32)
        self._power = np.zeros(self._channels, np.float64)
        self._reduction = 0.0
        self._measured = 0
