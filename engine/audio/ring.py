"""The output ring: interleaved float32 frames on their way to the sound card.

Owner of one C ring (see `callback.c`). Exactly one thread may call `write` (the mixer thread);
PortAudio's thread reads through the C callback. `mute`, `flush`, `fill`, `space` and `stats` may be
called from any thread. `read` and `close` need that no stream is using the ring.

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
    """What the callback has counted since the ring exists, and what to do about each.

    Attributes
    ----------
    underruns : int
        Times the ring ran dry while playing (each one a faded gap that was heard). The mixer was
        late: raise the ring's target fill, or find what holds the interpreter lock.
    missing_frames : int
        Frames of gap those underruns made. Large beside few underruns: the mixer stood still
        (look at the source); small beside many: it is only just too slow (raise the target fill).
    idle_frames : int
        Frames of silence sent on purpose: before the first sound, while muted, after a flush.
        Nothing to do.
    flushed_frames : int
        Frames dropped by `flush` (PANIC). Nothing to do.
    callbacks : int
        Calls by PortAudio. Standing still while the stream is open: the device is gone.
    output_underflows : int
        Calls in which PortAudio said that the device ran dry before the callback was called: the
        machine, not the mixer, was late. Ask for a higher device latency or a larger block.
    frames_out : int
        Frames given to the device: the device's own clock.
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
        """Frames out of the ring that the device has taken."""
        return self.frames_out - self.idle_frames - self.missing_frames


class OutputRing:
    """One single-producer, single-consumer ring of interleaved frames with its C callback.

    Parameters
    ----------
    frames : int
        Least capacity, 1 to 16,777,216; the next power of two is taken.
    channels : int
        1 to 64.
    fade_frames : int
        Length of every fade the callback makes (240 is 5 ms at 48 kHz).
    resume_frames : int
        Frames that must have gathered before play starts, or goes on after an underrun.
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
                f"no ring of {frames!r} frames of {channels!r} channels (fade {fade_frames!r}, "
                f"resume {resume_frames!r}): take 1 to 16777216 frames and 1 to 64 channels"
            )
        self.capacity = int(self._lib.attacca_ring_capacity(self._ring))

    def write(self, block: NDArray[np.float32]) -> int:
        """Put frames in; mixer thread only.

        Parameters
        ----------
        block : ndarray [shape=(frames, channels)] float32

        Returns
        -------
        int
            Frames written: all, or as many as there was room for.

        Raises
        ------
        ConfigError
            The block has another shape or type than the ring.
        """
        if block.ndim != 2 or block.shape[1] != self.channels or block.dtype != np.float32:
            raise ConfigError(
                f"the ring takes float32 [frames, {self.channels}], not {block.dtype} "
                f"{list(block.shape)}"
            )
        data = self._ffi.from_buffer("float[]", np.ascontiguousarray(block))
        return int(self._lib.attacca_ring_write(self._pointer, data, block.shape[0]))

    def read(self, frames: int) -> NDArray[np.float32]:
        """Take up to `frames` frames out, unfaded and uncounted; offline and tests only.

        Returns
        -------
        ndarray [shape=(0..frames, channels)] float32
        """
        out = np.empty((frames, self.channels), np.float32)
        data = self._ffi.from_buffer("float[]", out, require_writable=True)
        return out[: int(self._lib.attacca_ring_read(self._pointer, data, frames))]

    @property
    def fill(self) -> int:
        """Frames waiting to be heard."""
        return int(self._lib.attacca_ring_fill(self._pointer))

    @property
    def space(self) -> int:
        """Frames that `write` would take now."""
        return int(self._lib.attacca_ring_space(self._pointer))

    def stats(self) -> RingStats:
        """Counters as of now; any thread."""
        # A scratch of its own for each call: two threads may ask at once.
        out = self._ffi.new("attacca_stats *")
        self._lib.attacca_ring_stats(self._pointer, out)
        return RingStats(**{name: int(getattr(out, name)) for name in RingStats.__slots__})

    def take_min_fill(self) -> int:
        """Lowest fill that a callback has met while playing since the last call of this.

        The margin that was left: at 0 an underrun was next. The capacity when nothing was played.
        """
        return int(self._lib.attacca_ring_take_min_fill(self._pointer))

    def mute(self, on: bool) -> None:
        """Close or open the gate: fade to silence and hold the ring, or fade in and go on."""
        self._lib.attacca_ring_mute(self._pointer, int(on))

    def flush(self) -> None:
        """Fade out and drop everything written so far; what is written later fades in."""
        self._lib.attacca_ring_flush(self._pointer)

    def rest(self, settle_frames: int = 0) -> None:
        """Be ready for a stream about to open, which will fade in; with no stream open.

        Parameters
        ----------
        settle_frames : int
            Silence given first: a device fills its own buffer in one burst at the start, which
            would run the ring dry.
        """
        self._lib.attacca_ring_rest(self._pointer, settle_frames)

    def callback(self) -> tuple[int, int]:
        """Addresses for PortAudio: the C function, and the ring as its user data.

        The ring must outlive the stream that gets them.
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
            raise ConfigError("the output ring is closed; make a new one")
        return self._ring
