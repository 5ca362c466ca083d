"""Events of the feeder: a block was generated, or generated audio was dropped.

Times are seconds of music since the stream started, on the axis of `Instrument.horizon`. The axis
counts audio that was played or dropped, stands still while the music is paused, and never goes
back, except when a new stream starts.
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

__all__ = [
    "BlockEvent", "BlockListeners", "BlockPublisher", "DroppedAudio", "GeneratedBlock",
    "generated_block",
]  # fmt: skip

_MOST_BUFFERED = 256  # events before a change of pack
_REMEMBERED = 16  # events: more blocks than any lead holds but the shortest


@dataclass(frozen=True)
class GeneratedBlock:
    """A block that has joined the lead.

    Attributes
    ----------
    index : int
        Its number in the piece; -1 for sound that the caller supplied as the past.
    start, seconds : float
        Position of its first sample, and its length.
    steps : int
        Evaluations of the first stage.
    rewind : float
        Seconds at its start that replace audio generated before.
    load : float
        Generation time divided by the block's length.
    eased : bool
        Whether the governor used fewer steps, or a longer stride, than requested.
    samples : ndarray [shape=(frames, channels)] float32
        Read only.
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
class DroppedAudio:
    """Audio from `start` on was dropped; the next block starts at `end`."""

    start: float
    end: float


BlockEvent: TypeAlias = GeneratedBlock | DroppedAudio


def generated_block(
    samples: NDArray[np.float32],
    rate: int,
    end: float,
    *,
    index: int = -1,
    steps: int = 0,
    rewind: int = 0,
    seconds: float = 0.0,
    eased: bool = False,
) -> GeneratedBlock:
    """The event of a block that ends at `end` and took `seconds` to generate; `rewind` in frames.

    Its position is counted from its end, because the lead may have cut its start.
    """
    length = len(samples) / rate
    return GeneratedBlock(
        index, end - length, length, steps, rewind / rate, seconds / max(length, 1 / rate), eased,
        samples, rate,
    )  # fmt: skip


class BlockPublisher:
    """Publishes the events of a feeder with times of the music; buffers them until it starts.

    Parameters
    ----------
    publish : called in the thread of the event; must not wait.
    """

    def __init__(self, publish: Callable[[BlockEvent], None]) -> None:
        self._publish = publish
        self._origin: float | None = None
        self._buffered: deque[BlockEvent] = deque(maxlen=_MOST_BUFFERED)
        self._ended = False
        self._lock = threading.Lock()

    def add(self, event: BlockEvent) -> None:
        """Publish an event, timed from the start of the stream."""
        with self._lock:
            if self._origin is None:
                self._buffered.append(event)
            elif not self._ended:
                self._publish(_shifted(event, self._origin))

    def start(self, origin: float) -> None:
        """The stream plays from `origin` seconds of music on."""
        with self._lock:
            self._origin = origin
            while self._buffered:
                self._publish(_shifted(self._buffered.popleft(), origin))

    def stop(self) -> None:
        """Publish nothing any more: another stream plays."""
        with self._lock:
            self._ended = True


class BlockListeners:
    """The listeners to block events. New ones are called at once with the last events.

    Any thread. Listeners are called in the thread of the event, one event at a time, and must not
    wait.

    Parameters
    ----------
    report : called with one line when a listener raises.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.listeners: Listeners[BlockEvent] = Listeners("blocks", report)
        self._last: deque[BlockEvent] = deque(maxlen=_REMEMBERED)
        self._lock = threading.RLock()  # reentrant: a listener may add and remove listeners

    def publish(self, event: BlockEvent) -> None:
        """Call every listener."""
        with self._lock:
            if isinstance(event, DroppedAudio) and not event.end:  # the axis starts again
                self._last.clear()
            self._last.append(event)
            self.listeners(event)

    def add(self, listener: Callable[[BlockEvent], object]) -> Callable[[], None]:
        """Add a listener; returns a function that removes it."""
        with self._lock:
            return self.listeners.add(listener, first=tuple(self._last))


def _shifted(event: BlockEvent, by: float) -> BlockEvent:
    if isinstance(event, DroppedAudio):
        return DroppedAudio(event.start + by, event.end + by)
    return replace(event, start=event.start + by)
