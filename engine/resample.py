"""Sample rate conversion: of a whole signal, and of a stream.

Both use soxr (linear phase, time-aligned: output sample k is at input time k * from / to).
Samples float32 [samples] or [samples, channels] for `resample`, [frames, channels] for the stream
(interleaved; here a frame is one sample of every channel). One owner thread per stream: the
mixer's.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.errors import ConfigError

__all__ = ["StreamResampler", "resample"]

Float = NDArray[np.float32]

_PROBE_CHUNK = 256
_PROBE_CHUNKS = 200


def resample(x: Float, from_rate: float, to_rate: float, quality: str = "HQ") -> Float:
    """Convert a whole signal.

    Parameters
    ----------
    x : ndarray [samples] or [samples, channels] float32
    from_rate, to_rate : float
        Hz, over 0.
    quality : str
        ``QQ LQ MQ HQ VHQ``.

    Returns
    -------
    ndarray float32
        ``samples * to / from`` samples; a copy when the rates match.
    """
    _check(from_rate, to_rate)
    x = np.ascontiguousarray(x, np.float32)
    if from_rate == to_rate:
        return x.copy()
    return soxr.resample(x, from_rate, to_rate, quality=quality)


class StreamResampler:
    """Converts a stream chunk by chunk; equal rates give a copy.

    Parameters
    ----------
    from_rate, to_rate : float
        Hz, over 0.
    channels : int
    quality : str
        ``QQ LQ MQ HQ VHQ``.

    Attributes
    ----------
    latency_samples : int
        The most output samples that soxr held back in a test with chunks of 256; the lead must
        cover them. soxr works in batches, so the number varies; `pending` is the present one.

    Raises
    ------
    ConfigError
        A rate or the number of channels is not over 0.
    """

    def __init__(
        self, from_rate: float, to_rate: float, channels: int = 1, quality: str = "HQ"
    ) -> None:
        _check(from_rate, to_rate)
        if channels < 1:
            raise ConfigError(f"resampler with {channels} channels: use 1 or more")
        self.from_rate = from_rate
        self.to_rate = to_rate
        self.channels = channels
        self.latency_samples = 0
        self._stream: soxr.ResampleStream | None = None
        if from_rate != to_rate:
            self._stream = soxr.ResampleStream(
                from_rate, to_rate, channels, dtype="float32", quality=quality
            )
            self.latency_samples = self._probe(self._stream)

    @property
    def pending(self) -> float:
        """Output samples that are held back now."""
        return self._stream.delay() if self._stream is not None else 0.0

    def push(self, x: Float) -> Float:
        """Convert ``x`` [frames, channels]; returns the samples that are ready [n, channels]."""
        x = np.ascontiguousarray(x, np.float32)
        if x.ndim != 2 or x.shape[1] != self.channels:
            raise ConfigError(f"resampler input of shape {x.shape}: use (frames, {self.channels})")
        if self._stream is None:
            return x.copy()
        return self._stream.resample_chunk(x)

    process = push  # as the mixer calls it

    def flush(self) -> Float:
        """Return all samples held back [n, channels]; the next push starts a new signal."""
        nothing = np.zeros((0, self.channels), np.float32)
        if self._stream is None:
            return nothing
        out = self._stream.resample_chunk(nothing, last=True)
        self._stream.clear()
        return out

    def _probe(self, stream: soxr.ResampleStream) -> int:
        silence = np.zeros((_PROBE_CHUNK, self.channels), np.float32)
        worst = 0.0
        for _ in range(_PROBE_CHUNKS):
            stream.resample_chunk(silence)
            worst = max(worst, stream.delay())
        stream.clear()
        return int(np.ceil(worst))


def _check(from_rate: float, to_rate: float) -> None:
    for rate in (from_rate, to_rate):
        if not rate > 0.0:
            raise ConfigError(f"sample rate {rate} Hz: use a rate over 0, for example 48000")
