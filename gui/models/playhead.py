"""Where the ear is, on the axis of made music, at any moment: what `/playhead` tells, made steady.

Messages come ten times a second and shake by some milliseconds; between them the place goes on by
the clock, and a little of each error is taken away, so that a line drawn there neither jumps nor
drifts. While the music is held it stands still. Seconds. Qt's main thread, but no part of Qt.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Playhead"]

_PULL = 0.15  # share of an error that is taken away with each message
_JUMP = 0.3  # seconds of error from which the place is set anew
_HELD = 0.3  # share of the clock's pace under which the music counts as held
_BLIND = 0.6  # seconds without a message after which the line stands still


class Playhead:
    """The place that is heard, and how far the music is made.

    Parameters
    ----------
    now : seconds of a clock that only goes on.

    Attributes
    ----------
    made : seconds up to which music is made; 0 until told.
    is_told : whether the engine has told where it is.
    flows : whether the music goes on.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.forget()

    def forget(self) -> None:
        """The engine is gone, or its axis begins anew."""
        self.made = 0.0
        self.is_told = self.flows = False
        self._place = self._told = 0.0
        self._at = self._now()

    def take(self, heard: float, made: float) -> None:
        """What the engine tells: the place at the ear, and the end of what is made."""
        now = self._now()
        expected, elapsed, flowed = self.heard(), now - self._at, self.flows
        self.flows = heard - self._told > _HELD * elapsed if self.is_told else False
        error = heard - expected
        steady = flowed and self.flows and abs(error) <= _JUMP
        self._place = expected + _PULL * error if steady else heard
        self._told, self._at, self.made, self.is_told = heard, now, made, True

    def extend(self, made: float) -> None:
        """A block says that music is made up to there."""
        self.made = made

    def heard(self) -> float:
        """The place that is at the ear now; never beyond what is made."""
        if not self.flows:
            return self._place
        place = self._place + min(max(self._now() - self._at, 0.0), _BLIND)
        return min(place, max(self.made, self._place))

    @property
    def lead(self) -> float:
        """Seconds made and not yet heard."""
        return max(0.0, self.made - self.heard()) if self.is_told else 0.0
