"""The instrument: wires pack, generator, lead, mixer and device; lifecycle, controls, events.

Any thread may call its methods; it owns every other thread and process. Live and offline are the
same parts with another clock and another sink: `Instrument.play` and `Instrument.render`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.clock import Clock, SystemClock
from engine.audio.device import OutputDevice, PortAudio
from engine.audio.mixer import LiveControls, Mixer
from engine.audio.ring import OutputRing
from engine.audio.sinks import FileSink, NullSink, RingSink, Sink
from engine.audio.takes import Takes
from engine.audio.watch import DeviceEvent, DeviceWatch
from engine.errors import AttaccaError, ConfigError, WorkerError
from engine.hearing import checked_keys, checked_phrase, checked_sound, refuse_unheard
from engine.packs.discovery import DEFAULT, find_pack
from engine.packs.manifest import Manifest, read_manifest
from engine.params import LATENCIES, Settings, Value, param
from engine.signal.resample import StreamResampler
from engine.signal.roll import Note, NoteEvent
from engine.status import Event, Latencies, Status
from engine.stream.conditions import needed
from engine.stream.feeder import Feeder, profile
from engine.stream.generator import Generator
from engine.stream.governor import Governor
from engine.stream.lead import Lead
from engine.stream.notes_out import NotesOut
from engine.stream.notes_track import TimedNote

DEFAULT_LATENCY = LATENCIES["default"]
JAM_LATENCY = LATENCIES["jam"]
PERIOD = 128  # frames of the mixer; docs/audio-path.md has the measurement
RING = 2048  # frames kept in the output ring: 43 ms at 48 kHz, safe beside a busy Python thread
JAM_RING = 1024  # the same where latency was asked to be short
CHANNELS_OUT = 2


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
            "steps": stage.steps, "temperature": stage.temperature,
            "guidance": stage.default_guidance, "stride": stride,
        }  # fmt: skip
        self.hears = needed(self.manifest.controls)  # beside what every pack hears
        refuse_unheard(self.manifest, controls)
        self._settings = Settings.defaults(**{**start, **controls})
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._target = target
        self.events: deque[Event] = deque(maxlen=256)
        self._listeners: tuple[Callable[[Event], None], ...] = ()
        self._note_listeners: tuple[Callable[[NoteEvent], None], ...] = ()
        self._notes_out: NotesOut | None = None
        self._feeder: Feeder | None = None
        self._lead: Lead | None = None
        self._mixer: Mixer | None = None
        self._ring: OutputRing | None = None
        self._portaudio: PortAudio | None = None
        self._device: OutputDevice | None = None
        self._watch: DeviceWatch | None = None
        self._takes = Takes(self._say)
        self._lock = threading.RLock()
        self._begun = 0.0
        self._held: tuple[int, ...] = ()

    # ---------------------------------------------------------------- lifecycle

    def play(
        self,
        device: str | None = "default",
        *,
        past: NDArray[np.float32] | None = None,
        phrase: Sequence[Note] = (),
    ) -> None:
        """Start playing into a device, or with `device=None` into nothing, at the same pace.

        `past` [frames, channels] at the pack's rate is played first and then continued; `phrase`
        are notes that a pack with a notes stage begins with.

        Raises
        ------
        DeviceError, PackError, WorkerError
            In one line; nothing is left running.
        """
        with self._lock:
            try:
                sink = self._open_sink(device)
                self._start_stream(wait=False, past=past, phrase=phrase)
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

    def _start_stream(
        self, *, wait: bool, past: NDArray[np.float32] | None, phrase: Sequence[Note] = ()
    ) -> None:
        m = self.manifest
        if phrase and m.notes is None:
            raise ConfigError(f"pack {m.name!r} makes no notes: it cannot begin with a phrase")
        self._lead = Lead(m.rate, m.channels, wait=wait, heard=self._on_notes)
        governor = Governor(m.block_seconds, m.stage.min_steps, active=not wait)
        self._feeder = Feeder(
            Generator(m.folder, self._threads, self._target), self._lead, governor,
            block_samples=m.block_samples, wanted=self._wanted, settings=self._settings,
            say=self._say, clock=self._clock, heard=self.hears,
        )  # fmt: skip
        self._feeder.hold(self._held)
        self._feeder.start(past, checked_phrase(phrase))

    def _make_mixer(self, sink: Sink, rate: int) -> Mixer:
        m = self.manifest
        assert self._lead is not None
        mixer = Mixer(
            self._lead, sink, rate_in=m.rate, rate_out=rate, channels_in=m.channels,
            clock=self._clock, resampler=StreamResampler(m.rate, rate, m.channels), period=PERIOD,
            controls=LiveControls(self._settings.number("gain")),
        )  # fmt: skip
        if m.notes is not None:
            self._notes_out = NotesOut(m.rate, rate, lambda: mixer.frames, mixer.latency_frames)
            self._notes_out.set_listeners(self._note_listeners)
        return mixer

    def _on_notes(self, notes: tuple[TimedNote, ...]) -> None:
        out = self._notes_out
        if out is not None:
            out.heard(notes)

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
                    if self._notes_out is not None:
                        self._notes_out.close()
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
        phrase: Sequence[Note] = (),
        progress: Callable[[float], object] | None = None,
    ) -> None:
        """The same path into a file, as fast as blocks can be made.

        The notes of a pack that makes some go into a MIDI file beside it.

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
                self._start_stream(wait=True, past=past, phrase=phrase)
                # Not before the pack is open: one that cannot be must not cost an older file.
                sink = FileSink(path, rate, CHANNELS_OUT if self.manifest.channels > 1 else 1)
                self._mixer = mixer = self._make_mixer(sink, rate)
                if self._notes_out is not None:
                    self._notes_out.begin_recording()
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
                if self._notes_out is not None:
                    self._notes_out.end_recording(path.with_suffix(".mid"), mixer.frames / rate)
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
            refuse_unheard(self.manifest, controls)
            self._settings = settings = self._settings.changed(**controls)
            if self._feeder is not None and any(param(n).when == "block" for n in controls):
                self._feeder.set(settings)
            if self._mixer is not None:
                self._mixer.set(gain_db=settings.number("gain"), pause=bool(settings["pause"]))
            return settings

    def hold(self, keys: Iterable[int]) -> None:
        """Play around these keys (MIDI pitches) from the next block on; none lets them go.

        Raises
        ------
        ConfigError
            When the pack does not hear held keys, or a pitch is none of a piano's.
        """
        with self._lock:
            self._held = held = checked_keys(self.manifest, keys)
            if self._feeder is not None:
                self._feeder.hold(held)

    def answer(self, phrase: Sequence[Note] | NDArray[np.float32]) -> None:
        """Go on from a phrase that was played elsewhere: notes, or sound [frames, channels].

        It is not played again. The notes are taken as they are; in sound (at the pack's rate)
        the pack's transcription model hears them.

        Raises
        ------
        ConfigError
            When nothing is playing, or the pack makes no notes or cannot listen.
        """
        with self._lock:
            feeder, m = self._feeder, self.manifest
            if feeder is None:
                raise ConfigError("answer: nothing is playing; start playing first")
            if m.notes is None:
                raise ConfigError(f"pack {m.name!r} makes no notes: it cannot answer a phrase")
            if not isinstance(phrase, np.ndarray):
                feeder.phrase(checked_phrase(phrase), heard=False)
            elif m.transcription:
                feeder.answer(checked_sound(m, phrase))
            else:
                raise ConfigError(f"pack {m.name!r} has no transcription model: give it notes")

    def play_phrase(self, notes: Sequence[Note]) -> None:
        """Play these notes next, in the pack's sound, and go on from them.

        Raises
        ------
        ConfigError
            When nothing is playing, or the pack makes no notes.
        """
        with self._lock:
            if self._feeder is None:
                raise ConfigError("play_phrase: nothing is playing; start playing first")
            if self.manifest.notes is None:
                raise ConfigError(f"pack {self.manifest.name!r} makes no notes to play")
            self._feeder.phrase(checked_phrase(notes), heard=True)

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

    def begin_anew(self) -> None:
        """Begin a new piece with the next block; what is made is still played, and fades."""
        with self._lock:
            if self._feeder is not None:
                self._feeder.reset(at_once=False)

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
            self._takes.end(self._mixer)
            if path is None:
                return
            if self._mixer is None:
                raise ConfigError(f"record {path}: nothing is playing; start playing first")
            channels = self._ring.channels if self._ring is not None else CHANNELS_OUT
            self._takes.begin(path, self._rate, channels, self._mixer, self._notes_out)

    # ------------------------------------------------------------------- status

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, in the thread it happens in; it must not wait."""
        self._listeners = (*self._listeners, listener)

    def listen_notes(self, listener: Callable[[NoteEvent], None]) -> None:
        """Call `listener` with every note as it goes to the output, timed from the mixer's start.

        It is called in the mixer's thread and must not wait. A note is heard `latencies().live`
        after that.
        """
        self._note_listeners = (*self._note_listeners, listener)
        if self._notes_out is not None:
            self._notes_out.set_listeners(self._note_listeners)

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

    def horizon(self) -> tuple[float, float]:
        """Seconds of music played so far, and from where on what is set now will sound.

        Both stand still while the music is held; (0, 0) when nothing is playing.
        """
        with self._lock:
            return self._feeder.horizon() if self._feeder is not None else (0.0, 0.0)

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
                recording=self._takes.path,
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
