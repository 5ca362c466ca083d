"""Where the music goes: a sound card through the ring and the C callback, or nowhere at its pace.

Owned by the instrument, under its lock; a watch with a thread of its own opens a card again that
has vanished or takes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.arguments import LATENCIES
from engine.audio.device import OutputDevice
from engine.audio.portaudio import PortAudio
from engine.audio.ring import OutputRing, RingStats
from engine.audio.sinks import NullSink, RingSink, Sink
from engine.audio.watch import DeviceEvent, DeviceWatch
from engine.time.clock import Clock, Event

__all__ = ["CHANNELS_OUT", "FILL_S", "JAM_FILL_S", "Output", "ring_for"]

# Seconds kept in the output ring, or two of the device's blocks where those are longer.
FILL_S = 0.043  # safe beside a busy Python thread
JAM_FILL_S = 0.0215  # where a short latency is set
# Seconds that the ring can hold: blocks of a second, twice. No device comes near that.
_CAPACITY_S = 2.0
_FADE_S = 0.005  # each fade of the callback
_RESUME_S = 0.0055  # gathered before play starts, or goes on after a dropout
CHANNELS_OUT = 2
_NULL_RATE = 48000
_DRAIN_S = 0.1  # and two of the device's blocks, for the fade-out to reach it
_MOVE_LIMIT_S = 5.0  # to close a device before another one is opened


def ring_for(rate: int, channels: int) -> OutputRing:
    """An output ring for a device of so many frames per second."""
    return OutputRing(
        round(_CAPACITY_S * rate), channels,
        fade_frames=round(_FADE_S * rate), resume_frames=round(_RESUME_S * rate),
    )  # fmt: skip


class Output:
    """One output, opened at once.

    Parameters
    ----------
    device : a name or a part of one, `default`, or None for nothing.
    latency : seconds that the performer asked for; short ones get a short ring.
    clock : of the pace, and of the watch.
    say : called with (kind, text) for what a performer should know; must not wait.
    ending : set when the program ends: then nothing waits for a device any longer.

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
        say: Callable[[str, str], None],
        ending: Event,
    ) -> None:
        self.name, self._clock, self._say = device, clock, say
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
        """Let the card play what comes into the ring; after the mixer has started.

        Raises
        ------
        DeviceError
            It does not start.
        """
        if self._device is not None:
            self._device.start()
            self._watch = DeviceWatch(self._device, self._on_event, clock=self._clock)
            self._watch.start()

    def _on_event(self, event: DeviceEvent) -> None:
        self._say("device", event.message)

    def unwatch(self) -> None:
        """Open a lost card no more; before the mixer is stopped."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def drain(self) -> None:
        """Wait until the fade-out of a finished sink has reached the card, if it takes anything."""
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
        """Close the card because another one is opened: it may take its time."""
        self.close(limit_s=_MOVE_LIMIT_S)

    def close(self, *, limit_s: float | None = None, writes: bool = False) -> None:
        """Let go of everything; closing twice is harmless.

        A sound server that does not answer in time is left as it is, with a message; the stream
        closes if it ever answers.

        Parameters
        ----------
        limit_s : seconds to wait for the sound server; by default what is right at the end.
        writes : whether a mixer that does not end may still write into the ring, which then stays.
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
            self._say("device", f"{self.name}: the sound server does not answer; left without it")

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
    def ring_stats(self) -> RingStats:
        """What the callback has counted; all zeros without a card."""
        ring = self.ring
        return ring.stats() if ring is not None else RingStats()

    @property
    def tries(self) -> int:
        """Times that it was tried to open a lost card again."""
        watch = self._watch
        return watch.tries if watch is not None else 0

    @property
    def xruns(self) -> int:
        """Dropouts: times that the card needed audio and the ring was empty."""
        ring = self.ring
        return ring.stats().underruns if ring is not None else 0
