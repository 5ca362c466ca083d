"""The output ring: interleaved float32 frames for the sound device.

It owns one C ring (see `callback.c`). Only one thread, the mixer's, may call `write`; PortAudio's
thread reads through the C callback. Any thread may call `mute`, `flush`, `fill`, `space` and
`stats`. `read` and `close` may only be called while no stream uses the ring.

Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio import native
from engine.errors import ConfigError

__all__ = ["OutputRing", "RingStats"]


@dataclass(frozen=True, slots=True)
class RingStats:
    """The counters of the callback since the ring was created, and what to do about each.

    Attributes
    ----------
    underruns : int
        Times the ring ran empty during playback, each an audible faded gap. The mixer was late:
        raise the ring's target fill, or find what holds the interpreter lock.
    missing_frames : int
        Frames of silence in those gaps. Many frames in few underruns: the mixer stalled (check the
        source). Few frames in many underruns: it is slightly too slow (raise the target fill).
    idle_frames : int
        Frames of intended silence: before the first sound, while muted, after a flush.
    flushed_frames : int
        Frames dropped by `flush` (PANIC).
    callbacks : int
        Calls by PortAudio. If it stops growing while the stream is open, the device is lost.
    output_underflows : int
        Calls for which PortAudio reports that the device ran empty before the callback ran: the
        system, not the mixer, was late. Use a higher device latency or a larger block.
    frames_out : int
        Frames delivered to the device: the clock of the device.
    last_block : int
        Frames that the last call requested. `RingSink` keeps at least two of these in the ring.
    """

    underruns: int = 0
    missing_frames: int = 0
    idle_frames: int = 0
    flushed_frames: int = 0
    callbacks: int = 0
    output_underflows: int = 0
    frames_out: int = 0
    last_block: int = 0

    @property
    def frames_played(self) -> int:
        """Frames from the ring that the device has played."""
        return self.frames_out - self.idle_frames - self.missing_frames


class OutputRing:
    """One single-producer, single-consumer ring of interleaved frames with its C callback.

    Parameters
    ----------
    frames : int
        Least capacity, 1 to 16,777,216; rounded up to a power of two.
    channels : int
        1 to 64.
    fade_frames : int
        Length of every fade of the callback (240 is 5 ms at 48 kHz).
    resume_frames : int
        Frames that must be in the ring before playback starts, or resumes after an underrun.
    library : NativeLibrary, optional
        The compiled callback, by default the shipped one.

    Raises
    ------
    ConfigError
        A size is out of bounds.
    DeviceError
        There is no compiled callback for this machine.
    """

    def __init__(
        self,
        frames: int,
        channels: int,
        *,
        fade_frames: int = 240,
        resume_frames: int = 256,
        library: native.NativeLibrary | None = None,
    ) -> None:
        library = library or native.load()
        self._library = library
        self._lib: Any = library.lib
        self._ffi: Any = library.ffi
        self.channels, self.resume_frames = channels, resume_frames
        self._ring: Any = self._ffi.NULL
        if min(frames, channels, fade_frames, resume_frames) > 0:
            self._ring = self._lib.attacca_ring_create(frames, channels, fade_frames, resume_frames)
        if self._ring == self._ffi.NULL:
            raise ConfigError(
                f"cannot create a ring of {frames!r} frames of {channels!r} channels (fade "
                f"{fade_frames!r}, resume {resume_frames!r}); use 1 to 16777216 frames and 1 to 64 "
                "channels"
            )
        self.capacity = int(self._lib.attacca_ring_capacity(self._ring))

    def write(self, block: NDArray[np.float32]) -> int:
        """Write frames; mixer thread only.

        Parameters
        ----------
        block : ndarray [shape=(frames, channels)] float32

        Returns
        -------
        int
            Frames written: all, or as many as fit.

        Raises
        ------
        ConfigError
            The block has another shape or type than the ring.
        """
        if block.ndim != 2 or block.shape[1] != self.channels or block.dtype != np.float32:
            raise ConfigError(
                f"ring: a block of {block.dtype} {list(block.shape)} cannot be written; use "
                f"float32 [frames, {self.channels}]"
            )
        data = self._ffi.from_buffer("float[]", np.ascontiguousarray(block))
        return int(self._lib.attacca_ring_write(self._pointer, data, block.shape[0]))

    def read(self, frames: int) -> NDArray[np.float32]:
        """Remove and return up to `frames` frames, without fades or counting; for tests.

        Returns
        -------
        ndarray [shape=(0..frames, channels)] float32
        """
        out = np.empty((frames, self.channels), np.float32)
        data = self._ffi.from_buffer("float[]", out, require_writable=True)
        return out[: int(self._lib.attacca_ring_read(self._pointer, data, frames))]

    @property
    def fill(self) -> int:
        """Frames in the ring."""
        return int(self._lib.attacca_ring_fill(self._pointer))

    @property
    def space(self) -> int:
        """Frames that can be written now."""
        return int(self._lib.attacca_ring_space(self._pointer))

    def stats(self) -> RingStats:
        """The present counters; any thread."""
        # A new buffer per call: two threads may call this at once.
        out = self._ffi.new("attacca_stats *")
        self._lib.attacca_ring_stats(self._pointer, out)
        return RingStats(**{name: int(getattr(out, name)) for name in RingStats.__slots__})

    def take_min_fill(self) -> int:
        """Lowest fill during playback since the last call of this: the margin before an underrun.

        It is the capacity if nothing was played.
        """
        return int(self._lib.attacca_ring_take_min_fill(self._pointer))

    def mute(self, on: bool) -> None:
        """Fade to silence and pause the ring, or fade in and resume."""
        self._lib.attacca_ring_mute(self._pointer, int(on))

    def flush(self) -> None:
        """Fade out and drop everything written so far; later frames fade in."""
        self._lib.attacca_ring_flush(self._pointer)

    def rest(self, settle_frames: int = 0) -> None:
        """Prepare for a stream that is about to open, which fades in; with no stream open.

        Parameters
        ----------
        settle_frames : int
            Silence at the start: a device fills its own buffer in one burst, which would empty the
            ring.
        """
        self._lib.attacca_ring_rest(self._pointer, settle_frames)

    def callback(self) -> tuple[int, int]:
        """Addresses for PortAudio: the C function, and the ring as its user data.

        The ring must outlive the stream.
        """
        user = int(self._ffi.cast("uintptr_t", self._pointer))
        return self._library.callback_address(), user

    def close(self) -> None:
        """Free the ring; only after the stream is closed. Closing twice is harmless."""
        ring, self._ring = self._ring, self._ffi.NULL
        self._lib.attacca_ring_destroy(ring)

    @property
    def _pointer(self) -> Any:
        if self._ring == self._ffi.NULL:
            raise ConfigError("the output ring is closed; create a new one")
        return self._ring
