"""The protocol of representations: encode sound, decode frames, clean a block, keep the state.

Frames are ndarray [shape=(rows, frames)] float32, time last; the rows of channel 0 come first.
Samples are ndarray [shape=(channels, samples)] float32. The objects belong to the thread that runs
the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.notes.note import Note
from engine.sampling.replace import Replace

__all__ = ["Array", "Decoder", "Event", "Projection", "Representation", "State"]

Array = NDArray[np.float32]
State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Event:
    """A key goes down, or with velocity 0 up.

    `frame` is the time in frames of the signal since the start of the stream, with a fraction.
    """

    frame: float
    pitch: int
    velocity: int


class Decoder(Protocol):
    """Converts a stream of frames to a stream of samples.

    The samples depend on where chunks end, so chunks may not be split or merged; the same chunks
    give the same samples.

    Attributes
    ----------
    tail : int
        Frames that a push keeps back, because later frames still change their samples.
    clipped : int
        Values that were clipped since the object was created.
    """

    @property
    def tail(self) -> int:
        """Frames that a push keeps back."""
        ...

    @property
    def clipped(self) -> int:
        """Values that were clipped since the object was created."""
        ...

    def reset(self) -> None:
        """Start a new stream, after silence."""
        ...

    def prime(self, samples: Array, frames: int) -> tuple[Array, int]:
        """Continue from real sound.

        Parameters
        ----------
        samples : ndarray [shape=(channels, samples)]
            Any length; shorter sound follows silence.
        frames : int
            How many frames to return.

        Returns
        -------
        frames : ndarray [shape=(rows, frames)]
            The end of the sound.
        rewind : int
            How many of the last samples the next ones replace, with a fade.
        """
        ...

    def push(self, frames: Array) -> Array:
        """Add frames [rows, n]; returns the samples [channels, m] that are final."""
        ...

    def flush(self) -> Array:
        """The samples that are kept back, fading out; then start a new stream."""
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next samples depend on, as named arrays (copies)."""
        ...

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit.

        Raises
        ------
        ConfigError
            An array is missing or does not match; then nothing has changed.
        """
        ...


class Projection(Protocol):
    """Cleans a sampled block before it is committed: the next block continues valid frames."""

    def reset(self) -> None:
        """Start a new stream."""
        ...

    def known(self, keys: tuple[int, ...], block: int) -> Replace | None:
        """The cells of the next block that held keys determine; None if the signal has no keys.

        Parameters
        ----------
        keys : MIDI pitches that are held down.
        block : frames of the block.
        """
        ...

    def project(self, block: Array, keep: int) -> tuple[Array, tuple[Event, ...]]:
        """Clean a block of which the first `keep` frames are committed.

        Parameters
        ----------
        block : ndarray [shape=(sampled rows or rows, n)]
        keep : at most n.

        Returns
        -------
        frames : ndarray [shape=(rows, n)]
            The whole block, cleaned, as a new array.
        events : tuple of Event
            The notes of the frames that are committed.
        """
        ...

    def past(self, notes: Iterable[Note], end: float, frames: int) -> Array:
        """Use notes as what was just played, and start a new stream after them.

        Parameters
        ----------
        notes : with times in seconds, or in beats on a grid of beats.
        end : time of the last frame's end, in the same unit.
        frames : how many frames to return.

        Raises
        ------
        ConfigError
            The signal has no notes.
        """
        ...

    def phrase(self, notes: Iterable[Note], block: int) -> list[Array]:
        """Write notes as whole blocks of `block` frames, which replace sampled blocks.

        Times are as in `past`, from 0 on. There are no blocks without notes.

        Raises
        ------
        ConfigError
            The signal has no notes.
        """
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next block depends on, as named arrays (copies)."""
        ...

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit; see `Decoder.restore`."""
        ...


class Representation(Protocol):
    """One kind of frame, with the options of one signal.

    Attributes
    ----------
    rows, channels : int
        Of the signal; `rows` counts all channels.
    sampled_rows : int
        The first rows, which a stage outputs; the projection computes the others.
    has_notes : bool
        Whether frames are read as notes.
    empty : ndarray [shape=(rows, 1)]
        The frame that stands for no past.
    """

    rows: int
    sampled_rows: int
    channels: int
    has_notes: bool
    empty: Array

    def encode(self, samples: Array) -> Array:
        """Frames of a whole sound; an incomplete frame at its end is left out.

        Raises
        ------
        ConfigError
            Only a network can encode sound.
        """
        ...

    def decoder(self) -> Decoder:
        """A new decoder.

        Raises
        ------
        ConfigError
            Only a network stage can decode frames.
        """
        ...

    def projection(self) -> Projection:
        """A new projection."""
        ...
