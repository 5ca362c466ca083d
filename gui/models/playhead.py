"""The audible position on the axis of generated music: `/playhead`, smoothed.

Messages come ten times a second with a jitter of some milliseconds. Between them the position
follows the clock, and each message corrects a part of the error, so that a line drawn there neither
jumps nor drifts. While the music is paused it stands still. Seconds. Qt's main thread, no Qt.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Playhead"]

_PULL = 0.15  # share of the error that each message corrects
_JUMP = 0.3  # seconds of error from which the position jumps
_HELD = 0.3  # share of the clock's pace below which the music counts as paused
_BLIND = 0.6  # seconds without a message after which the position stands still


class Playhead:
    """The audible position, and how far the music is generated.

    Parameters
    ----------
    now : monotonic clock in seconds.

    Attributes
    ----------
    generated : seconds up to which music is generated; 0 at first.
    is_reported : whether the engine has reported its position.
    flows : whether the music advances.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.forget()

    def forget(self) -> None:
        """The connection is lost, or the axis starts again."""
        self.generated = 0.0
        self.is_reported = self.flows = False
        self._place = self._reported = 0.0
        self._at = self._now()

    def take(self, audible: float, generated: float) -> None:
        """The engine reports the audible position, and the end of the generated music."""
        now = self._now()
        expected, elapsed, flowed = self.audible(), now - self._at, self.flows
        self.flows = audible - self._reported > _HELD * elapsed if self.is_reported else False
        error = audible - expected
        steady = flowed and self.flows and abs(error) <= _JUMP
        self._place = expected + _PULL * error if steady else audible
        self._reported, self._at, self.generated, self.is_reported = audible, now, generated, True

    def extend(self, generated: float) -> None:
        """A block extends the generated music."""
        self.generated = generated

    def audible(self) -> float:
        """The position that is audible now; never beyond the generated music."""
        if not self.flows:
            return self._place
        place = self._place + min(max(self._now() - self._at, 0.0), _BLIND)
        return min(place, max(self.generated, self._place))

    @property
    def lead(self) -> float:
        """Seconds that are generated and not yet audible."""
        return max(0.0, self.generated - self.audible()) if self.is_reported else 0.0
