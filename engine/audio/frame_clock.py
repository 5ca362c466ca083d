"""Which frame leaves the mixer's sink at which time: a delay-locked loop.

The sink is asked now and then which frame leaves at this moment; the answers come late, by turns,
as a thread is late. The loop filters them as in F. Adriaensen, "Using a DLL to filter time", Linux
Audio Conference 2005: the next answer's time is foretold, a part of the error moves the line, a
smaller part its slope (the device's own idea of its rate). It begins wide and narrows.

`observe` and `forget` belong to the mixer thread. What they find is one immutable line, replaced
whole: any thread may ask `frame_at` and `time_of`. Times are seconds of the mixer's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FrameClock"]

_NARROW = 0.1  # Hz, the loop's bandwidth in the long run
_WIDE = 4.0  # Hz at first
_DRIFT = 0.01  # how far a device's rate may be off, as a share: more is no clock but a fault
_ASTRAY = 0.005  # seconds: `_STRAYS` answers in a row as far off, and the line is begun anew
_STRAYS = 8
_WEIGHT = 0.001  # seconds: what is further off counts no more than that; a thread was held up


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
        Frames per second, as the device says.
    """

    def __init__(self, rate: int) -> None:
        self._nominal = 1.0 / rate
        self._line: _Line | None = None
        self._begun = 0.0
        self._strays = 0

    # ------------------------------------------------------------------ mixer thread

    def observe(self, frame: float, at: float) -> None:
        """Take in that `frame` left at the time `at`."""
        line = self._line
        if line is None:
            self._begin(frame, at)
            return
        frames = frame - line.frame
        if frames <= 0:
            return
        foretold = line.at + frames * line.period
        error = at - foretold
        if abs(error) > _ASTRAY:
            self._strays += 1
            if self._strays >= _STRAYS:  # an underrun, a flush, a stalled device: not noise
                self._begin(frame, at)
            return
        self._strays = 0
        error = min(max(error, -_WEIGHT), _WEIGHT)
        elapsed = max(at - self._begun, 0.0)
        bandwidth = max(_NARROW, _WIDE / (1.0 + _WIDE * elapsed))
        w = min(2 * math.pi * bandwidth * frames * self._nominal, 0.5)
        period = line.period + w * w * error / frames
        slack = _DRIFT * self._nominal
        period = min(max(period, self._nominal - slack), self._nominal + slack)
        self._line = _Line(frame, foretold + math.sqrt(2.0) * w * error, period)

    def _begin(self, frame: float, at: float) -> None:
        self._line = _Line(frame, at, self._nominal)
        self._begun, self._strays = at, 0

    def forget(self) -> None:
        """What was queued has been dropped: begin anew with the next answer."""
        self._line = None

    # ------------------------------------------------------------------ any thread

    def frame_at(self, at: float) -> float | None:
        """The frame, with a fraction, that leaves at a time; None before the first answer."""
        line = self._line
        return None if line is None else line.frame + (at - line.at) / line.period

    def time_of(self, frame: float) -> float | None:
        """When a frame leaves, or left; None before the first answer."""
        line = self._line
        return None if line is None else line.at + (frame - line.frame) * line.period
