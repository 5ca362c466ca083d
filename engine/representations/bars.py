"""The position of frames in the bars of the music, and the tempo, from the tempo map.

A frame is ndarray [shape=(3,)] float32, row by row:

    place    beats since the start of the bar, with a fraction
    bar      beats in the bar
    tempo    beats per minute

No stage outputs such a signal; the walk of a plan computes the frames that stages read. A frame
before the first beat belongs to the bars that would have been before it. Pure arithmetic: any
thread.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.protocol import Array
from engine.representations.signals import Signal
from engine.time.tempo_map import TempoMap

__all__ = ["ROWS", "Bars"]

ROWS = 3
_REFUSED = "the place in the bar is neither sound nor sampled; it is written from the tempo map"


class Bars:
    """The representation; see the module docstring.

    Parameters
    ----------
    signal : on a grid of beats.
    rate : unused.
    load : unused.

    Raises
    ------
    ConfigError
        The grid is one of samples, or there are other rows.
    """

    has_notes = False

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        if signal.grid.per_beat is None or signal.rows != ROWS:
            raise ConfigError(
                f"signal {signal.name!r}: bars have {ROWS} rows and a grid such as "
                "grid = { per_beat = 4 }"
            )
        self.rows = self.sampled_rows = ROWS
        self.channels = 1
        self.per_beat = signal.grid.per_beat
        self.empty: Array = np.zeros((ROWS, 1), np.float32)

    def frames(self, tempo: TempoMap, first: int, end: int) -> Array:
        """The frames from position `first` to before `end`; the map knows one beat or more."""
        places = [tempo.bar_of(Fraction(f) / self.per_beat) for f in range(first, end)]
        return np.array(places, np.float32).reshape(-1, ROWS).T

    def encode(self, samples: Array) -> NoReturn:
        """Raises: it cannot be encoded from sound."""
        raise ConfigError(_REFUSED)

    def decoder(self) -> NoReturn:
        """Raises: it cannot be decoded to sound."""
        raise ConfigError(_REFUSED)

    def projection(self) -> NoReturn:
        """Raises: no stage outputs it."""
        raise ConfigError(_REFUSED)
