"""The instrument: wires pack, generator, lead, mixer and device; lifecycle, controls, events.

Any thread may call its methods; it owns every other thread and process. Live and offline are the
same parts with another clock and another sink: `Instrument.play` and `Instrument.render`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.clock import Clock, SystemClock
from engine.audio.mixer import LiveControls, Tap
from engine.audio.take_names import NewTake
from engine.audio.takes import Kept
from engine.controls.bus import PACK, PANIC, PYTHON, TEMPO, ControlBus
from engine.cores import usable_cores
from engine.errors import AttaccaError, ConfigError
from engine.hearing import (
    adapted,
    checked_keys,
    checked_phrase,
    checked_sound,
    is_heard,
    refuse_unheard,
)
from engine.on_time import OnTime
from engine.packs.discovery import DEFAULT, find_pack
from engine.packs.manifest import Manifest, read_manifest
from engine.params import LATENCIES, Settings, Value, param
from engine.punches import Punches
from engine.rig import Rig
from engine.signal.roll import Note, NoteEvent
from engine.status import Event, Latencies, Status
from engine.stream.conditions import needed
from engine.stream.feeder import Feeder, profile
from engine.stream.pack_stream import PackStream, StreamSetup
from engine.tempo import Tempo
from engine.troubles import Troubles

DEFAULT_LATENCY = LATENCIES["default"]
JAM_LATENCY = LATENCIES["jam"]
_CLOSE_LIMIT_S = 1.0  # to wait for a change of pack or device before everything is closed


class Instrument(OnTime):
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
        self._latency = latency
        self._wanted, stride = profile(latency, self.manifest.block_seconds)
        self.hears = needed(self.manifest.controls)  # beside what every pack hears
        refuse_unheard(self.manifest, controls)
        threads = threads or max(1, usable_cores() - 1)
        self._troubles = Troubles(self._say, self._clock.now)
        setup = StreamSetup(threads, target, self._clock, self._say, self._troubles.note)
        self._rig = Rig(setup, latency, self._live_controls)
        self.events: deque[Event] = deque(maxlen=256)
        self._listeners: tuple[Callable[[Event], None], ...] = ()
        self._changing = threading.RLock()  # one change of pack or device at a time; before _lock
        self._lock = threading.RLock()
        self.controls = ControlBus(
            adapted(Settings.defaults(), self.manifest, stride).changed(**controls),
            check=lambda values: refuse_unheard(self.manifest, values),
            accepts=lambda name, value: is_heard(self.manifest, name, value),
            apply=self._apply, lock=self._lock, now=self._clock.now,
        )  # fmt: skip
        self._begun = 0.0
        self._held: tuple[int, ...] = ()
        self.tempo = Tempo(self.settings, self._follow_tempo, self._say)
        self.controls.listen(self.tempo.take_change)
        self.punches = Punches(self.tempo, lambda: self.settings["quantise"], self._say)

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
        with self._changing, self._lock:
            self._rig.ending.clear()
            try:
                # A device that is not there is told at once, before a pack is opened.
                output = self._rig.output = self._rig.open_output(device)
                self._begin(past, phrase)
                self._begun = self._clock.now()
                self._rig.into(output)
            except AttaccaError:
                self.close()
                raise

    def _begin(
        self, past: NDArray[np.float32] | None, phrase: Sequence[Note], *, wait: bool = False
    ) -> PackStream:
        return self._rig.begin(
            self.manifest, self.settings, self._wanted, self._held, past, phrase, wait=wait
        )

    def _live_controls(self) -> LiveControls:
        return LiveControls(self.settings.number("gain"), pause=bool(self.settings["pause"]))

    def close(self) -> None:
        """Fade out and end everything, the take first; closing twice is harmless.

        It waits for a limited time only for a sound system that does not answer.
        """
        self._rig.ending.set()
        changing = self._changing.acquire(timeout=_CLOSE_LIMIT_S)
        try:
            with self._lock:
                self._rig.close()
        finally:
            if changing:
                self._changing.release()

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
    ) -> Path | None:
        """The same path into a file, as fast as blocks can be made.

        The notes of a pack that makes some go into a MIDI file beside it, which replaces none;
        returns that file.

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
        with self._changing, self._lock:
            self._rig.ending.clear()
            try:
                self._begin(past, phrase, wait=True)
                return self._rig.render(path, seconds, rate, progress)
            finally:
                self.close()

    # ---------------------------------------------------------- changes while playing

    def load(self, pack: str | Path, progress: Callable[[float], object] | None = None) -> None:
        """Go over to another pack, which is made ready while this one plays on.

        Controls go on as they are, but for those that are the pack's own affair (steps,
        temperature, guidance, stride) and those that it does not hear, which come to rest.

        Parameters
        ----------
        pack : name or folder.
        progress : called with the fraction done, in this thread.

        Raises
        ------
        PackError, WorkerError, ConfigError
            It cannot be played, or another change is under way, or nothing plays; this pack plays
            on.
        """
        tell = progress or _nobody
        with self._change(f"load {pack}"):
            manifest = read_manifest(find_pack(str(pack)))
            wanted, stride = profile(self._latency, manifest.block_seconds)
            tell(0.05)
            held = self._held if "held" in manifest.controls else ()
            new = self._rig.make_stream(
                manifest, adapted(self.settings, manifest, stride), wanted, held
            )
            try:
                new.start()
                tell(0.5)
                self._rig.await_lead(new, lambda done: tell(0.5 + 0.4 * done))
                with self._lock:
                    faded = self._rig.go_over(new)
                    self.manifest, self._wanted, self._held = manifest, wanted, held
                    self.hears = needed(manifest.controls)
                    # Controls that were turned meanwhile hold for the new pack too.
                    self.controls.replace(adapted(self.settings, manifest, stride), PACK)
            except BaseException:
                new.stop()
                raise
            faded()
            self._say("pack", manifest.name)
            tell(1.0)

    def move(self, device: str | None) -> None:
        """Go on into another sound device (None: into nothing), with a fade between the two.

        A take goes on; in another file where the new device has another rate or other channels.

        Raises
        ------
        DeviceError, ConfigError
            It cannot be opened (the old one plays on, or nothing does if it has gone as well),
            or another change is under way, or nothing plays.
        """
        with self._change(f"device {device}"):
            self._rig.move(device, self._lock)

    @contextmanager
    def _change(self, what: str) -> Generator[None]:
        """The right to change what plays, which one thread has at a time."""
        if not self._changing.acquire(blocking=False):
            raise ConfigError(f"{what}: another pack or device is being taken; wait for it")
        try:
            if self._rig.stream is None or self._rig.output is None:
                raise ConfigError(f"{what}: nothing is playing; start playing first")
            yield
        finally:
            self._changing.release()

    # ----------------------------------------------------------------- controls

    def set(self, **controls: Value) -> Settings:
        """Change controls by name; values are brought into range. Returns all as applied.

        Raises
        ------
        ConfigError
            For an unknown name or a value of the wrong kind; nothing is changed.
        """
        return self.controls.set(controls, PYTHON).settings

    def _apply(self, settings: Settings, names: Collection[str]) -> None:
        """Apply these controls to what plays."""
        stream = self._rig.stream
        if stream is not None and any(param(name).when == "block" for name in names):
            stream.feeder.set(settings)
        self._apply_live(settings, names)

    def _follow_tempo(self, values: Mapping[str, Value], seen: Settings | None) -> None:
        """Show what the tempo follows, unless somebody has just set it."""
        self.controls.set(values, TEMPO, seen=seen)

    def hold(self, keys: Iterable[int]) -> None:
        """Play around these keys (MIDI pitches) from the next block on; none lets them go.

        Raises
        ------
        ConfigError
            When the pack does not hear held keys, or a pitch is none of a piano's.
        """
        with self._lock:
            self._held = held = checked_keys(self.manifest, keys)
            if self._rig.stream is not None:
                self._rig.stream.feeder.hold(held)

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
            m, feeder = self.manifest, self._player("answer")
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
            self._player("play_phrase").phrase(checked_phrase(notes), heard=True)

    def _player(self, what: str) -> Feeder:
        """The feeder of a pack that makes notes."""
        if self._rig.stream is None:
            raise ConfigError(f"{what}: nothing is playing; start playing first")
        if self.manifest.notes is None:
            raise ConfigError(f"{what}: pack {self.manifest.name!r} makes no notes")
        return self._rig.stream.feeder

    @property
    def settings(self) -> Settings:
        """The controls as they are set; block controls may not be audible yet (see Status)."""
        return self.controls.settings

    @property
    def held(self) -> tuple[int, ...]:
        """The keys held down, as MIDI pitches."""
        return self._held

    def panic(self) -> None:
        """Fade out and stay silent until `set(pause=False)`, which starts a new piece.

        Everything that is generated or that waits for its beat or its time is dropped.
        """
        self.punches.clear()
        with self._lock:
            if self._rig.mixer is not None:
                self._rig.mixer.panic()
            if self._rig.stream is not None:
                self._rig.stream.feeder.reset()
            self.controls.set({"pause": True}, PANIC)
            self._say("panic", "Silence. Press play to start a new piece.")

    def new_piece(self) -> None:
        """Start a new piece with the next block; audio that is already generated fades out."""
        with self._lock:
            if self._rig.stream is not None:
                self._rig.stream.feeder.reset(at_once=False)

    def record(self, to: Path | NewTake | None) -> Path | None:
        """Record the output into a file, or stop with None; returns the file recorded into now.

        Raises
        ------
        StorageError, ConfigError
            The file cannot be written; nothing plays, or a new take's name is taken.
        """
        with self._lock:
            return self._rig.record(to, int(self.settings.number("seed")))

    def keep(self, to: Path | NewTake, seconds: float) -> Kept:
        """Write the last so many seconds of the output into a file.

        Raises
        ------
        StorageError, ConfigError
            The file cannot be written; nothing has played yet, or a new take's name is taken.
        """
        return self._rig.takes.keep(to, seconds, int(self.settings.number("seed")))

    @property
    def recording_problem(self) -> str:
        """Why the last take ended early, or nothing; also when nothing plays any more."""
        return self._rig.takes.problem

    # ------------------------------------------------------------------- status

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, in the thread it happens in; it must not wait."""
        self._listeners = (*self._listeners, listener)

    def tap(self, tap: Tap) -> None:
        """Hand `tap` every period that is heard, in the mixer's thread.

        It must not wait, nor keep the block. Taps stay over changes of pack and device.
        """
        with self._lock:
            self._rig.attach((*self._rig.taps, tap))

    def untap(self, tap: Tap) -> None:
        """The opposite of `tap`."""
        with self._lock:
            self._rig.attach(tuple(t for t in self._rig.taps if t != tap))

    def listen_notes(self, listener: Callable[[NoteEvent], None]) -> None:
        """Call `listener` with every note as it goes to the output, timed from the mixer's start.

        It is called in the mixer's thread and must not wait. A note is heard `latencies().live`
        after that.
        """
        self._rig.listen_notes(listener)

    def say(self, kind: str, text: str) -> None:
        """Tell a performer; listeners hear it in this thread."""
        self._say(kind, text)

    def _say(self, kind: str, text: str) -> None:
        event = Event(kind, text, self._clock.now() - self._begun if self._begun else 0.0)
        self.events.append(event)
        for listener in self._listeners:
            listener(event)

    @property
    def generator_pid(self) -> int | None:
        """Process number of the generator while it runs."""
        return self._rig.stream.feeder.generator_pid if self._rig.stream else None

    @property
    def failure(self) -> AttaccaError | None:
        """What ended the stream for good, if anything did."""
        return self._rig.failure

    def latencies(self) -> Latencies:
        """Output latency by parts as of now."""
        output, mixer = self._rig.output, self._rig.mixer
        stride = self.settings.number("stride")
        return Latencies(
            device=output.device_s if output else 0.0,
            ring=output.ring_s if output else 0.0,
            mixer=mixer.latency_frames / mixer.rate if mixer else 0.0,
            lead=self._wanted,
            block=stride * self.manifest.block_seconds,
        )

    def forget_xruns(self) -> None:
        """Count xruns from 0 again."""
        with self._lock:
            self._rig.forget_xruns()

    def status(self) -> Status:
        """A snapshot.

        Raises
        ------
        ConfigError
            When nothing is playing.
        """
        with self._lock:
            rig = self._rig
            mixer, stream, output = rig.mixer, rig.stream, rig.output
            if mixer is None or stream is None or output is None:
                raise ConfigError("nothing is playing; call play() first")
            return Status(
                pack=self.manifest.name,
                device=output.label,
                seconds=self._clock.now() - self._begun,
                meters=mixer.meters,
                stream=stream.feeder.stats(),
                lead=stream.lead.stats(),
                xruns=rig.xruns,
                paused=bool(self.settings["pause"]),
                recording=rig.takes.path,
                take=rig.takes.status(),
                latencies=self.latencies(),
                trouble=self._troubles.current,
                failed=str(rig.failure or ""),
            )


def _nobody(_: float) -> None:
    """Who is told of progress that nobody asked for."""
