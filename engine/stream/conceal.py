"""Concealment when the lead is gone: the last sound is held and decays like a pedalled chord.

Owned by the thread that pulls from the lead. Samples are float32 [frames, channels].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_OFFSET_SECONDS = 0.002  # time constant with which a remaining step at the join decays


class Concealer:
    """Continues the last samples without a step, by a phase vocoder that holds one spectrum.

    Two spectra one hop apart give the phase advance of every bin. Frames with the last magnitudes
    and advancing phases are overlapped and added (Flanagan and Golden 1966), and decay.

    Parameters
    ----------
    rate : samples per second.
    channels : of the stream.
    window : samples of a spectrum.
    decay_db : per second.
    """

    def __init__(
        self, rate: int, channels: int, window: int = 2048, decay_db: float = 18.0
    ) -> None:
        self._rate, self._window, self._hop = rate, window, window // 4
        self._hann = np.hanning(window + 1)[:-1].astype(np.float32)[:, None]
        self._norm = np.float32(1 / 1.5)  # sum of squared Hann windows at a quarter hop
        self._fall = np.float32(10 ** (-decay_db * self._hop / rate / 20))
        self._history = np.zeros((window + self._hop, channels), np.float32)
        self._pending = np.zeros((0, channels), np.float32)
        self._active = False

    @property
    def active(self) -> bool:
        """Whether the last samples were concealment."""
        return self._active

    def remember(self, block: Array) -> None:
        """Remember audio as it is played."""
        self._active = False
        n = len(self._history)
        if len(block) >= n:
            self._history[:] = block[-n:]
        elif len(block):
            self._history[: n - len(block)] = self._history[len(block) :]
            self._history[n - len(block) :] = block

    def forget(self) -> None:
        """Hold silence until there is audio again."""
        self._history[:] = 0
        self._active = False

    def generate(self, frames: int) -> Array:
        """The next `frames` of held sound."""
        if not self._active:
            self._begin()
        while len(self._pending) < frames:
            self._pending = np.concatenate([self._pending, self._next_hop()])
        out, self._pending = self._pending[:frames], self._pending[frames:]
        return out

    def _begin(self) -> None:
        before = np.fft.rfft(self._history[: self._window] * self._hann, axis=0)
        now = np.fft.rfft(self._history[self._hop :] * self._hann, axis=0)
        self._magnitude = np.abs(now)
        self._phase = np.angle(now)
        self._advance = self._phase - np.angle(before)
        self._active = True
        # Frames that start before the join reach over it: compute them as if they had been played.
        self._overlap = self._tail_at_join()
        step = self._history[-1] - self._joined_first()
        n = int(_OFFSET_SECONDS * self._rate * 4)
        fade = np.exp(-np.arange(n) / (_OFFSET_SECONDS * self._rate)).astype(np.float32)[:, None]
        self._pending = np.zeros((0, self._history.shape[1]), np.float32)
        while len(self._pending) < n:
            self._pending = np.concatenate([self._pending, self._next_hop()])
        self._pending[:n] += step * fade

    def _frame(self, number: int) -> Array:
        phase = self._phase + number * self._advance
        spectrum = self._magnitude * np.exp(1j * phase)
        frame = np.fft.irfft(spectrum, self._window, axis=0) * self._hann
        return frame.astype(np.float32)

    def _tail_at_join(self) -> Array:
        """Sum, past the join, of the held frames that start at or before it."""
        tail = np.zeros((self._window, self._history.shape[1]), np.float32)
        self._number = 0
        for number in range(0, self._window // self._hop):
            frame = self._frame(number)
            start = self._window - number * self._hop  # sample of the frame at the join
            tail[: self._window - start] += frame[start:] * self._norm
            self._number = number
        return tail

    def _joined_first(self) -> Array:
        """The first sample past the join, before the step is removed."""
        return self._overlap[0] + self._frame(self._number + 1)[0] * self._norm

    def _next_hop(self) -> Array:
        self._number += 1
        self._magnitude = self._magnitude * self._fall
        self._overlap += self._frame(self._number) * self._norm
        out = self._overlap[: self._hop].copy()
        self._overlap[: -self._hop] = self._overlap[self._hop :]
        self._overlap[-self._hop :] = 0
        return out
