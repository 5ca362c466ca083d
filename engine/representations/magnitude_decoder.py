"""Decodes frames of scaled magnitudes to samples, and encodes a past that is real sound.

The generator's thread owns every decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.representations.channel_phases import ChannelPhases
from engine.representations.frames import check_frames, check_samples
from engine.representations.protocol import Array, State
from engine.representations.stft import Stft

__all__ = ["MagnitudeDecoder", "MagnitudeScale", "encode_magnitudes"]


class MagnitudeScale(Protocol):
    """Converts between magnitudes [full bins, frames] and frames [bins, frames]."""

    @property
    def bins(self) -> int:
        """Rows of a frame."""
        ...

    def encode(self, magnitude: Array) -> Array:
        """Frames of magnitudes."""
        ...

    def decode(self, x: Array) -> tuple[Array, int]:
        """Magnitudes of frames, and how many values were clipped."""
        ...


class MagnitudeDecoder:
    """Converts frames to magnitudes, and reconstructs their phases.

    Parameters
    ----------
    stft : the transform.
    scales : of each channel.
    phase : a name in `PHASE_KINDS`.
    """

    def __init__(self, stft: Stft, scales: Sequence[MagnitudeScale], phase: str) -> None:
        self._stft, self._scales = stft, scales
        self._phases = ChannelPhases(phase, stft, len(scales))
        self.clipped = 0

    @property
    def tail(self) -> int:
        """Frames that a push keeps back."""
        return self._phases.latency_frames

    def reset(self) -> None:
        """Start a new stream, after silence."""
        self._phases.reset()

    def prime(self, samples: Array, frames: int) -> tuple[Array, int]:
        """Continue from real sound; see `Decoder.prime`."""
        check_samples(samples, len(self._scales))
        need = self._stft.samples_of(max(frames, self._stft.ratio))
        recent = np.zeros((len(samples), need), np.float32)
        end = samples[:, -need:]
        recent[:, need - end.shape[1] :] = end
        columns = encode_magnitudes(self._stft, self._scales, recent)
        return columns[:, columns.shape[1] - frames :], self._phases.prime(recent)

    def push(self, frames: Array) -> Array:
        """Add frames [rows, n]; returns the samples [channels, m] that are final."""
        check_frames(frames, sum(s.bins for s in self._scales))
        parts = np.split(frames, len(self._scales))
        magnitudes: list[Array] = []
        for scale, own in zip(self._scales, parts, strict=True):
            magnitude, clipped = scale.decode(own)
            self.clipped += clipped
            magnitudes.append(magnitude)
        return self._phases.push(np.stack(magnitudes))

    def flush(self) -> Array:
        """The samples that are kept back, fading out; then start a new stream."""
        return self._phases.flush()

    def state(self) -> dict[str, NDArray[Any]]:
        """The phases and the frames that are kept back."""
        return self._phases.state()

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit."""
        self._phases.restore(state)


def encode_magnitudes(stft: Stft, scales: Sequence[MagnitudeScale], samples: Array) -> Array:
    """Frames [rows, n] of samples [channels, n]: whole windows without padding."""
    return np.concatenate(
        [
            scale.encode(np.abs(stft.forward(own)).astype(np.float32))
            for scale, own in zip(scales, samples, strict=True)
        ]
    )
