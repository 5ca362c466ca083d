"""An output: a sound device behind the ring and the C callback, or no device, in real time.

Owned by the instrument, under its lock. A watch thread reopens a device that is lost or stuck.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.arguments import LATENCIES
from engine.audio.device import OutputDevice
from engine.audio.device_watch import DeviceEvent, DeviceWatch
from engine.audio.portaudio import PortAudio
from engine.audio.ring import OutputRing, RingStats
from engine.audio.sinks import NullSink, RingSink, Sink
from engine.time.clock import Clock, Event

__all__ = ["CHANNELS_OUT", "FILL_S", "JAM_FILL_S", "Output", "ring_for"]

# Seconds kept in the output ring, or two device blocks if they are longer.
FILL_S = 0.043  # safe next to a busy Python thread
JAM_FILL_S = 0.0215  # with a short latency
# Capacity of the ring: two device blocks of a second. No device has such long blocks.
_CAPACITY_S = 2.0
_FADE_S = 0.005  # each fade of the callback
_RESUME_S = 0.0055  # buffered before playback starts, or resumes after a dropout
CHANNELS_OUT = 2
_NULL_RATE = 48000
_DRAIN_S = 0.1  # plus two device blocks, for the fade-out to reach the device
_MOVE_LIMIT_S = 5.0  # to close a device before opening another one


def ring_for(rate: int, channels: int) -> OutputRing:
    """An output ring for a device with `rate` frames per second."""
    return OutputRing(
        round(_CAPACITY_S * rate), channels,
        fade_frames=round(_FADE_S * rate), resume_frames=round(_RESUME_S * rate),
    )  # fmt: skip


class Output:
    """One output, opened by the constructor.

    Parameters
    ----------
    device : a name or a part of one, `default`, or None for no device.
    latency : seconds, as set; a short latency gets a short ring.
    clock : of the null device and of the watch.
    on_event : called with (kind, text) for the performer; must not wait.
    ending : set when playing ends: then nothing waits for a device any longer.

    Attributes
    ----------
    name : the requested device.
    rate, channels : of the sink.

    Raises
    ------
    DeviceError
        There is no such device, or it cannot be opened; nothing is left open.
    """

    def __init__(
        self,
        device: str | None,
        latency: float,
        clock: Clock,
        on_event: Callable[[str, str], None],
        ending: Event,
    ) -> None:
        self.name, self._clock, self._on_event = device, clock, on_event
        self._ending = ending
        self._portaudio: PortAudio | None = None
        self._device: OutputDevice | None = None
        self._watch: DeviceWatch | None = None
        self.ring: OutputRing | None = None
        try:
            self.sink: Sink = self._open(
                device, JAM_FILL_S if latency <= LATENCIES["jam"] else FILL_S
            )
        except BaseException:
            self.close()
            raise

    def _open(self, device: str | None, fill_s: float) -> Sink:
        if device is None:
            self.rate, self.channels = _NULL_RATE, CHANNELS_OUT
            return NullSink(self.rate, self.channels, self._clock)
        self._portaudio = portaudio = PortAudio(ending=self._ending)
        info = portaudio.find(device)
        self.rate, self.channels = info.default_rate, min(CHANNELS_OUT, info.channels)
        self.ring = ring_for(self.rate, self.channels)
        self._device = OutputDevice(portaudio, device, self.ring, rate=self.rate, clock=self._clock)
        return RingSink(self.ring, self.rate, fill_s, self._clock)

    def start(self) -> None:
        """Start the device; after the mixer.

        Raises
        ------
        DeviceError
            The device does not start.
        """
        if self._device is not None:
            self._device.start()
            self._watch = DeviceWatch(self._device, self._on_device_event, clock=self._clock)
            self._watch.start()

    def _on_device_event(self, event: DeviceEvent) -> None:
        self._on_event("device", event.message)

    def unwatch(self) -> None:
        """Stop the watch; before the mixer stops."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def drain(self) -> None:
        """Wait until the device has played the fade-out of a finished sink, if it works."""
        ring, device = self.ring, self._device
        if ring is None or device is None:
            return
        before = ring.stats()
        deadline = self._clock.now() + _DRAIN_S + 2 * before.last_block / self.rate
        while ring.stats().idle_frames == before.idle_frames and not device.fault():
            if self._clock.now() >= deadline:
                break
            self._clock.sleep(0.005)

    def leave(self) -> None:
        """Close the device before another one is opened; waits longer than `close`."""
        self.close(limit_s=_MOVE_LIMIT_S)

    def close(self, *, limit_s: float | None = None, writes: bool = False) -> None:
        """Close everything; closing twice is harmless.

        If a sound server does not answer in time, an event says so; the stream closes if the server
        ever answers.

        Parameters
        ----------
        limit_s : seconds to wait for the sound server.
        writes : whether a hung mixer may still write into the ring; then the ring stays.
        """
        self.unwatch()
        ring, self.ring = self.ring, None
        device, self._device = self._device, None
        portaudio, self._portaudio = self._portaudio, None

        def shut() -> None:
            if device is not None:
                device.close_here()
            if ring is not None and not writes:
                ring.close()

        if portaudio is None:
            shut()
        elif not (portaudio.finish(shut, limit_s) and portaudio.close()) and device is not None:
            self._on_event("device", f"{self.name}: the sound server does not answer")

    # ---------------------------------------------------------------- status

    @property
    def label(self) -> str:
        """The name and host API of the device, or `none`."""
        device = self._device
        return device.info.label if device is not None else "none"

    @property
    def device_s(self) -> float:
        """Latency of the device in seconds."""
        device = self._device
        return device.latency_s if device is not None else 0.0

    @property
    def ring_s(self) -> float:
        """Seconds of audio in the ring."""
        ring = self.ring
        return ring.fill / self.rate if ring is not None else 0.0

    @property
    def ring_stats(self) -> RingStats:
        """The counters of the callback; all zeros without a device."""
        ring = self.ring
        return ring.stats() if ring is not None else RingStats()

    @property
    def tries(self) -> int:
        """Attempts to reopen a lost device."""
        watch = self._watch
        return watch.tries if watch is not None else 0

    @property
    def xruns(self) -> int:
        """Dropouts: times that the device needed audio and the ring was empty."""
        ring = self.ring
        return ring.stats().underruns if ring is not None else 0
