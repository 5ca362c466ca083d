"""The instrument: wires pack, generator, lead, mixer and device; lifecycle, controls, events.

Any thread may call its methods; it owns every other thread and process. Live and offline are the
same parts with another clock and another sink: `Instrument.play` and `Instrument.render`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.clock import Clock, SystemClock
from engine.audio.device import OutputDevice, PortAudio
from engine.audio.meters import MeterSnapshot
from engine.audio.mixer import LiveControls, Mixer
from engine.audio.recorder import Recorder
from engine.audio.ring import OutputRing
from engine.audio.sinks import FileSink, NullSink, RingSink, Sink
from engine.audio.watch import DeviceEvent, DeviceWatch
from engine.errors import AttaccaError, ConfigError, WorkerError
from engine.packs.discovery import DEFAULT, find_pack
from engine.packs.manifest import Manifest, read_manifest
from engine.params import LATENCIES, Settings, Value, param
from engine.signal.resample import StreamResampler
from engine.stream.feeder import Feeder, StreamStats, profile
from engine.stream.generator import Generator
from engine.stream.governor import Governor
from engine.stream.lead import Lead, LeadStats

DEFAULT_LATENCY = LATENCIES["default"]
JAM_LATENCY = LATENCIES["jam"]
PERIOD = 128  # frames of the mixer; docs/audio-path.md has the measurement
RING = 2048  # frames kept in the output ring: 43 ms at 48 kHz, safe beside a busy Python thread
JAM_RING = 1024  # the same where latency was asked to be short
CHANNELS_OUT = 2


@dataclass(frozen=True)
class Event:
    """Something a performer should know. `at` is seconds of the instrument's clock."""

    kind: str
    text: str
    at: float


@dataclass(frozen=True)
class Latencies:
    """Output latency by parts, in seconds: what a live and a block control wait for.

    `lead` is what will be unheard when the next block is asked for, not the lead of this moment.
    """

    device: float
    ring: float
    mixer: float
    lead: float
    block: float

    @property
    def live(self) -> float:
        """Until a live control is heard."""
        return self.device + self.ring + self.mixer

    @property
    def total(self) -> float:
        """Until a block control is heard, at worst."""
        return self.live + self.lead + self.block


@dataclass(frozen=True)
class Status:
    """A snapshot of everything a face of the instrument shows."""

    pack: str
    device: str
    seconds: float
    meters: MeterSnapshot
    stream: StreamStats
    lead: LeadStats
    xruns: int
    paused: bool
    recording: Path | None
    latencies: Latencies
    failed: str


class Instrument:
    """An endless instrument.

    Parameters
    ----------
    pack : name or folder.
    settings : controls to begin with; steps and sampler not given are the pack's.
    latency : seconds until a block control is heard.
    threads : of the generator's network; by default all cores but one.
    target : `cpu` or `cuda`.
    clock : of the live parts.

    Raises
    ------
    PackError, ConfigError
        What is wrong with the pack or the values, in one line.
    """

    def __init__(
        self,
        pack: str | Path = DEFAULT,
        *,
        latency: float = DEFAULT_LATENCY,
        threads: int | None = None,
        target: str = "cpu",
        clock: Clock | None = None,
        **controls: Value,
    ) -> None:
        self.manifest: Manifest = read_manifest(find_pack(str(pack)))
        self._clock = clock or SystemClock()
        stage = self.manifest.stage
        self._latency = latency
        self._wanted, stride = profile(latency, self.manifest.block_seconds)
        start: dict[str, Value] = {
            "steps": stage.steps, "sampler": stage.sampler, "temperature": stage.temperature,
            "stride": stride,
        }  # fmt: skip
        self._settings = Settings.defaults(**{**start, **controls})
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._target = target
        self.events: deque[Event] = deque(maxlen=256)
        self._listeners: tuple[Callable[[Event], None], ...] = ()
        self._feeder: Feeder | None = None
        self._lead: Lead | None = None
        self._mixer: Mixer | None = None
        self._ring: OutputRing | None = None
        self._portaudio: PortAudio | None = None
        self._device: OutputDevice | None = None
        self._watch: DeviceWatch | None = None
        self._recorder: Recorder | None = None
        self._lock = threading.RLock()
        self._begun = 0.0

    # ---------------------------------------------------------------- lifecycle

    def play(
        self, device: str | None = "default", *, past: NDArray[np.float32] | None = None
    ) -> None:
        """Start playing into a device, or with `device=None` into nothing, at the same pace.

        `past` [frames, channels] at the pack's rate is played first and then continued.

        Raises
        ------
        DeviceError, PackError, WorkerError
            In one line; nothing is left running.
        """
        with self._lock:
            try:
                sink = self._open_sink(device)
                self._start_stream(wait=False, past=past)
                self._start_mixer(sink)
            except AttaccaError:
                self.close()
                raise

    def _open_sink(self, device: str | None) -> Sink:
        if device is None:
            self._rate = 48000
            return NullSink(self._rate, CHANNELS_OUT, self._clock)
        self._portaudio = portaudio = PortAudio()
        info = portaudio.find(device)
        self._rate = info.default_rate
        channels = min(CHANNELS_OUT, info.channels)
        fill = JAM_RING if self._latency <= JAM_LATENCY else RING
        self._ring = OutputRing(2 * fill, channels)
        self._device = OutputDevice(
            portaudio, device, self._ring, rate=self._rate, clock=self._clock
        )
        return RingSink(self._ring, fill)

    def _start_stream(self, *, wait: bool, past: NDArray[np.float32] | None) -> None:
        m = self.manifest
        self._lead = Lead(m.rate, m.channels, wait=wait)
        governor = Governor(m.block_seconds, m.stage.min_steps, active=not wait)
        self._feeder = Feeder(
            Generator(m.folder, self._threads, self._target), self._lead, governor,
            block_samples=m.block_samples, wanted=self._wanted, settings=self._settings,
            say=self._say, clock=self._clock,
        )  # fmt: skip
        self._feeder.start(past)

    def _make_mixer(self, sink: Sink, rate: int) -> Mixer:
        m = self.manifest
        assert self._lead is not None
        return Mixer(
            self._lead, sink, rate_in=m.rate, rate_out=rate, channels_in=m.channels,
            clock=self._clock, resampler=_Resampling(m.rate, rate, m.channels), period=PERIOD,
            controls=LiveControls(self._settings.number("gain")),
        )  # fmt: skip

    def _start_mixer(self, sink: Sink) -> None:
        self._mixer = self._make_mixer(sink, self._rate)
        self._begun = self._clock.now()
        self._mixer.run_live()
        if self._device is not None:
            self._device.start()
            self._watch = DeviceWatch(self._device, self._on_device, clock=self._clock)
            self._watch.start()

    def close(self) -> None:
        """Fade out and end everything; closing twice is harmless."""
        with self._lock:
            watch, self._watch = self._watch, None
            if watch is not None:
                watch.stop()
            mixer, self._mixer = self._mixer, None
            try:
                if mixer is not None:
                    mixer.stop()
                    self._drain()
            finally:
                self.record(None)  # after the mixer, so that a recording has the fade-out too
                device, self._device = self._device, None
                if device is not None:
                    device.stop()
                    device.close()
                feeder, self._feeder = self._feeder, None
                if feeder is not None:
                    feeder.stop()
                ring, self._ring = self._ring, None
                if ring is not None:
                    ring.close()
                portaudio, self._portaudio = self._portaudio, None
                if portaudio is not None:
                    portaudio.close()

    def _drain(self) -> None:
        """Let the faded end in the ring be heard before the device stops."""
        deadline = self._clock.now() + 0.3
        while self._ring is not None and self._ring.fill > 0 and self._clock.now() < deadline:
            self._clock.sleep(0.01)

    def __enter__(self) -> Instrument:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def render(
        self,
        path: Path,
        seconds: float,
        *,
        rate: int | None = None,
        past: NDArray[np.float32] | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> None:
        """The same path into a file, as fast as blocks can be made.

        Parameters
        ----------
        path : ends in .wav, .flac or .ogg.
        rate : of the file; the pack's own by default.
        progress : called with the fraction done; when it answers False the file ends there.

        Raises
        ------
        StorageError, PackError, WorkerError
            In one line.
        """
        rate = rate or self.manifest.rate
        with self._lock:
            sink: FileSink | None = None
            try:
                self._start_stream(wait=True, past=past)
                # Not before the pack is open: one that cannot be must not cost an older file.
                sink = FileSink(path, rate, CHANNELS_OUT if self.manifest.channels > 1 else 1)
                self._mixer = mixer = self._make_mixer(sink, rate)
                feeder = self._feeder
                assert feeder is not None
                periods = max(1, round(seconds * rate / PERIOD))
                for i in range(periods):
                    mixer.process_once()
                    if feeder.failure is not None:
                        raise feeder.failure
                    if progress is not None and i % 64 == 0 and progress(i / periods) is False:
                        break
                mixer.finish()
            except BaseException:
                if sink is not None:
                    sink.finish()  # what there is stays readable
                raise
            finally:
                self._mixer = None
                self.close()

    # ----------------------------------------------------------------- controls

    def set(self, **controls: Value) -> Settings:
        """Change controls by name; values are brought into range. Returns all as applied.

        Raises
        ------
        ConfigError
            For an unknown name or a value of the wrong kind; nothing is changed.
        """
        with self._lock:
            self._settings = settings = self._settings.changed(**controls)
            if self._feeder is not None and any(param(n).when == "block" for n in controls):
                self._feeder.set(settings)
            if self._mixer is not None:
                self._mixer.set(gain_db=settings.number("gain"), pause=bool(settings["pause"]))
            return settings

    @property
    def settings(self) -> Settings:
        """The controls as they are set; block controls may not be heard yet (see Status)."""
        return self._settings

    def panic(self) -> None:
        """Fade, drop everything made, forget the past, go on with a new beginning."""
        with self._lock:
            if self._mixer is not None:
                self._mixer.panic()
            if self._feeder is not None:
                self._feeder.reset()
            self._say("panic", "silenced and begun anew")

    def record(self, path: Path | None) -> None:
        """Record what is heard into `path`, or stop recording with None.

        Raises
        ------
        StorageError
            When the file cannot be written.
        ConfigError
            When nothing is playing.
        """
        with self._lock:
            mixer, recorder = self._mixer, self._recorder
            if recorder is not None:
                self._recorder = None
                if mixer is not None:
                    mixer.set_taps(())
                done = recorder.stop()
                lost = f", {done.dropped_frames} frames lost" if done.dropped_frames else ""
                why = f", ended early: {done.error}" if done.error else ""
                self._say(
                    "recorded", f"{recorder.path}: {done.frames / self._rate:.1f} s{lost}{why}"
                )
            if path is None:
                return
            if mixer is None:
                raise ConfigError(f"record {path}: nothing is playing; start playing first")
            channels = self._ring.channels if self._ring is not None else CHANNELS_OUT
            self._recorder = recorder = Recorder(path, self._rate, channels)
            mixer.set_taps((recorder.tap,))
            self._say("recording", str(path))

    # ------------------------------------------------------------------- status

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, in the thread it happens in; it must not wait."""
        self._listeners = (*self._listeners, listener)

    def _say(self, kind: str, text: str) -> None:
        event = Event(kind, text, self._clock.now() - self._begun if self._begun else 0.0)
        self.events.append(event)
        for listener in self._listeners:
            listener(event)

    def _on_device(self, event: DeviceEvent) -> None:
        self._say("device", event.message)

    @property
    def generator_pid(self) -> int | None:
        """Process number of the generator while it runs."""
        return self._feeder.generator_pid if self._feeder else None

    @property
    def failure(self) -> AttaccaError | None:
        """What ended the stream for good, if anything did."""
        return self._feeder.failure if self._feeder else None

    def latencies(self) -> Latencies:
        """Output latency by parts as of now."""
        rate = self._rate if self._mixer else 1
        stride = self._settings.number("stride")
        return Latencies(
            device=self._device.latency_s if self._device else 0.0,
            ring=(self._ring.fill / rate) if self._ring else 0.0,
            mixer=self._mixer.latency_frames / rate if self._mixer else 0.0,
            lead=self._wanted,
            block=stride * self.manifest.block_seconds,
        )

    def status(self) -> Status:
        """A snapshot.

        Raises
        ------
        ConfigError
            When nothing is playing.
        """
        with self._lock:
            mixer, feeder, lead = self._mixer, self._feeder, self._lead
            if mixer is None or feeder is None or lead is None:
                raise ConfigError("nothing is playing; call play() first")
            ring = self._ring.stats() if self._ring is not None else None
            return Status(
                pack=self.manifest.name,
                device=self._device.info.label if self._device else "none",
                seconds=self._clock.now() - self._begun,
                meters=mixer.meters,
                stream=feeder.stats(),
                lead=lead.stats(),
                xruns=ring.underruns if ring else 0,
                paused=bool(self._settings["pause"]),
                recording=self._recorder.path if self._recorder else None,
                latencies=self.latencies(),
                failed=str(feeder.failure or ""),
            )

    def wait_for_sound(self, timeout: float = 30.0) -> float:
        """Wait until the first block is there; returns the seconds it took.

        Raises
        ------
        AttaccaError
            What ended the stream before it began.
        WorkerError
            When nothing came in time.
        """
        began = time.monotonic()
        while time.monotonic() - began < timeout:
            feeder, lead = self._feeder, self._lead
            if feeder is not None and feeder.failure is not None:
                raise feeder.failure
            if lead is not None and lead.seconds > 0:
                return time.monotonic() - began
            time.sleep(0.005)
        raise WorkerError(f"no sound after {timeout:g} s; see 'attacca doctor'")


class _Resampling:
    """The signal package's resampler as the mixer calls it."""

    def __init__(self, rate_in: int, rate_out: int, channels: int) -> None:
        self._stream = StreamResampler(rate_in, rate_out, channels)

    def process(self, block: NDArray[np.float32], /) -> NDArray[np.float32]:
        return self._stream.push(block)
