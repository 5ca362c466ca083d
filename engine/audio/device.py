"""One output device, opened by name and read from the output ring.

Any thread may call an `OutputDevice`; PortAudio's calls run in a separate thread with a time limit
(see `portaudio`). Audio does not pass through this class: PortAudio's audio thread calls the C
callback, which reads the ring.
"""

from __future__ import annotations

import math
from typing import Any

from engine.audio.portaudio import JACK, DeviceInfo, PortAudio, one_line
from engine.audio.priority import raised_priority
from engine.audio.ring import OutputRing
from engine.errors import DeviceError
from engine.time.clock import Clock, Event

__all__ = ["LOST", "STUCK", "OutputDevice"]

# Latency to request where PortAudio's "low" latency does not work: PulseAudio and PipeWire behind
# ALSA have occasional gaps at 9 to 11 ms and none at 50 ms; a JACK server sets its own.
_LATENCY_S = {"ALSA": 0.05, JACK: 0.0}
_SETTLE = 2.0  # times a device's latency: silence while it fills its buffer at the start
_LONGEST_SETTLE_S = 2.0  # if a driver reports a very long latency
# A device that reads nothing for this time, or for the time of this many of its blocks if that is
# longer, does not work.
_TIMEOUT_S = 1.0
_TIMEOUT_BLOCKS = 4
_START_S = 1.0  # added at the start: PulseAudio fills its buffer, then pauses for a second

LOST = "is disconnected"
STUCK = "has stopped playing"


class OutputDevice:
    """A stream to one output device, remembered by name.

    Parameters
    ----------
    portaudio : PortAudio
    name : str
        See `PortAudio.find`.
    ring : OutputRing
        Read by the C callback; must outlive this object.
    rate : int
        Frames per second.
    clock : Clock
    block : int
        Frames for each callback; 0 lets PortAudio choose.
    latency_s : float, optional
        Asked of the device, seconds; by default what its host API keeps reliably.

    Raises
    ------
    DeviceError
        See `PortAudio.find`; or the device does not take the rate or the channels.
    """

    def __init__(
        self,
        portaudio: PortAudio,
        name: str,
        ring: OutputRing,
        *,
        rate: int,
        clock: Clock,
        block: int = 0,
        latency_s: float | None = None,
    ) -> None:
        self.name = name
        self.rate = rate
        self._portaudio = portaudio
        self._ring = ring
        self._clock = clock
        self._block = block
        self._latency = latency_s
        self._stream: Any = None
        self._abandoned = False
        self._settle_s = 0.0
        self._started_at = 0.0
        self._requested = self._played = 0  # frames at the last look
        self._requested_at = self._played_at = 0.0
        try:
            self.info = portaudio.call(self._open, f"opening the sound device {name!r}")
        except BaseException:
            self._abandoned = True  # also if it opens later
            raise

    @property
    def latency_s(self) -> float:
        """Output latency in seconds that the stream reports; 0 without a stream."""
        stream = self._stream
        return float(stream.latency) if stream is not None else 0.0

    def start(self) -> None:
        """Start to play from the ring.

        Raises
        ------
        DeviceError
            The device does not start, is closed, or does not answer.
        """
        self._portaudio.call(self._start, f"starting the sound device {self.name!r}")

    def reopen(self, *endings: Event) -> None:
        """Look for devices again, find this one by its name, open and start it.

        `endings` end the wait early.

        Raises
        ------
        DeviceError
            The device is not back; try again later.
        """
        self._portaudio.call(self._reopen, f"opening the sound device {self.name!r}", *endings)

    def close(self) -> None:
        """Stop and close the stream in PortAudio's thread; closing twice is harmless.

        Mute the ring some milliseconds before, or it clicks.
        """
        self._portaudio.finish(self.close_here)

    def close_here(self) -> None:
        """`close` for PortAudio's thread."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

    def fault(self) -> str:
        """`LOST`, `STUCK`, or nothing; to be called a few times a second.

        Lost: the stream has ended, or requests nothing. Stuck: it requests frames, the ring has
        them, and still nothing leaves the ring.
        """
        stream = self._stream
        if stream is None or not stream.active:
            return LOST
        stats, now = self._ring.stats(), self._clock.now()
        if stats.frames_out > self._requested:
            self._requested, self._requested_at = stats.frames_out, now
        waits_for_mixer = self._ring.fill < max(stats.last_block, self._ring.resume_frames)
        if stats.frames_played > self._played or waits_for_mixer:
            self._played, self._played_at = max(self._played, stats.frames_played), now
        timeout = max(_TIMEOUT_S, _TIMEOUT_BLOCKS * stats.last_block / self.rate)
        if now - self._started_at < timeout + _START_S + self._settle_s:
            return ""
        if now - self._requested_at >= timeout:
            return LOST
        return STUCK if now - self._played_at >= timeout else ""

    # ------------------------------------------------------------------ PortAudio's thread

    def _start(self) -> None:
        if self._stream is None:
            raise DeviceError(f"the sound device {self.name!r} is closed; reopen it")
        stats = self._ring.stats()
        self._requested, self._played = stats.frames_out, stats.frames_played
        self._started_at = self._requested_at = self._played_at = self._clock.now()
        try:
            # PortAudio's audio thread inherits the priority of the thread that starts it.
            with raised_priority(10):
                self._stream.start()
        except self._portaudio.module.PortAudioError as error:
            raise DeviceError(
                f"the sound device {self.info.label!r} does not start: {one_line(error)}"
            ) from error

    def _reopen(self) -> None:
        self.close_here()
        self._portaudio.rescan()
        self.info = self._open()
        self._start()

    def _open(self) -> DeviceInfo:
        sd = self._portaudio.module
        info = self._portaudio.find(self.name)
        channels = self._ring.channels
        if channels > info.channels:
            raise DeviceError(
                f"the sound device {info.label!r} has {info.channels} output channels, not "
                f"{channels}; choose fewer channels or another device"
            )
        function, user = self._ring.callback()
        latency = self._latency
        if latency is None:
            latency = _LATENCY_S.get(info.host_api, info.latency_s)
        try:
            stream = sd._StreamBase(
                "output",
                samplerate=self.rate,
                blocksize=self._block,
                device=info.index,
                channels=channels,
                dtype="float32",
                latency=latency,
                callback=sd._ffi.cast("PaStreamCallback*", function),
                userdata=sd._ffi.cast("void*", user),
            )
        except (sd.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"the sound device {info.label!r} does not open at {self.rate} Hz with {channels} "
                f"channels ({one_line(error)}); its own rate is {info.default_rate} Hz"
            ) from error
        if self._abandoned:
            stream.close()
            raise DeviceError(f"the sound device {info.label!r} opened too late")
        latency = float(stream.latency)
        settle = _SETTLE * latency if math.isfinite(latency) else 0.0
        self._settle_s = min(max(settle, 0.0), _LONGEST_SETTLE_S)
        self._ring.rest(round(self._settle_s * self.rate))
        self._stream = stream
        return info
