"""What the feeder tells of its work: a block is made, or music that was made is dropped.

Times are seconds of music since the stream began, on the axis of `Instrument.horizon`: it counts
what was played or dropped, stands still while the music is held, and never goes back but for a new
stream.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.listeners import Listeners

__all__ = ["BlockListeners", "BlockMade", "Dropped", "Made", "Teller", "told"]

_MOST_UNTOLD = 256  # blocks made ahead of a change of pack
_REMEMBERED = 16  # blocks: more than any lead holds but the shortest


@dataclass(frozen=True)
class BlockMade:
    """A block that has joined the lead.

    Attributes
    ----------
    index : int
        Its number in the piece; -1 for sound that was given to be gone on from.
    start, seconds : float
        Where its first sample stands, and how long it is.
    steps : int
        Evaluations of the first stage.
    rewind : float
        Seconds at its beginning that stand in place of what was made before.
    load : float
        Time to make over time it lasts.
    eased : bool
        Whether the governor gave it fewer steps, or a longer stride, than asked for.
    samples : ndarray [shape=(frames, channels)] float32
        Not to be changed.
    rate : int
        Frames per second.
    """

    index: int
    start: float
    seconds: float
    steps: int
    rewind: float
    load: float
    eased: bool
    samples: NDArray[np.float32]
    rate: int


@dataclass(frozen=True)
class Dropped:
    """What was generated from `start` on is dropped; the next block begins at `end`."""

    start: float
    end: float


Made: TypeAlias = BlockMade | Dropped


def told(
    samples: NDArray[np.float32],
    rate: int,
    end: float,
    *,
    index: int = -1,
    steps: int = 0,
    rewind: int = 0,
    seconds: float = 0.0,
    eased: bool = False,
) -> BlockMade:
    """A block whose last sample stands at `end`; it took `seconds` to make, `rewind` is in frames.

    Where it stands is counted from its end: the lead may have cut its beginning.
    """
    lasts = len(samples) / rate
    return BlockMade(
        index, end - lasts, lasts, steps, rewind / rate, seconds / max(lasts, 1 / rate), eased,
        samples, rate,
    )  # fmt: skip


class Teller:
    """Passes on what a feeder tells, moved to where its stream begins; until then it keeps it.

    Parameters
    ----------
    tell : called in whichever thread it happens in; must not wait.
    """

    def __init__(self, tell: Callable[[Made], None]) -> None:
        self._tell = tell
        self._origin: float | None = None
        self._untold: deque[Made] = deque(maxlen=_MOST_UNTOLD)
        self._ended = False
        self._lock = threading.Lock()

    def made(self, made: Made) -> None:
        """Something was made, or dropped, in seconds from the beginning of the stream."""
        with self._lock:
            if self._origin is None:
                self._untold.append(made)
            elif not self._ended:
                self._tell(_moved(made, self._origin))

    def begin(self, origin: float) -> None:
        """The stream is what plays, from `origin` seconds of music on."""
        with self._lock:
            self._origin = origin
            while self._untold:
                self._tell(_moved(self._untold.popleft(), origin))

    def end(self) -> None:
        """Another stream plays: what this one still makes is nobody's."""
        with self._lock:
            self._ended = True


class BlockListeners:
    """The listeners to blocks. New ones are called at once with the last blocks.

    Any thread; listeners are called in it, one event at a time, and must not wait.

    Parameters
    ----------
    report : called with one line when a listener raises.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.listeners: Listeners[Made] = Listeners("blocks", report)
        self._last: deque[Made] = deque(maxlen=_REMEMBERED)
        self._lock = threading.RLock()  # reentrant: a listener may add and remove listeners

    def publish(self, made: Made) -> None:
        """Call every listener."""
        with self._lock:
            if isinstance(made, Dropped) and not made.end:  # the axis begins anew
                self._last.clear()
            self._last.append(made)
            self.listeners(made)

    def add(self, listener: Callable[[Made], object]) -> Callable[[], None]:
        """Add a listener; returns a function that removes it."""
        with self._lock:
            return self.listeners.add(listener, first=tuple(self._last))


def _moved(made: Made, by: float) -> Made:
    if isinstance(made, Dropped):
        return Dropped(made.start + by, made.end + by)
    return replace(made, start=made.start + by)
