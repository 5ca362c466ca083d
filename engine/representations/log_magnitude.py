"""Log magnitudes of a short-time Fourier transform, decoded with phase reconstruction.

A frame is a column of `bins` normalised logarithms for each channel (`log_scale`), from DC up. The
phase is reconstructed while the stream plays (`phase_stream`, `channel_phases`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.representations.bounds import Bounds
from engine.representations.frames import check_samples, empty_frame, whole_hop
from engine.representations.log_scale import LogScale
from engine.representations.magnitude_decoder import MagnitudeDecoder, encode_magnitudes
from engine.representations.phase_stream import DEFAULT_PHASE
from engine.representations.protocol import Array
from engine.representations.signals import Signal
from engine.representations.stft import Stft

__all__ = ["LogMagnitude"]


class LogMagnitude:
    """The representation; see the module docstring.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : samples per second of the pack.
    load : reads a file of the pack: the mean, float32 [bins] or [rows].

    Raises
    ------
    ConfigError
        The options do not match each other.
    """

    has_notes = False

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        o = signal.options
        self.rows = self.sampled_rows = signal.rows
        self.channels = signal.channels
        self.stft = Stft(o["window"], whole_hop(signal))
        self._phase = o["phase"] or DEFAULT_PHASE
        self._limit = o["limit"]
        bins = signal.rows // signal.channels
        mean = np.asarray(load(o["mean"]), np.float32)
        if signal.channels > 1 and mean.size == signal.rows:
            means = list(mean.reshape(signal.channels, bins))
        else:
            means = [mean] * signal.channels
        full, ceiling = self.stft.bins, self.stft.ceiling
        self._scales = [LogScale(full, ceiling, bins, o["floor"], m, o["scale"]) for m in means]
        self.empty = empty_frame(signal, load)

    def encode(self, samples: Array) -> Array:
        """Whole frames of samples [channels, n]; nothing is padded."""
        check_samples(samples, self.channels)
        return encode_magnitudes(self.stft, self._scales, samples)

    def decoder(self) -> MagnitudeDecoder:
        """A new decoder."""
        return MagnitudeDecoder(self.stft, self._scales, self._phase)

    def projection(self) -> Bounds:
        """A new projection."""
        return Bounds(self._limit)
