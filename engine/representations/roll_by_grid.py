"""Which roll a signal holds: that of seconds or that of beats, as its grid says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from engine.representations.beat_roll import BeatRoll
from engine.representations.roll import Roll
from engine.representations.signals import Signal

__all__ = ["make_roll"]


def make_roll(signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> Roll | BeatRoll:
    """Make the roll of a signal.

    Raises
    ------
    ConfigError
        If the rows or the grid are not those of a roll.
    """
    kind = Roll if signal.grid.per_beat is None else BeatRoll
    return kind(signal, rate, load)
