"""Log mel spectra, for vocoders and upsamplers.

A frame is a column of normalised logarithms of mel bands for each channel. A network stage, the
vocoder, turns it into sound. With the option `phase` a signal can be decoded without a vocoder: the
pseudo-inverse of the filter bank spreads the bands over the bins, and a phase is reconstructed.
That blurs partials within a band, but it is enough to test a model before it has a vocoder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.bounds import Bounds
from engine.representations.frames import check_samples, empty_frame, whole_hop
from engine.representations.log_scale import LogScale
from engine.representations.magnitude_decoder import MagnitudeDecoder, encode_magnitudes
from engine.representations.protocol import Array
from engine.representations.signals import Signal
from engine.representations.stft import Stft

__all__ = ["Mel", "filter_bank"]

_STEP = np.log(6.4) / 27.0  # of Slaney's scale above 1 kHz


def filter_bank(
    rate: int, window: int, bands: int, low: float, high: float, *, scale: str, norm: str
) -> Array:
    """Triangles that overlap by half, evenly spaced in mel.

    Parameters
    ----------
    rate : samples per second.
    window : samples of the transform.
    bands : how many.
    low, high : Hz, the outer edges of the first and the last band.
    scale : "slaney" (linear below 1 kHz, as in Slaney's Auditory Toolbox and librosa's default) or
        "htk" (2595 log10(1 + f / 700)).
    norm : "slaney" (each band has the same area) or "none" (each peak is 1).

    Returns
    -------
    ndarray [shape=(bands, window // 2 + 1)]

    Raises
    ------
    ConfigError
        The edges are not a range within 0 .. rate / 2, or a band lies between two bins.
    """
    if not 0.0 <= low < high <= rate / 2:
        raise ConfigError(
            f"mel bands from {low:g} to {high:g} Hz: choose a range within 0 to {rate / 2:g}"
        )
    edges = _hertz(np.linspace(_mels(low, scale), _mels(high, scale), bands + 2), scale)
    bins = np.arange(window // 2 + 1) * rate / window
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(0.0, np.minimum(rise, fall))
    empty = np.flatnonzero(bank.max(axis=1) == 0.0)
    if empty.size:
        raise ConfigError(
            f"mel band {empty[0]} of {bands} is narrower than a bin of {rate / window:.1f} Hz; "
            "choose fewer bands or a longer window"
        )
    if norm == "slaney":
        bank *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return bank.astype(np.float32)


def _mels(hertz: float, scale: str) -> float:
    if scale == "htk":
        return float(2595.0 * np.log10(1.0 + hertz / 700.0))
    linear = hertz / (200.0 / 3.0)
    return float(linear if hertz < 1000.0 else 15.0 + np.log(hertz / 1000.0) / _STEP)


def _hertz(mels: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    return np.where(
        mels < 15.0, mels * (200.0 / 3.0), 1000.0 * np.exp((np.maximum(mels, 15.0) - 15.0) * _STEP)
    )


class MelScale:
    """Converts between magnitudes [window // 2 + 1, frames] and log mel bands [bands, frames].

    Parameters
    ----------
    bank : see `filter_bank`.
    power : 1 for bands of magnitudes, 2 for bands of their squares.
    log : of the bands.
    """

    def __init__(self, bank: Array, power: int, log: LogScale) -> None:
        self._bank, self._power, self._log = bank, power, log
        self._back = np.linalg.pinv(bank.astype(np.float64)).astype(np.float32)
        self.bins = len(bank)

    def encode(self, magnitude: Array) -> Array:
        """Bands of magnitudes."""
        return self._log.encode(self._bank @ (magnitude**self._power))

    def decode(self, x: Array) -> tuple[Array, int]:
        """Magnitudes with approximately these bands, and how many values were clipped."""
        bands, clipped = self._log.decode(x)
        spread = np.maximum(self._back @ bands, np.float32(0.0))
        return (np.sqrt(spread) if self._power == 2 else spread), clipped


class Mel:
    """The representation; see the module docstring.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : samples per second of the pack.
    load : reads a file of the pack.

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
        self._phase, self._limit = o["phase"], o["limit"]
        bands = signal.rows // signal.channels
        bank = filter_bank(
            rate, o["window"], bands, o["low"], o["high"] or rate / 2,
            scale=o["mel_scale"], norm=o["norm"],
        )  # fmt: skip
        mean = np.asarray(load(o["mean"]), np.float32) if o["mean"] else np.float32(0.0)
        ceiling = float(bank.sum(axis=1).max()) * self.stft.ceiling ** o["power"]
        log = LogScale(
            bands, ceiling, bands, o["floor"], mean, o["scale"], clamp=o["floor_rule"] == "clamp"
        )
        self._scales = [MelScale(bank, o["power"], log)] * signal.channels
        self.empty = empty_frame(signal, load)

    def encode(self, samples: Array) -> Array:
        """Whole frames of samples [channels, n]; nothing is padded."""
        check_samples(samples, self.channels)
        return encode_magnitudes(self.stft, self._scales, samples)

    def decoder(self) -> MagnitudeDecoder:
        """A new decoder.

        Raises
        ------
        ConfigError
            The option `phase` is missing: a network stage turns the bands into sound.
        """
        if not self._phase:
            raise ConfigError(
                "mel bands need a vocoder stage; add one, or choose a 'phase' to decode them "
                "without one"
            )
        return MagnitudeDecoder(self.stft, self._scales, self._phase)

    def projection(self) -> Bounds:
        """A new projection."""
        return Bounds(self._limit)
