"""Codes of a residual quantiser, diffused as the vectors that they stand for.

A codec's quantiser has levels; each has a codebook, an array of vectors, and a frame of sound is
one entry of each level, whose vectors add up. A frame of this signal holds, for each channel,

- "stacked": the vectors of its levels below each other, the first level first;
- "summed": their sum, which is quantised again level by level as the codec's encoder does.

The projection snaps what was sampled to the nearest codes, so the past of a stream is always one
that the codec can produce. A signal may hold some of the levels (`first`), so that coarse and fine
codes come from two stages and one decoder reads both. Sound is made by a network stage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.frames import check_frames, empty_frame
from engine.representations.note_free_projection import NoteFreeProjection
from engine.representations.protocol import Array, Decoder, Event
from engine.representations.signals import Signal

__all__ = ["Codes", "Nearest"]

Indices = NDArray[np.int64]


class Codes:
    """See the module.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : samples per second of the pack.
    load : reads a file of the pack: the codebooks, float32 [levels, entries, dimensions].

    Raises
    ------
    ConfigError
        If the file holds something else, or the rows are not those of its levels.

    Attributes
    ----------
    levels : int
        Of this signal.
    """

    has_notes = False

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        o = signal.options
        books = np.asarray(load(o["codebooks"]), np.float32)
        if books.ndim != 3 or not books.size or not np.isfinite(books).all():
            raise ConfigError(
                f"signal {signal.name!r}: {o['codebooks']!r} holds {books.shape}; codebooks are "
                "finite numbers [levels, entries, dimensions]"
            )
        first, dimensions = o["first"], books.shape[2]
        self._summed = o["layout"] == "summed"
        rows = signal.rows // signal.channels
        self.levels = o["levels"] or len(books) - first
        stacked = 1 if self._summed else self.levels
        if first + self.levels > len(books) or self.levels < 1 or rows != stacked * dimensions:
            raise ConfigError(
                f"signal {signal.name!r}: {rows} rows per channel for {self.levels} levels from "
                f"{first} on; {o['codebooks']!r} holds {len(books)} of {dimensions} dimensions"
            )
        self.rows = self.sampled_rows = signal.rows
        self.channels = signal.channels
        self._books = books[first : first + self.levels] / np.float32(o["scale"])
        self._lengths = (self._books**2).sum(axis=2)
        self.empty = empty_frame(signal, load)

    def indices(self, frames: Array) -> Indices:
        """The nearest codes of frames [rows, n]: int64 [channels, levels, n]."""
        check_frames(frames, self.rows)
        n, dimensions = frames.shape[1], self._books.shape[2]
        x = np.nan_to_num(frames, nan=0.0, posinf=0.0, neginf=0.0)
        x = x.reshape(self.channels, self.rows // self.channels, n)
        found = np.zeros((self.channels, self.levels, n), np.int64)
        rest = x
        for level, (book, lengths) in enumerate(zip(self._books, self._lengths, strict=True)):
            begin = level * dimensions
            own = rest if self._summed else x[:, begin : begin + dimensions]
            # |x - c|^2 without |x|^2, which is the same for every code
            distance = lengths[:, None] - 2.0 * np.einsum("kd,cdn->ckn", book, own)
            found[:, level] = distance.argmin(axis=1)
            if self._summed:
                rest = rest - np.moveaxis(book[found[:, level]], 2, 1)
        return found

    def frames(self, indices: Indices) -> Array:
        """Frames [rows, n] of codes [channels, levels, n].

        Raises
        ------
        ConfigError
            For codes that the codebooks do not have.
        """
        entries = self._books.shape[1]
        if indices.shape[:2] != (self.channels, self.levels):
            raise ConfigError(
                f"codes of shape {indices.shape}; it takes ({self.channels}, {self.levels}, frames)"
            )
        if indices.size and not 0 <= indices.min() <= indices.max() < entries:
            raise ConfigError(
                f"codes from {indices.min()} to {indices.max()}; a codebook has 0 to {entries - 1}"
            )
        # [channels, levels, dimensions, n]
        vectors = np.stack(
            [np.moveaxis(book[indices[:, i]], 2, 1) for i, book in enumerate(self._books)], axis=1
        )
        chosen = vectors.sum(axis=1, dtype=np.float32) if self._summed else vectors
        return np.ascontiguousarray(chosen.reshape(self.rows, indices.shape[2]))

    def encode(self, samples: Array) -> Array:
        """Refuse: a network stage encodes sound."""
        raise ConfigError("sound becomes codes by a network; the pack needs a stage for it")

    def decoder(self) -> Decoder:
        """Refuse: a network stage decodes codes."""
        raise ConfigError("codes become sound by a network; the pack needs a stage for it")

    def projection(self) -> Nearest:
        """A new projection."""
        return Nearest(self)


class Nearest(NoteFreeProjection):
    """Snaps frames to the nearest codes."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    def project(self, block: Array, keep: int) -> tuple[Array, tuple[Event, ...]]:
        """The block [rows, n] as codes would have it; there are no events."""
        return self._codes.frames(self._codes.indices(block)), ()
