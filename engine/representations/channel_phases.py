"""Phases of several channels that fit each other: those of the mid first, then each channel's own.

Found for each channel alone, phases drift apart and the sound between the loudspeakers dissolves.
So the mid, whose magnitudes are the mean of the channels', is solved like a mono stream, every
channel starts from its phases, and a few iterations settle it on its own magnitudes and its own
past. One owner thread for each object.
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
    """Reconstructs one or more channels; a single one is its own mid.

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
        """Begin a new stream, after silence."""
        for stream in (self._mid, *self._sides):
            stream.reset()

    def prime(self, samples: Array) -> int:
        """Take real sound [channels, samples] as the past; see `StreamingGriffinLim.prime`."""
        for stream, own in zip(self._sides, samples, strict=False):
            stream.prime(own)
        return self._mid.prime(samples.mean(axis=0) if self._sides else samples[0])

    def push(self, magnitudes: Array) -> Array:
        """Take magnitudes [channels, bins, frames]; return the samples [channels, n] of them."""
        if not self._sides:
            return self._mid.push(magnitudes[0])[None]
        self._mid.push(magnitudes.mean(axis=0))
        start = self._mid.found
        return np.stack(
            [s.push(own, start) for s, own in zip(self._sides, magnitudes, strict=True)]
        )

    def flush(self) -> Array:
        """Return all that is kept back [channels, n], fading out, and begin a new stream."""
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
