"""Samples: a frame is one sample of each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.bounds import Bounds
from engine.representations.frames import check_frames, check_samples, empty_frame
from engine.representations.protocol import Array, State
from engine.representations.signals import Signal

__all__ = ["Samples", "SamplesDecoder"]


class Samples:
    """The representation; see the module docstring.

    Parameters
    ----------
    signal : with as many rows as channels. On a grid of more than one sample per frame it is sound
        at a lower rate, which a stage converts to the pack's.
    rate : samples per second of the pack.
    load : reads a file of the pack.

    Raises
    ------
    ConfigError
        The rows do not match, or the grid is one of beats or finer than the pack's samples.
    """

    has_notes = False

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        if not signal.grid.samples or signal.grid.samples < 1 or signal.rows != signal.channels:
            raise ConfigError(
                f"signal {signal.name!r}: samples have one row per channel and a grid of 1 sample "
                "or more"
            )
        self._grid = float(signal.grid.samples)
        self.rows = self.sampled_rows = signal.rows
        self.channels = signal.channels
        self._limit = signal.options["limit"]
        self.empty = empty_frame(signal, load)

    def encode(self, samples: Array) -> Array:
        """The samples [channels, n] at the rate of the signal."""
        check_samples(samples, self.channels)
        if self._grid == 1:
            return samples.astype(np.float32)
        import soxr

        return soxr.resample(samples.T, self._grid, 1.0).T.astype(np.float32)

    def decoder(self) -> SamplesDecoder:
        """A new decoder."""
        if self._grid != 1:
            raise ConfigError(
                "sound at a lower rate cannot be played; add a stage that converts it to the pack's"
            )
        return SamplesDecoder(self.channels, self._limit)

    def projection(self) -> Bounds:
        """A new projection."""
        return Bounds(self._limit)


class SamplesDecoder:
    """Passes samples on; it keeps no frames back and has no state.

    Parameters
    ----------
    channels : rows of a frame.
    limit : values are clipped to plus and minus this.
    """

    tail = 0

    def __init__(self, channels: int, limit: float) -> None:
        self._channels = channels
        self._bounds = Bounds(limit)
        self.clipped = 0

    def reset(self) -> None:
        """There is nothing to reset."""

    def prime(self, samples: Array, frames: int) -> tuple[Array, int]:
        """The last samples [channels, frames], after silence if there are fewer; no rewind."""
        check_samples(samples, self._channels)
        recent = np.zeros((self._channels, frames), np.float32)
        end = samples[:, max(0, samples.shape[1] - frames) :]
        recent[:, frames - end.shape[1] :] = end
        return recent, 0

    def push(self, frames: Array) -> Array:
        """The frames [channels, n] within the limit."""
        check_frames(frames, self._channels)
        clipped, _ = self._bounds.project(frames, frames.shape[1])
        self.clipped += int(np.count_nonzero(clipped != frames))
        return clipped

    def flush(self) -> Array:
        """No samples: nothing is kept back."""
        return np.zeros((self._channels, 0), np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """No arrays."""
        return {}

    def restore(self, state: State) -> None:
        """There is nothing to restore."""
