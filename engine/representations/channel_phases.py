"""Consistent phases for several channels: first those of the mid, then those of each channel.

If each channel were reconstructed separately, the phases would drift apart and the stereo image
would dissolve. Therefore the mid (the mean of the channels' magnitudes) is reconstructed like a
mono stream. Every channel starts from its phases, and a few iterations adapt them to its own
magnitudes and its own past. One owner thread per object.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.representations.phase_stream import make_phase
from engine.representations.protocol import Array, State
from engine.representations.state import part, prefixed
from engine.representations.stft import Stft

__all__ = ["ChannelPhases"]

_SETTLING = 12  # iterations of a channel that starts from the mid's phases


class ChannelPhases:
    """Reconstructs one or more channels; with one channel, it is the mid.

    Parameters
    ----------
    kind : a name in `engine.representations.phase_stream.PHASE_KINDS`.
    stft : the transform.
    channels : 1 or more.
    """

    def __init__(self, kind: str, stft: Stft, channels: int) -> None:
        self._mid = make_phase(kind, stft)
        self._sides = (
            [
                make_phase(kind, stft, iterations=min(_SETTLING, self._mid.iterations))
                for _ in range(channels)
            ]
            if channels > 1
            else []
        )

    @property
    def latency_frames(self) -> int:
        """Frames kept back between pushes."""
        return self._mid.latency_frames

    def reset(self) -> None:
        """Start a new stream, after silence."""
        for stream in (self._mid, *self._sides):
            stream.reset()

    def prime(self, samples: Array) -> int:
        """Use real sound [channels, samples] as the past; see `StreamingGriffinLim.prime`."""
        for stream, own in zip(self._sides, samples, strict=False):
            stream.prime(own)
        return self._mid.prime(samples.mean(axis=0) if self._sides else samples[0])

    def push(self, magnitudes: Array) -> Array:
        """Add magnitudes [channels, bins, frames]; returns samples [channels, n]."""
        if not self._sides:
            return self._mid.push(magnitudes[0])[None]
        self._mid.push(magnitudes.mean(axis=0))
        start = self._mid.found
        return np.stack(
            [s.push(own, start) for s, own in zip(self._sides, magnitudes, strict=True)]
        )

    def flush(self) -> Array:
        """The samples that are kept back [channels, n], fading out; then start a new stream."""
        if not self._sides:
            return self._mid.flush()[None]
        self._mid.flush()
        start = self._mid.found
        return np.stack([s.flush(start) for s in self._sides])

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next samples depend on (copies)."""
        state = prefixed("mid", self._mid.state())
        for i, stream in enumerate(self._sides):
            state.update(prefixed(f"channel{i}", stream.state()))
        return state

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit."""
        self._mid.restore(part("mid", state))
        for i, stream in enumerate(self._sides):
            stream.restore(part(f"channel{i}", state))
