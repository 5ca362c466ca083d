"""The short-time Fourier transform of the project: one convention for everything.

Conventions, for ``window`` W, ``hop`` H and ``overlap`` W - H, all in samples:

- periodic Hann taper ``w[i] = 0.5 - 0.5 cos(2 pi i / W)``; W is a multiple of H, at least 2 H;
- no centring: frame n covers samples ``n H .. n H + W``, and phase 0 is at its first sample;
- magnitudes are not scaled: a sine of amplitude A on a bin has magnitude ``A W / 4``;
- spectra are ``complex64 [bins, frames]`` with ``bins = W // 2 + 1``, samples ``float32 [n]``;
- the inverse is the least-squares one (Griffin & Lim 1984, eq. 6): overlap-add of ``w * frame``
  over the sum of ``w^2``, folded into one dual window because that sum repeats every hop.

One owner thread per object (objects reuse their buffers). The transform is single-threaded.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from engine.errors import ConfigError

__all__ = ["Stft"]

Float = NDArray[np.float32]
Complex = NDArray[np.complex64]

# Where only the first or last frame covers a sample, w^2 goes to 0; the divisor is at least this
# fraction of the steady sum (20 dB of gain), so that edges fade instead of amplifying errors.
_EDGE_SHARE = 0.1


class Stft:
    """Forward and inverse transform with preallocated frames.

    Parameters
    ----------
    window : int
        Samples per frame, even; 1024 is 64 ms at 16 kHz.
    hop : int
        Samples from one frame to the next; divides ``window``, at most half of it.

    Raises
    ------
    ConfigError
        The window and the hop do not match.
    """

    def __init__(self, window: int, hop: int) -> None:
        if hop < 1 or window % 2 or window % hop or window < 2 * hop:
            raise ConfigError(
                f"STFT window {window} with hop {hop}: the window must be even and a multiple "
                "of the hop, at least twice; choose for example 1024 and 256"
            )
        self.window = window
        self.hop = hop
        self.bins = window // 2 + 1
        self.overlap = window - hop
        self.ratio = window // hop
        phase = 2.0 * np.pi * np.arange(window) / window
        taper = 0.5 - 0.5 * np.cos(phase)
        power = taper**2
        steady = np.tile(power.reshape(self.ratio, hop).sum(axis=0), self.ratio)
        self.taper: Float = taper.astype(np.float32)
        self.dual: Float = (taper / steady).astype(np.float32)
        self.ceiling = float(taper.sum())  # no magnitude of samples within -1 .. 1 exceeds it
        # At an edge only the frames on one side are present: their fraction of the sum.
        shares = np.zeros(self.overlap)
        for k in range(1, self.ratio):
            shares[: window - k * hop] += power[k * hop :]
        shares /= steady[: self.overlap]
        self.tail_gain: Float = (1.0 / np.maximum(shares, _EDGE_SHARE)).astype(np.float32)
        head = 1.0 - shares
        self.head_gain: Float = (1.0 / np.maximum(head, _EDGE_SHARE)).astype(np.float32)
        self._frames: Float = np.zeros((0, window), np.float32)

    def frames_of(self, samples: int) -> int:
        """The number of whole frames in ``samples`` samples."""
        return max(0, (samples - self.window) // self.hop + 1)

    def samples_of(self, frames: int) -> int:
        """The number of samples that ``frames`` frames cover (0 for none)."""
        return (frames - 1) * self.hop + self.window if frames > 0 else 0

    def forward(self, samples: Float, pad: bool = False) -> Complex:
        """Transform ``samples``.

        Parameters
        ----------
        samples : ndarray [samples] float32
        pad : bool
            Add ``overlap`` zeros before and enough after, so that ``window / hop`` frames cover
            every sample (`inverse` with ``pad`` reverses it exactly).

        Returns
        -------
        ndarray [bins, frames] complex64
            Without ``pad`` a rest shorter than a hop at the end is ignored.
        """
        if pad:
            frames = -(-(samples.size + self.overlap) // self.hop)
            padded = np.zeros(self.samples_of(frames), np.float32)
            padded[self.overlap : self.overlap + samples.size] = samples
            samples = padded
        return np.ascontiguousarray(self.rows(samples).T)

    def inverse(self, spectrum: Complex, pad: bool = False, length: int | None = None) -> Float:
        """Synthesise by least squares.

        Parameters
        ----------
        spectrum : ndarray [bins, frames] complex64
        pad : bool
            The spectrum comes from `forward` with ``pad``: remove the added zeros.
        length : int, optional
            Cut (or fill with zeros) to this many samples.

        Returns
        -------
        ndarray [samples] float32
            Exact for a consistent spectrum where ``window / hop`` frames overlap; the first and
            last ``overlap`` samples are exact except for a short fade at the edge.
        """
        rows = np.ascontiguousarray(spectrum.T)
        out = np.zeros(self.samples_of(rows.shape[0]), np.float32)
        self.overlap_add(rows, out)
        self.normalise_edges(out, rows.shape[0])
        if pad:
            out = out[self.overlap : max(self.overlap, out.size - self.overlap)]
        if length is not None:
            cut = np.zeros(length, np.float32)
            cut[: min(length, out.size)] = out[:length]
            out = cut
        return out

    def rows(self, samples: Float) -> Complex:
        """Transform into frame-major rows: ndarray [frames, bins] complex64 (for inner loops)."""
        frames = self.frames_of(samples.size)
        buffer = self._workspace(frames)
        samples = np.ascontiguousarray(samples, np.float32)
        step = samples.itemsize
        view = as_strided(samples, (frames, self.window), (step * self.hop, step), writeable=False)
        np.multiply(view, self.taper, out=buffer)
        return np.asarray(scipy.fft.rfft(buffer, axis=-1, workers=1))

    def overlap_add(self, rows: Complex, out: Float) -> None:
        """Add the dual-windowed frames of ``rows`` [frames, bins] into ``out``, frame n at n hop.

        ``out`` [>= samples_of(frames)] is not cleared first; edges are not normalised.
        """
        frames = rows.shape[0]
        if frames == 0:
            return
        signal: Float = np.asarray(scipy.fft.irfft(rows, n=self.window, axis=-1, workers=1))
        signal *= self.dual
        parts = signal.reshape(frames, self.ratio, self.hop)
        for k in range(self.ratio):
            begin = k * self.hop
            out[begin : begin + frames * self.hop].reshape(frames, self.hop)[...] += parts[:, k]

    def normalise_edges(self, out: Float, frames: int) -> None:
        """Divide the first and last ``overlap`` samples by the sum of the windows there."""
        if frames >= self.ratio:
            out[: self.overlap] *= self.head_gain
            out[out.size - self.overlap :] *= self.tail_gain
            return
        share = np.zeros(out.size, np.float32)
        for n in range(frames):
            share[n * self.hop : n * self.hop + self.window] += self.taper * self.dual
        out /= np.maximum(share, _EDGE_SHARE)

    def _workspace(self, frames: int) -> Float:
        if self._frames.shape[0] < frames:
            self._frames = np.zeros((frames, self.window), np.float32)
        return self._frames[:frames]
