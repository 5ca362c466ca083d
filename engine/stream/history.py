"""Keyframes of the generator's state, and what was requested since. The feeder's own.

Restoring the newest keyframe and repeating what was requested since leads to the state that the
generator had, to the bit. A block can also be returned to: `at` finds the keyframe before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from engine.stages.request import Request

__all__ = ["History", "Keyframe"]

State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Keyframe:
    """`state` after so many samples of the piece were produced, and the requests that followed.

    `requests` holds each with the sample at which its block ends.
    """

    state: State
    produced: int
    requests: list[tuple[Request, int]] = field(default_factory=list[tuple[Request, int]])

    @property
    def size(self) -> int:
        """Bytes of the state."""
        return sum(array.nbytes for array in self.state.values())


class History:
    """The last minutes of a stream.

    Parameters
    ----------
    most_bytes : of all keyframes; the oldest are dropped first, the newest never.
    most_samples : how far back it reaches.
    """

    def __init__(self, most_bytes: int, most_samples: int) -> None:
        self._most_bytes, self._most_samples = most_bytes, most_samples
        self._keyframes: deque[Keyframe] = deque()

    def clear(self) -> None:
        """Forget everything."""
        self._keyframes.clear()

    def take(self, state: State, produced: int) -> None:
        """Keep a keyframe."""
        self._keyframes.append(Keyframe(state, produced))
        total = sum(k.size for k in self._keyframes)
        while len(self._keyframes) > 1 and (
            total > self._most_bytes or self._keyframes[1].produced <= produced - self._most_samples
        ):
            total -= self._keyframes.popleft().size

    def requested(self, request: Request, produced: int) -> None:
        """Note a request whose block ends at sample `produced`."""
        if self._keyframes:
            self._keyframes[-1].requests.append((request, produced))

    @property
    def newest(self) -> Keyframe | None:
        """The newest keyframe."""
        return self._keyframes[-1] if self._keyframes else None

    @property
    def oldest(self) -> int | None:
        """The sample to which it reaches back, or None."""
        return self._keyframes[0].produced if self._keyframes else None

    def at(self, sample: int) -> Keyframe | None:
        """The last keyframe at or before a sample; None where it is no longer kept."""
        found = [k for k in self._keyframes if k.produced <= sample]
        return found[-1] if found else None

    def cut(self, keyframe: Keyframe, requests: int) -> None:
        """Forget what came after the first so many requests of a keyframe."""
        while self._keyframes and self._keyframes[-1] is not keyframe:
            self._keyframes.pop()
        del keyframe.requests[requests:]
