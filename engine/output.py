"""Where the music goes: a sound card through the ring and the C callback, or nowhere at its pace.

Owned by the instrument, under its lock; a watch with a thread of its own waits for a card that has
vanished.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.audio.clock import Clock
from engine.audio.device import OutputDevice, PortAudio
from engine.audio.ring import OutputRing
from engine.audio.sinks import NullSink, RingSink, Sink
from engine.audio.watch import DeviceEvent, DeviceWatch
from engine.params import LATENCIES

__all__ = ["CHANNELS_OUT", "Output"]

RING = 2048  # frames kept in the output ring: 43 ms at 48 kHz, safe beside a busy Python thread
JAM_RING = 1024  # the same where latency was asked to be short
CHANNELS_OUT = 2
_NULL_RATE = 48000
_DRAIN_S = 0.3


class Output:
    """One output, opened at once.

    Parameters
    ----------
    device : a name or a part of one, `default`, or None for nothing.
    latency : seconds that the performer asked for; short ones get a short ring.
    clock : of the pace, and of the watch.
    tell : called with what becomes of the card, in the watch's thread; must not wait.

    Attributes
    ----------
    name : the device by the name that was asked for.
    rate, channels : of the sink.

    Raises
    ------
    DeviceError
        There is none of that name, or it cannot be opened; nothing is left open.
    """

    def __init__(
        self,
        device: str | None,
        latency: float,
        clock: Clock,
        tell: Callable[[DeviceEvent], None],
    ) -> None:
        self.name, self._clock, self._tell = device, clock, tell
        self._portaudio: PortAudio | None = None
        self._device: OutputDevice | None = None
        self._watch: DeviceWatch | None = None
        self.ring: OutputRing | None = None
        try:
            self.sink: Sink = self._open(device, JAM_RING if latency <= LATENCIES["jam"] else RING)
        except BaseException:
            self.close()
            raise

    def _open(self, device: str | None, fill: int) -> Sink:
        if device is None:
            self.rate, self.channels = _NULL_RATE, CHANNELS_OUT
            return NullSink(self.rate, self.channels, self._clock)
        self._portaudio = portaudio = PortAudio()
        info = portaudio.find(device)
        self.rate, self.channels = info.default_rate, min(CHANNELS_OUT, info.channels)
        self.ring = OutputRing(2 * fill, self.channels)
        self._device = OutputDevice(portaudio, device, self.ring, rate=self.rate, clock=self._clock)
        return RingSink(self.ring, fill, self._clock)

    def start(self) -> None:
        """Let the card play what comes into the ring; after the mixer has begun."""
        if self._device is not None:
            self._device.start()
            self._watch = DeviceWatch(self._device, self._tell, clock=self._clock)
            self._watch.start()

    def unwatch(self) -> None:
        """Wait for no vanished card any more; before the mixer is stopped."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def drain(self) -> None:
        """Let what is in the ring be heard before it is closed."""
        deadline = self._clock.now() + _DRAIN_S
        while self.ring is not None and self.ring.fill > 0 and self._clock.now() < deadline:
            self._clock.sleep(0.01)

    def close(self) -> None:
        """Let go of everything; closing twice is harmless."""
        self.unwatch()
        device, self._device = self._device, None
        if device is not None:
            device.stop()
            device.close()
        ring, self.ring = self.ring, None
        if ring is not None:
            ring.close()
        portaudio, self._portaudio = self._portaudio, None
        if portaudio is not None:
            portaudio.close()

    # ---------------------------------------------------------------- as of now

    @property
    def label(self) -> str:
        """The card's name and host API, or `none`."""
        device = self._device
        return device.info.label if device is not None else "none"

    @property
    def device_s(self) -> float:
        """Seconds of latency of the card."""
        device = self._device
        return device.latency_s if device is not None else 0.0

    @property
    def ring_s(self) -> float:
        """Seconds that wait in the ring."""
        ring = self.ring
        return ring.fill / self.rate if ring is not None else 0.0

    @property
    def xruns(self) -> int:
        """Times that the card asked and there was nothing."""
        ring = self.ring
        return ring.stats().underruns if ring is not None else 0
