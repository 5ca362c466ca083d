"""The history of a stream: states to restore, and the requests between them.

The feeder writes it, any thread reads it, under a lock. Positions count samples of the stream at
the pack's rate, as the lead does: they only grow, also when the music goes back.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from engine.arguments import HISTORY
from engine.stages.request import Request

__all__ = ["History", "Keyframe", "Place"]

State = Mapping[str, NDArray[Any]]
_EVERY_BLOCK = 30.0  # seconds for which the state before each block is kept
_APART = 5.0  # seconds between older keyframes


@dataclass(frozen=True)
class Keyframe:
    """A state, and the requests that followed it.

    Attributes
    ----------
    state : of the generator.
    position : of the next sample.
    since : position from which on it applies; later than `position` if the music went back into the
        middle of a block.
    has_past, phrase : whether the piece has a past, and blocks of a phrase that are still to come.
    requests : each with the position of the end of its block.
    continues : whether it is the state that the keyframe before and its requests lead to.
    """

    state: State
    position: int
    since: int
    has_past: bool
    phrase: int = 0
    requests: tuple[tuple[Request, int], ...] = ()
    continues: bool = False

    def find(self, position: int) -> Place | None:
        """What leads from here to a sample; None where it lies beyond the requests."""
        begin, before = self.position, []
        for request, end in self.requests:
            if end > position:
                return Place(self, tuple(before), request, position - begin)
            before.append(request)
            begin = end
        return Place(self, tuple(before), None, 0) if begin == position else None

    @property
    def size(self) -> int:
        """Bytes of the state."""
        return sum(array.nbytes for array in self.state.values())


@dataclass(frozen=True)
class Place:
    """How to reach a sample of the history.

    Restore `keyframe`, repeat `before`, run `request`: the sample is `offset` into its block.
    """

    keyframe: Keyframe
    before: tuple[Request, ...]
    request: Request | None
    offset: int


class History:
    """The last minutes of a stream.

    Parameters
    ----------
    rate : samples per second.
    most_bytes : of all states; the oldest are dropped first, the newest never.
    most_seconds : the longest history.
    """

    def __init__(
        self, rate: int, most_seconds: float = HISTORY, most_bytes: int = 256 << 20
    ) -> None:
        self._rate, self._most_bytes = rate, most_bytes
        self._most = round(most_seconds * rate)
        self._keyframes: list[Keyframe] = []
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Drop all keyframes."""
        with self._lock:
            self._keyframes.clear()

    def take(self, keyframe: Keyframe) -> None:
        """Add a keyframe, and drop those that are too old or too many."""
        with self._lock:
            self._keyframes.append(keyframe)
            self._thin(keyframe.position)

    def _thin(self, now: int) -> None:
        kept: list[Keyframe] = []
        recent = now - round(_EVERY_BLOCK * self._rate)
        for keyframe in self._keyframes:
            last = kept[-1] if kept else None
            near = last and keyframe.since - last.since < _APART * self._rate
            if last and near and keyframe.continues and keyframe.since < recent:
                kept[-1] = replace(last, requests=(*last.requests, *keyframe.requests))
            else:
                kept.append(keyframe)
        total = sum(k.size for k in kept)
        while len(kept) > 1 and (total > self._most_bytes or kept[1].since <= now - self._most):
            total -= kept.pop(0).size
        self._keyframes = kept

    def requested(self, request: Request, end: int) -> None:
        """Add a request whose block ends at `end`."""
        with self._lock:
            if self._keyframes:
                last = self._keyframes[-1]
                self._keyframes[-1] = replace(last, requests=(*last.requests, (request, end)))

    @property
    def newest(self) -> Keyframe | None:
        """The newest keyframe."""
        with self._lock:
            return self._keyframes[-1] if self._keyframes else None

    @property
    def oldest(self) -> int | None:
        """The earliest position; None while it is empty."""
        with self._lock:
            return self._keyframes[0].since if self._keyframes else None

    def find(self, position: int) -> Place | None:
        """How to reach a sample; None if it is too old or not generated yet."""
        with self._lock:
            found = [k for k in self._keyframes if k.since <= position]
        if not found:
            return None
        return found[-1].find(position)

    def blocks_before(self, position: int, count: int) -> int | None:
        """Start of the block `count` blocks before the one at `position`."""
        with self._lock:
            starts = sorted(
                {k.since for k in self._keyframes}
                | {end for k in self._keyframes for _, end in k.requests}
            )
        earlier = [start for start in starts if start <= position]
        return earlier[-1 - count] if len(earlier) > count else None

    def cut(self, position: int) -> None:
        """Drop blocks that start at or after a position: they were never audible."""
        with self._lock:
            kept = [k for k in self._keyframes if k.since < position] or self._keyframes[:1]
            last = kept[-1]
            begin, requests = last.position, []
            for request, end in last.requests:
                if begin < position:
                    requests.append((request, min(end, position)))
                begin = end
            self._keyframes = [*kept[:-1], replace(last, requests=tuple(requests))]
