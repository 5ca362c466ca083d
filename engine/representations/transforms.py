"""The built-in transforms behind one protocol, by name: decode and perform.

A transform reads the chunks that its input commits and outputs frames of another signal. Its output
depends on where chunks end, so they are never split or merged. Owned by the
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
    """Converts a stream of frames to a stream of frames of another signal."""

    @property
    def clipped(self) -> int:
        """Values that were clipped since the object was created."""
        ...

    def reset(self) -> None:
        """Start a new piece."""
        ...

    def prime(self, samples: Array, frames: int) -> tuple[Array, int] | None:
        """Continue from real sound, see `Decoder.prime`; None where frames are not read from it."""
        ...

    def push(self, frames: Array, first: int, tempo: TempoMap) -> tuple[Array, tuple[Event, ...]]:
        """Add a chunk of frames [rows, n].

        Parameters
        ----------
        first : position of the first frame.
        tempo : with the beats of the chunk.

        Returns
        -------
        frames : ndarray [shape=(rows, m)]
            The final frames of the output.
        events : tuple of Event
            The notes in these frames.
        """
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next frames depend on, as named arrays (copies)."""
        ...

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit; see `Decoder.restore`."""
        ...


class Decoding:
    """The transform `decode`: frames to samples.

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
        """Values that were clipped since the object was created."""
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
        The transform does not support these signals.
    """
    return _MAKERS[name](source, output)
