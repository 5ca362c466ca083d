"""From frames of scaled magnitudes to samples, and back for a past that is real sound.

The generator's thread owns each decoder.
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
    """Between the magnitudes of a transform [full bins, frames] and frames [bins, frames]."""

    @property
    def bins(self) -> int:
        """Rows of a frame."""
        ...

    def encode(self, magnitude: Array) -> Array:
        """Frames of magnitudes."""
        ...

    def decode(self, x: Array) -> tuple[Array, int]:
        """Magnitudes of frames, and how many values had to be held within bounds."""
        ...


class MagnitudeDecoder:
    """Frames to samples: magnitudes, then phases.

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
        """Begin a new stream, after silence."""
        self._phases.reset()

    def prime(self, samples: Array, frames: int) -> tuple[Array, int]:
        """Continue from real sound; see `Decoder.prime`."""
        check_samples(samples, len(self._scales))
        need = self._stft.samples_of(max(frames, self._stft.ratio))
        recent = np.zeros((len(samples), need), np.float32)
        taken = samples[:, -need:]
        recent[:, need - taken.shape[1] :] = taken
        columns = encode_magnitudes(self._stft, self._scales, recent)
        return columns[:, columns.shape[1] - frames :], self._phases.prime(recent)

    def push(self, frames: Array) -> Array:
        """Take frames [rows, n]; return the samples [channels, m] that are final."""
        check_frames(frames, sum(s.bins for s in self._scales))
        parts = np.split(frames, len(self._scales))
        magnitudes: list[Array] = []
        for scale, own in zip(self._scales, parts, strict=True):
            magnitude, wild = scale.decode(own)
            self.clipped += wild
            magnitudes.append(magnitude)
        return self._phases.push(np.stack(magnitudes))

    def flush(self) -> Array:
        """Return the samples that are kept back, fading out, and begin a new stream."""
        return self._phases.flush()

    def state(self) -> dict[str, NDArray[Any]]:
        """The phases and the frames that are kept back."""
        return self._phases.state()

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit."""
        self._phases.restore(state)


def encode_magnitudes(stft: Stft, scales: Sequence[MagnitudeScale], samples: Array) -> Array:
    """Frames [rows, n] of samples [channels, n]: whole windows, nothing is padded."""
    return np.concatenate(
        [
            scale.encode(np.abs(stft.forward(own)).astype(np.float32))
            for scale, own in zip(scales, samples, strict=True)
        ]
    )
