"""The built-in transforms behind one protocol, by name: decode and perform.

A transform takes chunks of frames as its input commits them and outputs frames of another signal.
What it outputs depends on where chunks end, so they are never split or merged. Owned by the
generator's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from engine.representations.performance import Performance
from engine.representations.protocol import Array, Decoder, Event, Representation, State
from engine.time.tempo_map import TempoMap

__all__ = ["Decoding", "Transform", "make_transform"]


class Transform(Protocol):
    """Turns a stream of frames into a stream of frames of another signal."""

    @property
    def clipped(self) -> int:
        """Values that were held within bounds since the object was created."""
        ...

    def reset(self) -> None:
        """Begin a new piece."""
        ...

    def prime(self, samples: Array, frames: int) -> tuple[Array, int] | None:
        """Continue from real sound, see `Decoder.prime`; None where frames are not read from it."""
        ...

    def push(self, frames: Array, first: int, tempo: TempoMap) -> tuple[Array, tuple[Event, ...]]:
        """Take a chunk of frames [rows, n].

        Parameters
        ----------
        first : position of the first of them.
        tempo : knows the beats of the chunk.

        Returns
        -------
        frames : ndarray [shape=(rows, m)]
            Those of the output that are final.
        events : tuple of Event
            The notes in them.
        """
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next frames depend on, as named arrays (copies)."""
        ...

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit; see `Decoder.restore`."""
        ...


class Decoding:
    """The transform `decode`: frames become samples.

    Raises
    ------
    ConfigError
        Only a network can decode the source.
    """

    def __init__(self, source: Representation, output: Representation) -> None:
        self._decoder: Decoder = source.decoder()
        self.reset, self.prime = self._decoder.reset, self._decoder.prime
        self.state, self.restore = self._decoder.state, self._decoder.restore

    @property
    def clipped(self) -> int:
        """Values that were held within bounds since the object was created."""
        return self._decoder.clipped

    def push(self, frames: Array, first: int, tempo: TempoMap) -> tuple[Array, tuple[Event, ...]]:
        """Samples, and no notes."""
        return self._decoder.push(frames), ()


_MAKERS: Mapping[str, Callable[[Representation, Representation], Transform]] = {
    "decode": Decoding, "perform": Performance,
}  # fmt: skip


def make_transform(name: str, source: Representation, output: Representation) -> Transform:
    """The transform of that name between two signals.

    Raises
    ------
    ConfigError
        The signals are none that it can take.
    """
    return _MAKERS[name](source, output)
