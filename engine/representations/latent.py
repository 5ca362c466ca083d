"""Latents of an autoencoder, scaled to the deviation that a diffusion stage expects.

    x = (z - mean) / deviation          per row

Only network stages convert between sound and latents. A pack whose autoencoder uses scaled latents
needs neither file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.bounds import Bounds
from engine.representations.frames import check_frames, empty_frame
from engine.representations.protocol import Array, Decoder
from engine.representations.signals import Signal

__all__ = ["Latent"]


class Latent:
    """The representation; see the module docstring.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : samples per second of the pack.
    load : reads a file of the pack: mean and deviation, float32 [rows] each.

    Raises
    ------
    ConfigError
        A file does not match the rows.
    """

    has_notes = False

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        self.rows = self.sampled_rows = signal.rows
        self.channels = signal.channels
        self._mean = _column(signal, "mean", 0.0, load)
        self._deviation = _column(signal, "deviation", 1.0, load)
        if not (self._deviation > 0).all():
            raise ConfigError(f"signal {signal.name!r}: deviations must be over 0")
        self._limit = signal.options["limit"]
        self.empty = empty_frame(signal, load)

    def scaled(self, latents: Array) -> Array:
        """Frames [rows, n] of an encoder's latents."""
        check_frames(latents, self.rows)
        return ((latents - self._mean) / self._deviation).astype(np.float32)

    def latents(self, frames: Array) -> Array:
        """The latents of frames [rows, n], for a decoder network."""
        check_frames(frames, self.rows)
        return (frames * self._deviation + self._mean).astype(np.float32)

    def encode(self, samples: Array) -> Array:
        """Raises: only a network stage can encode sound."""
        raise ConfigError("latents: sound is encoded by a network; add a stage for it to the pack")

    def decoder(self) -> Decoder:
        """Raises: only a network stage can decode latents."""
        raise ConfigError("latents: sound is decoded by a network; add a stage for it to the pack")

    def projection(self) -> Bounds:
        """A new projection."""
        return Bounds(self._limit)


def _column(
    signal: Signal, option: str, default: float, load: Callable[[str], NDArray[Any]]
) -> Array:
    name = signal.options[option]
    values = np.asarray(load(name) if name else default, np.float32)
    if values.size not in (1, signal.rows) or not np.isfinite(values).all():
        raise ConfigError(
            f"signal {signal.name!r}: {option} of shape {values.shape}; "
            f"use {signal.rows} finite numbers"
        )
    return np.broadcast_to(values.reshape(-1, 1), (signal.rows, 1)).copy()
