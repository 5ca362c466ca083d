"""Which frame leaves the mixer's sink at which time: a delay-locked loop.

The sink reports from time to time which frame leaves at this moment; the reports have jitter,
because threads are late. The loop filters them as in F. Adriaensen, "Using a DLL to filter time",
Linux Audio Conference 2005: it predicts the time of the next report; a part of the error corrects
the line, a smaller part its slope (the real rate of the device). Its bandwidth starts wide and
narrows.

The mixer thread calls `observe` and `reset`. Their result is one immutable line, replaced as a
whole: any thread may call `frame_at`. Times are seconds of the mixer's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FrameClock"]

_NARROW = 0.1  # Hz, the final bandwidth of the loop
_WIDE = 4.0  # Hz, the bandwidth at the start
_DRIFT = 0.01  # largest relative error of a device's rate; more is a fault
_OUTLIER = 0.005  # seconds of error; after `_MOST_OUTLIERS` in a row the loop starts again
_MOST_OUTLIERS = 8
_LARGEST_ERROR = 0.001  # seconds: larger errors are clipped to it, because a thread was late


@dataclass(frozen=True, slots=True)
class _Line:
    """`frame` leaves at `at`, and another every `period` seconds."""

    frame: float
    at: float
    period: float


class FrameClock:
    """Maps frames to time.

    Parameters
    ----------
    rate : int
        Nominal frames per second of the device.
    """

    def __init__(self, rate: int) -> None:
        self._nominal = 1.0 / rate
        self._line: _Line | None = None
        self._started_at = 0.0
        self._outliers = 0

    # ------------------------------------------------------------------ mixer thread

    def observe(self, frame: float, at: float) -> None:
        """Add a report: `frame` left at the time `at`."""
        line = self._line
        if line is None:
            self._restart(frame, at)
            return
        frames = frame - line.frame
        if frames <= 0:
            return
        predicted = line.at + frames * line.period
        error = at - predicted
        if abs(error) > _OUTLIER:
            self._outliers += 1
            if (
                self._outliers >= _MOST_OUTLIERS
            ):  # not jitter but an underrun, a flush or a stalled device
                self._restart(frame, at)
            return
        self._outliers = 0
        error = min(max(error, -_LARGEST_ERROR), _LARGEST_ERROR)
        elapsed = max(at - self._started_at, 0.0)
        bandwidth = max(_NARROW, _WIDE / (1.0 + _WIDE * elapsed))
        w = min(2 * math.pi * bandwidth * frames * self._nominal, 0.5)
        period = line.period + w * w * error / frames
        slack = _DRIFT * self._nominal
        period = min(max(period, self._nominal - slack), self._nominal + slack)
        self._line = _Line(frame, predicted + math.sqrt(2.0) * w * error, period)

    def _restart(self, frame: float, at: float) -> None:
        self._line = _Line(frame, at, self._nominal)
        self._started_at, self._outliers = at, 0

    def reset(self) -> None:
        """Start again with the next report, because queued frames were dropped."""
        self._line = None

    # ------------------------------------------------------------------ any thread

    def frame_at(self, at: float) -> float | None:
        """The frame, with a fraction, that leaves at a time; None before the first report."""
        line = self._line
        return None if line is None else line.frame + (at - line.at) / line.period
