"""One output device, opened by name and read from the output ring.

Any thread may call an `OutputDevice`; PortAudio's calls run in PortAudio's own thread with a time
limit (see `portaudio`). Sound never passes through here: PortAudio's audio thread calls the C
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

__all__ = ["GONE", "STUCK", "OutputDevice"]

# Latency requested of PortAudio where its own "low" is of no use: PulseAudio and PipeWire behind
# ALSA make gaps now and then at 9 to 11 ms and none at 50 ms; JACK's is the server's own affair.
_LATENCY_S = {"ALSA": 0.05, JACK: 0.0}
_SETTLE = 2.0  # of a device's latency: silence while it fills its buffer at the start
_LONGEST_SETTLE_S = 2.0  # whatever latency a driver reports
# A device that takes nothing for so long does not work, nor one that takes nothing for the time of
# so many of its blocks, if that is longer.
_PATIENCE_S = 1.0
_PATIENCE_BLOCKS = 4
_START_S = 1.0  # more at the start: PulseAudio fills its buffer, then stands still for a second

GONE = "is gone"
STUCK = "has stopped taking sound"


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
        self._requested = self._taken = 0  # frames, as far as seen
        self._requested_at = self._taken_at = 0.0
        try:
            self.info = portaudio.call(self._open, f"opening the sound device {name!r}")
        except BaseException:
            self._abandoned = True  # also where it opens after all
            raise

    @property
    def latency_s(self) -> float:
        """Output latency that the open stream reports, seconds; 0 while there is none."""
        stream = self._stream
        return float(stream.latency) if stream is not None else 0.0

    def start(self) -> None:
        """Let the device play what the ring holds.

        Raises
        ------
        DeviceError
            It does not start, is closed, or does not answer.
        """
        self._portaudio.call(self._start, f"starting the sound device {self.name!r}")

    def reopen(self, *endings: Event) -> None:
        """Look for devices again, find this one by its name, open and start it.

        `endings` end the wait early.

        Raises
        ------
        DeviceError
            It is not back; try again later.
        """
        self._portaudio.call(self._reopen, f"opening the sound device {self.name!r}", *endings)

    def close(self) -> None:
        """Stop and close the stream in PortAudio's thread; closing twice is harmless.

        Mute the ring some milliseconds before, or it clicks.
        """
        self._portaudio.finish(self.close_here)

    def close_here(self) -> None:
        """`close`, for whoever is in PortAudio's thread."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

    def fault(self) -> str:
        """What is wrong with the device: `GONE`, `STUCK`, or nothing; ask a few times a second.

        Gone: the stream has ended, or asks for nothing. Stuck: it asks, the ring has what it asks
        for, and still nothing leaves the ring.
        """
        stream = self._stream
        if stream is None or not stream.active:
            return GONE
        stats, now = self._ring.stats(), self._clock.now()
        if stats.frames_out > self._requested:
            self._requested, self._requested_at = stats.frames_out, now
        waits_for_mixer = self._ring.fill < max(stats.last_block, self._ring.resume_frames)
        if stats.frames_played > self._taken or waits_for_mixer:
            self._taken, self._taken_at = max(self._taken, stats.frames_played), now
        patience = max(_PATIENCE_S, _PATIENCE_BLOCKS * stats.last_block / self.rate)
        if now - self._started_at < patience + _START_S + self._settle_s:
            return ""
        if now - self._requested_at >= patience:
            return GONE
        return STUCK if now - self._taken_at >= patience else ""

    # ------------------------------------------------------------------ PortAudio's thread

    def _start(self) -> None:
        if self._stream is None:
            raise DeviceError(f"the sound device {self.name!r} is closed; reopen it")
        stats = self._ring.stats()
        self._requested, self._taken = stats.frames_out, stats.frames_played
        self._started_at = self._requested_at = self._taken_at = self._clock.now()
        try:
            # PortAudio's audio thread takes over the priority of the thread that starts it.
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
