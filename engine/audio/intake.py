"""What the mixer plays: a source brought to the output's rate, and the change from one to another.

Everything here belongs to the thread that processes, but for `Switch.to`, which any thread may
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

__all__ = ["Intake", "Resampler", "Source", "Switch"]

Block: TypeAlias = NDArray[np.float32]
_TRIES = 1024  # pulls for one period; more, and the resampler is made for other rates


class Source(Protocol):
    """Where audio comes from: it always has as many frames as asked, and never waits."""

    def pull(self, frames: int) -> Block:
        """The next frames: `[frames, channels_in]`."""
        ...


class Resampler(Protocol):
    """A stateful converter from the source's rate to the sink's."""

    def process(self, block: Block, /) -> Block:
        """Take frames at the one rate, give those that are ready at the other."""
        ...


class Intake:
    """A source, one period at a time, at the output's rate.

    Parameters
    ----------
    source : Source
    rate_in, rate_out : int
        Frames per second of the source and of the output.
    channels : int
        Of the source.
    period : int
        Frames of the output made at once.
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
            raise ConfigError(f"from {rate_in!r} Hz to {rate_out!r} Hz needs a resampler")
        self.channels = channels
        self._source, self._resampler, self._period = source, resampler, period
        self._rate_in, self._rate_out = rate_in, rate_out
        self._pulled = self._made = 0  # frames at the source's and at the output's rate
        self.most_waiting = 0.0  # of `waiting` so far: a resampler takes many frames at once
        # Rounded up: the FIFO carries the rest over.
        self._pull = -(-period * rate_in // rate_out)
        self._fifo = FrameFifo(channels)

    def next(self, failed: Callable[[Exception], None]) -> Block:
        """The next period [period, channels]; silence where the source raises, which is told.

        Raises
        ------
        ConfigError
            The resampler is made for other rates.
        """
        for _ in range(_TRIES):
            if self._fifo.frames >= self._period:
                self._made += self._period
                return self._fifo.take(self._period)
            block = self._from_source(failed)
            self._pulled += len(block)
            self.most_waiting = max(self.most_waiting, self.waiting)
            self._fifo.put(self._resampler.process(block) if self._resampler else block)
        raise ConfigError(
            f"the resampler gave fewer than {self._period} frames for {_TRIES * self._pull}: it is "
            "made for other rates"
        )

    @property
    def waiting(self) -> float:
        """Seconds of the source that were pulled and are not yet in a period."""
        return self._pulled / self._rate_in - self._made / self._rate_out

    def _from_source(self, failed: Callable[[Exception], None]) -> Block:
        want = (self._pull, self.channels)
        try:
            block = self._source.pull(self._pull)
            if block.shape == want:
                return block
            raise ValueError(f"the source gave {list(block.shape)} for {list(want)}")
        except Exception as error:  # silence, counted: the stream may recover
            failed(error)
            return np.zeros(want, np.float32)

    def clear(self) -> None:
        """Forget what is pulled and not yet played."""
        self._made += self._fifo.frames
        self._fifo.clear()


class Switch:
    """Plays one intake, and fades from it to another when asked to.

    The fade has equal power, as the two are not alike.

    Parameters
    ----------
    intake : to begin with.
    period : frames made at once.
    """

    def __init__(self, intake: Intake, period: int) -> None:
        self._intake, self._period = intake, period
        self._next: tuple[Intake, int, Callable[[], None]] | None = None
        self._faded = 0

    def to(self, intake: Intake, frames: int, done: Callable[[], None]) -> None:
        """Any thread: fade to another within so many frames, then call `done`, which must not wait.

        To be called again only when `done` was.
        """
        self._faded = 0
        self._next = (intake, max(frames, 1), done)

    def next(self, failed: Callable[[Exception], None]) -> Block:
        """The next period [period, channels]; `failed` is told of a source that raises."""
        coming = self._next
        block = self._intake.next(failed)
        if coming is None:
            return block
        intake, frames, _ = coming
        other = intake.next(failed)
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
        """Be at the other intake now, if a fade is under way: nothing is heard at the moment."""
        coming = self._next
        if coming is not None:
            self._intake, self._next = coming[0], None
            coming[2]()

    @property
    def waiting(self) -> float:
        """Seconds of the source that were pulled and are not yet in a period."""
        return self._intake.waiting

    @property
    def most_waiting(self) -> float:
        """The most of that so far."""
        return self._intake.most_waiting

    def clear(self) -> None:
        """Forget what is pulled and not yet played; a fade under way is over."""
        self.finish()
        self._intake.clear()
