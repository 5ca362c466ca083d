"""The mixer's input: a source at the output's rate, and the crossfade to another source.

Everything here belongs to the processing thread, except `SourceSwitch.to`, which any thread may
call. Arrays: `ndarray [shape=(frames, channels)] float32` at the output's rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.audio.channels import to_channels
from engine.audio.fifo import FrameFifo
from engine.errors import ConfigError

__all__ = ["Intake", "Resampler", "Source", "SourceSwitch"]

Block: TypeAlias = NDArray[np.float32]
_MOST_PULLS = 1024  # for one period; a resampler for other rates needs more


class Source(Protocol):
    """A source of audio: it always has as many frames as requested, and never waits."""

    def pull(self, frames: int) -> Block:
        """The next frames: `[frames, channels_in]`."""
        ...


class Resampler(Protocol):
    """A stateful converter from the source's rate to the sink's."""

    def process(self, block: Block, /) -> Block:
        """Convert frames; returns those that are ready."""
        ...


class Intake:
    """A source at the output's rate, read period by period.

    Parameters
    ----------
    source : Source
    rate_in, rate_out : int
        Frames per second of the source and of the output.
    channels : int
        Of the source.
    period : int
        Frames of the output per call.
    resampler : Resampler, optional
        Needed when the rates differ.

    Raises
    ------
    ConfigError
        The rates differ and there is no resampler.
    """

    def __init__(
        self,
        source: Source,
        *,
        rate_in: int,
        rate_out: int,
        channels: int,
        period: int,
        resampler: Resampler | None = None,
    ) -> None:
        if rate_in != rate_out and resampler is None:
            raise ConfigError(f"{rate_in!r} Hz to {rate_out!r} Hz: pass a resampler")
        self.channels = channels
        self._source, self._resampler, self._period = source, resampler, period
        self._rate_in, self._rate_out = rate_in, rate_out
        self._pulled = self._returned = 0  # frames at the source's and at the output's rate
        self.most_waiting = 0.0  # of `waiting` so far: a resampler takes many frames at once
        # Rounded up: the rest stays in the FIFO.
        self._pull = -(-period * rate_in // rate_out)
        self._fifo = FrameFifo(channels)

    def next(self, on_error: Callable[[Exception], None]) -> Block:
        """The next period [period, channels]; silence if the source raises, after `on_error`.

        Raises
        ------
        ConfigError
            The resampler is for other rates.
        """
        for _ in range(_MOST_PULLS):
            if self._fifo.frames >= self._period:
                self._returned += self._period
                return self._fifo.take(self._period)
            block = self._pull_block(on_error)
            self._pulled += len(block)
            self.most_waiting = max(self.most_waiting, self.waiting)
            self._fifo.put(self._resampler.process(block) if self._resampler else block)
        raise ConfigError(
            f"the resampler returned fewer than {self._period} frames for "
            f"{_MOST_PULLS * self._pull}: it is for other rates"
        )

    @property
    def waiting(self) -> float:
        """Seconds of the source that are pulled and not yet in a period."""
        return self._pulled / self._rate_in - self._returned / self._rate_out

    def _pull_block(self, on_error: Callable[[Exception], None]) -> Block:
        shape = (self._pull, self.channels)
        try:
            block = self._source.pull(self._pull)
            if block.shape == shape:
                return block
            raise ValueError(f"the source returned shape {list(block.shape)}, not {list(shape)}")
        except Exception as error:  # silence, counted: the stream may recover
            on_error(error)
            return np.zeros(shape, np.float32)

    def clear(self) -> None:
        """Drop frames that are pulled but not yet returned."""
        self._returned += self._fifo.frames
        self._fifo.clear()


class SourceSwitch:
    """Plays one intake, and crossfades to another on request.

    The fade has equal power, because the two are not correlated.

    Parameters
    ----------
    intake : the first one.
    period : frames per call.
    """

    def __init__(self, intake: Intake, period: int) -> None:
        self._intake, self._period = intake, period
        self._next: tuple[Intake, int, Callable[[], None]] | None = None
        self._faded = 0

    def to(self, intake: Intake, frames: int, on_done: Callable[[], None]) -> None:
        """Any thread: fade to another intake within `frames`, then call `on_done`.

        `on_done` must not wait. Call this again only after it.
        """
        self._faded = 0
        self._next = (intake, max(frames, 1), on_done)

    def next(self, on_error: Callable[[Exception], None]) -> Block:
        """The next period [period, channels]; `on_error` is called if a source raises."""
        following = self._next
        block = self._intake.next(on_error)
        if following is None:
            return block
        intake, frames, _ = following
        other = intake.next(on_error)
        at = np.minimum(np.arange(self._faded, self._faded + self._period) / frames, 1.0)
        angle = (np.pi / 2 * at)[:, None]
        channels = max(self._intake.channels, intake.channels)
        block = to_channels(block, channels) * np.cos(angle) + to_channels(
            other, channels
        ) * np.sin(angle)
        self._faded += self._period
        if self._faded >= frames:
            self.finish()
        return block.astype(np.float32)

    def finish(self) -> None:
        """Change to the other intake at once, if a fade is in progress."""
        following = self._next
        if following is not None:
            self._intake, self._next = following[0], None
            following[2]()

    @property
    def waiting(self) -> float:
        """Seconds of the source that were pulled and are not yet in a period."""
        return self._intake.waiting

    @property
    def most_waiting(self) -> float:
        """The most of that so far."""
        return self._intake.most_waiting

    def clear(self) -> None:
        """Drop frames that are pulled but not yet returned, and finish a fade."""
        self.finish()
        self._intake.clear()
