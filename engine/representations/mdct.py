"""The modified discrete cosine transform with companding: critically sampled, without phases.

A frame is a column of `hop` coefficients for each channel (or only the lowest of them), over a
window of two hops. Windows that satisfy Princen and Bradley's condition (1986) cancel the aliasing
of neighbouring frames, so that overlap-add returns the samples exactly. Coefficients span many
orders of magnitude, which a diffusion model cannot fit; therefore they are companded:

    x = sign(c) (|c| / scale)^exponent

The transform is orthonormal: a frame has the energy of its windowed samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.bounds import Bounds
from engine.representations.frames import check_frames, check_samples, empty_frame, whole_hop
from engine.representations.protocol import Array, State
from engine.representations.signals import Signal
from engine.representations.state import array_of

__all__ = ["Mdct", "MdctDecoder", "forward", "inverse", "make_window"]


def make_window(kind: str, hop: int, alpha: float) -> Array:
    """A window of 2 hops whose squares and those of its second half add up to 1.

    Parameters
    ----------
    kind : "sine", "vorbis" (sin(pi / 2 sin^2)), or "kbd" (Kaiser-Bessel-derived).
    hop : samples.
    alpha : of "kbd": larger for more distant suppression, 4 in AAC.
    """
    at = (np.arange(2 * hop) + 0.5) / (2 * hop)
    if kind == "sine":
        window = np.sin(np.pi * at)
    elif kind == "vorbis":
        window = np.sin(np.pi / 2 * np.sin(np.pi * at) ** 2)
    else:
        sums = np.cumsum(np.kaiser(hop + 1, np.pi * alpha))
        half = np.sqrt(sums[:hop] / sums[-1])
        window = np.concatenate([half, half[::-1]])
    return window.astype(np.float32)


def forward(samples: Array, window: Array) -> Array:
    """Coefficients [channels, hop, frames] of samples [channels, n]: whole windows only."""
    hop = window.size // 2
    half = hop // 2
    frames = max(0, samples.shape[1] // hop - 1)
    if frames == 0:
        return np.zeros((len(samples), hop, 0), np.float32)
    parts = sliding_window_view(samples, 2 * hop, axis=1)[:, ::hop][:, :frames] * window
    a, b, c, d = (parts[..., i * half : (i + 1) * half] for i in range(4))
    folded = np.concatenate([-c[..., ::-1] - d, a - b[..., ::-1]], axis=-1)
    found: Array = np.asarray(scipy.fft.dct(folded, type=4, norm="ortho", axis=-1, workers=1))
    return np.ascontiguousarray(np.moveaxis(found, 2, 1), np.float32)


def inverse(coefficients: Array, window: Array) -> Array:
    """Windowed frames [channels, frames, 2 hop] of coefficients [channels, hop, frames]."""
    half = window.size // 4
    rows = np.ascontiguousarray(np.moveaxis(coefficients, 1, 2), np.float32)
    folded: Array = np.asarray(scipy.fft.dct(rows, type=4, norm="ortho", axis=-1, workers=1))
    p, q = folded[..., :half], folded[..., half:]
    return np.concatenate([q, -q[..., ::-1], -p[..., ::-1], -p], axis=-1) * window


class Mdct:
    """The representation; see the module docstring.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : samples per second of the pack.
    load : reads a file of the pack: the scale of each coefficient, float32 [rows of a channel].

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
        hop = whole_hop(signal)
        kept = signal.rows // signal.channels
        if hop % 2 or kept > hop:
            raise ConfigError(
                f"signal {signal.name!r}: {kept} rows per channel and {hop} samples per frame; use "
                "an even hop and at most as many rows"
            )
        scale = np.asarray(load(o["scales"]) if o["scales"] else o["scale"], np.float32)
        if scale.size not in (1, kept) or not (np.isfinite(scale) & (scale > 0)).all():
            raise ConfigError(
                f"signal {signal.name!r}: scales of shape {scale.shape}; use {kept} numbers over 0"
            )
        window = make_window(o["taper"], hop, o["alpha"])
        self._companding = Companding(window, kept, scale.reshape(-1, 1), o["exponent"])
        self._limit = o["limit"]
        self.empty = empty_frame(signal, load)

    def encode(self, samples: Array) -> Array:
        """Whole frames of samples [channels, n]; nothing is padded."""
        check_samples(samples, self.channels)
        return self._companding.encode(samples)

    def decoder(self) -> MdctDecoder:
        """A new decoder."""
        return MdctDecoder(self._companding, self.channels)

    def projection(self) -> Bounds:
        """A new projection."""
        return Bounds(self._limit)


class Companding:
    """Converts between samples and companded coefficients.

    Parameters
    ----------
    window : of two hops.
    kept : rows of a channel.
    scale : [1 or kept, 1].
    exponent : over 0, at most 1; 1 leaves coefficients linear.
    """

    def __init__(self, window: Array, kept: int, scale: Array, exponent: float) -> None:
        self.window, self.kept, self.hop = window, kept, window.size // 2
        self._scale, self._exponent = scale, np.float32(exponent)
        # No coefficient of samples within -1 .. 1 exceeds it.
        self._ceiling = float(np.sqrt(2.0 / self.hop) * window.sum(dtype=np.float64))

    def encode(self, samples: Array) -> Array:
        """Frames [channels * kept, n] of samples [channels, n]."""
        found = forward(samples, self.window)[:, : self.kept] / self._scale
        x = np.sign(found) * np.abs(found) ** self._exponent
        return x.reshape(len(samples) * self.kept, x.shape[2]).astype(np.float32)

    def decode(self, frames: Array, channels: int) -> tuple[Array, int]:
        """Windowed frames [channels, n, 2 hop], and how many values were clipped."""
        x = frames.reshape(channels, self.kept, frames.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.sign(x) * np.abs(x) ** (np.float32(1.0) / self._exponent) * self._scale
        clipped = int(np.count_nonzero(~(np.abs(found) <= self._ceiling)))
        if clipped:
            found = np.nan_to_num(found, nan=0.0, posinf=self._ceiling, neginf=-self._ceiling)
            np.clip(found, -self._ceiling, self._ceiling, out=found)
        full = np.zeros((channels, self.hop, frames.shape[1]), np.float32)
        full[:, : self.kept] = found
        return inverse(full, self.window), clipped


class MdctDecoder:
    """Overlap-add: every frame completes one hop of samples, so no frames are kept back.

    After silence the first hop fades in, with the aliasing that a previous frame would cancel.

    Parameters
    ----------
    companding : shared by decoders; it has no state.
    channels : 1 or more.
    """

    tail = 0

    def __init__(self, companding: Companding, channels: int) -> None:
        self._companding, self._channels = companding, channels
        self.clipped = 0
        self.reset()

    def reset(self) -> None:
        """Start a new stream, after silence."""
        self._rest = np.zeros((self._channels, self._companding.hop), np.float32)

    def prime(self, samples: Array, frames: int) -> tuple[Array, int]:
        """Continue from real sound; see `Decoder.prime`. The rewind is one hop."""
        check_samples(samples, self._channels)
        hop = self._companding.hop
        need = (max(frames, 1) + 1) * hop
        recent = np.zeros((self._channels, need), np.float32)
        end = samples[:, -need:]
        recent[:, need - end.shape[1] :] = end
        columns = self._companding.encode(recent)
        last, _ = self._companding.decode(columns[:, -1:], self._channels)
        self._rest = last[:, 0, hop:].copy()
        return columns[:, columns.shape[1] - frames :], hop

    def push(self, frames: Array) -> Array:
        """Add frames [rows, n]; returns n hops of samples for each channel."""
        check_frames(frames, self._channels * self._companding.kept)
        hop = self._companding.hop
        parts, clipped = self._companding.decode(frames, self._channels)
        self.clipped += clipped
        if not frames.shape[1]:
            return np.zeros((self._channels, 0), np.float32)
        before = np.concatenate([self._rest[:, None], parts[:, :-1, hop:]], axis=1)
        self._rest = parts[:, -1, hop:].copy()
        return (before + parts[..., :hop]).reshape(self._channels, -1)

    def flush(self) -> Array:
        """The last hop, which fades out; then start a new stream."""
        out = self._rest
        self.reset()
        return out

    def state(self) -> dict[str, NDArray[Any]]:
        """The part of the last frame that belongs to the next hop."""
        return {"rest": self._rest.copy()}

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit."""
        self._rest = array_of(state, "rest", self._rest.shape, "f4")
