"""Log magnitudes of a short-time Fourier transform, with phase reconstruction on the way out.

A frame is a column of `bins` normalised logarithms for each channel (`log_scale`), from DC up. The
phase is found again while the stream plays (`phase_stream`, `channel_phases`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.packs.signals import Signal
from engine.representations.bounds import Bounds
from engine.representations.channel_phases import ChannelPhases
from engine.representations.frames import check_frames, check_samples, empty_frame, whole_hop
from engine.representations.log_scale import LogScale
from engine.representations.phase_stream import DEFAULT_PHASE
from engine.representations.protocol import Array, State
from engine.representations.stft import Stft

__all__ = ["LogMagnitude", "LogMagnitudeDecoder"]


class LogMagnitude:
    """See the module.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : samples per second of the pack.
    load : reads a file of the pack: the mean, float32 [bins] or [rows].

    Raises
    ------
    ConfigError
        If the options do not fit each other.
    """

    has_notes = False

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        o = signal.options
        self.rows, self.channels = signal.rows, signal.channels
        self.stft = Stft(o["window"], whole_hop(signal))
        self._phase = o["phase"] or DEFAULT_PHASE
        self._limit = o["limit"]
        bins = signal.rows // signal.channels
        mean = np.asarray(load(o["mean"]), np.float32)
        if signal.channels > 1 and mean.size == signal.rows:
            means = list(mean.reshape(signal.channels, bins))
        else:
            means = [mean] * signal.channels
        self._scales = [LogScale(self.stft, bins, o["floor"], m, o["scale"]) for m in means]
        self.empty = empty_frame(signal, load)

    def encode(self, samples: Array) -> Array:
        """Whole frames of samples [channels, n]; nothing is padded."""
        check_samples(samples, self.channels)
        return _encoded(self.stft, self._scales, samples)

    def decoder(self) -> LogMagnitudeDecoder:
        """A new decoder."""
        return LogMagnitudeDecoder(self.stft, self._scales, self._phase)

    def projection(self) -> Bounds:
        """A new projection."""
        return Bounds(self._limit)


class LogMagnitudeDecoder:
    """Frames to samples: magnitudes, then phases.

    Parameters
    ----------
    stft : the transform.
    scales : of each channel.
    phase : a name in `PHASE_KINDS`.
    """

    def __init__(self, stft: Stft, scales: Sequence[LogScale], phase: str) -> None:
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
        columns = _encoded(self._stft, self._scales, recent)
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


def _encoded(stft: Stft, scales: Sequence[LogScale], samples: Array) -> Array:
    return np.concatenate(
        [
            scale.encode(np.abs(stft.forward(own)).astype(np.float32))
            for scale, own in zip(scales, samples, strict=True)
        ]
    )
