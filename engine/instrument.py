"""The instrument: wires pack, generator, lead, mixer and device; lifecycle, controls, events.

Any thread may call its methods; it owns every other thread and process. Live and offline are the
same parts with another clock and another sink: `Instrument.play` and `Instrument.render`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from numpy.typing import ArrayLike

from engine.arguments import (
    LATENCIES,
    AnyPath,
    checked_device,
    checked_function,
    checked_latency,
    checked_path,
    checked_seconds,
    checked_text,
    checked_whole,
)
from engine.audio.clock import Clock, SystemClock
from engine.audio.mixer import LiveControls
from engine.audio.take_names import NewTake
from engine.audio.takes import Kept
from engine.controls.bus import PACK, PANIC, PYTHON, REFUSED, TAKEN, TEMPO, ControlBus
from engine.controls.control import Value
from engine.controls.settings import Settings
from engine.cores import usable_cores
from engine.errors import AttaccaError, ConfigError
from engine.hearing import adapted, checked_phrase, checked_sound, table_of
from engine.listeners import Listeners
from engine.listening import Listening
from engine.offline import Begin, Offline
from engine.on_time import OnTime
from engine.packs.discovery import DEFAULT, find_pack
from engine.packs.manifest import Manifest, read_manifest
from engine.phrases import Phrase, Phrases
from engine.punches import Punches
from engine.rig import Rig
from engine.status import Event, Latencies, Status
from engine.stream.feeder import profile
from engine.stream.pack_stream import StreamSetup
from engine.tempo import Tempo
from engine.troubles import Troubles

DEFAULT_LATENCY = LATENCIES["default"]
JAM_LATENCY = LATENCIES["jam"]
_CLOSE_LIMIT_S = 1.0  # to wait for a change of pack or device before everything is closed


class Instrument(Offline, Listening, Phrases, OnTime):
    """An endless instrument.

    Parameters
    ----------
    pack : name or folder.
    latency : seconds until a block control is audible, or `default` or `jam`.
    threads : of the generator's network; by default all cores but one.
    target : `cpu` or `cuda`.
    clock : of the live parts.
    controls : as in `set`; steps and sampler are the pack's by default.

    Raises
    ------
    PackError, ConfigError
        What is wrong with the pack or the values, in one line.
    """

    def __init__(
        self,
        pack: AnyPath = DEFAULT,
        *,
        latency: float | str = DEFAULT_LATENCY,
        threads: int | None = None,
        target: str = "cpu",
        clock: Clock | None = None,
        **controls: object,
    ) -> None:
        self.manifest: Manifest = read_manifest(find_pack(str(checked_path("pack", pack))))
        self._clock = clock or SystemClock()
        self._latency = latency = checked_latency(latency)
        self._wanted, stride = profile(latency, self.manifest.block_seconds)
        settings = Settings.defaults(table_of(self.manifest))
        settings = adapted(settings, self.manifest, stride).changed(controls)
        if threads is None:
            threads = max(1, usable_cores() - 1)
        threads = checked_whole("threads", threads, 1, 256)
        target = checked_text("target", target)
        self._troubles = Troubles(self._say, self._clock.now)
        setup = StreamSetup(
            threads,
            target,
            self._clock,
            self._say,
            self._troubles.note,
            self._take_back,
            taken=self._release_actions,
        )
        self._rig = Rig(setup, latency, self._live_controls)
        self.events: deque[Event] = deque(maxlen=256)
        self._event_listeners = Listeners("events", partial(self._troubles.note, "listener"))
        self._changing = threading.RLock()  # one change of pack or device at a time; before _lock
        self._lock = threading.RLock()
        # Of controls and held keys: short, the innermost, so that they never wait for a change, a
        # disk or a sound system, and a listener may set them.
        self._control_lock = threading.RLock()
        self.controls = ControlBus(
            settings, apply=self._apply, lock=self._control_lock, now=self._clock.now,
        )  # fmt: skip
        self._begun = 0.0
        self.tempo = Tempo(self.settings, self._follow_tempo, self._say)
        self.controls.listen(self.tempo.take_change)
        self.punches = Punches(self.tempo, lambda: self.settings["quantise"], self._say)

    # ---------------------------------------------------------------- lifecycle

    def play(
        self,
        device: str | None = "default",
        *,
        past: ArrayLike | None = None,
        phrase: Phrase = (),
    ) -> None:
        """Start playing into a device, or with `device=None` into nothing, at the same pace.

        Parameters
        ----------
        device : a name or a part of one; `default`; `default-or-none` plays into nothing where
            there is no default device, and says so in an event.
        past : sound that is played first and then continued: [frames] or [frames, channels] at the
            pack's rate; see `attacca.read_past`.
        phrase : notes that a pack with a notes stage begins with, as in `play_phrase`.

        Raises
        ------
        DeviceError, PackError, WorkerError, ConfigError
            In one line; nothing is left running.
        """
        device = checked_device(device)
        with self._starting("play"), self._lock:
            begin = self._beginning(past, phrase)
            try:
                # A device that is missing is refused at once, before a pack is opened.
                output = self._rig.output = self._rig.open_output(device)
                begin(self._wanted)
                self._begun = self._clock.now()
                self._rig.into(output)
            except BaseException:
                self.close()
                raise

    def _beginning(self, past: ArrayLike | None, phrase: Phrase) -> Begin:
        """What starts the stream, once past and phrase are checked."""
        return partial(
            self._rig.begin, self.manifest, self.settings,
            past=None if past is None else checked_sound(self.manifest, past),
            phrase=checked_phrase(phrase),
        )  # fmt: skip

    @contextmanager
    def _starting(self, what: str) -> Generator[None]:
        """The right to start, which one thread has while nothing plays."""
        if not self._changing.acquire(blocking=False):
            raise ConfigError(f"{what}: another thread starts or changes what plays; wait for it")
        try:
            self._refuse_forked(what)
            if self._rig.stream is not None:
                raise ConfigError(
                    f"{what}: this instrument is playing already; close() it, or create another one"
                )
            self._rig.ending.clear()
            yield
        finally:
            self._changing.release()

    def _refuse_forked(self, what: str) -> None:
        if self._rig.forked:
            raise ConfigError(
                f"{what}: this instrument plays in the process that this one was forked from; "
                "create another one here"
            )

    def _live_controls(self) -> LiveControls:
        return LiveControls(self.settings.number("gain"), pause=bool(self.settings["pause"]))

    def close(self) -> None:
        """Fade out and end everything, the take first; closing twice is harmless.

        It waits for a limited time only for a sound system that does not answer.
        """
        if self._rig.forked:  # it is the other process that plays
            return
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

    # ---------------------------------------------------------- changes while playing

    def load(self, pack: AnyPath, progress: Callable[[float], object] | None = None) -> None:
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
        tell = _nobody if progress is None else checked_function("progress", progress)
        name = str(checked_path("pack", pack))
        with self._change(f"load {name}"):
            manifest = read_manifest(find_pack(name))
            wanted, stride = profile(self._latency, manifest.block_seconds)
            tell(0.05)
            new = self._rig.make_stream(manifest, adapted(self.settings, manifest, stride), wanted)
            try:
                new.start()
                tell(0.5)
                self._rig.await_lead(new, lambda done: tell(0.5 + 0.4 * done))
                with self._lock:
                    faded = self._rig.go_over(new)
                    with self._control_lock:
                        self.manifest, self._wanted = manifest, wanted
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
        device = checked_device(device)
        with self._change(f"device {device}"):
            self._rig.move(device, self._lock)

    @contextmanager
    def _change(self, what: str) -> Generator[None]:
        """The right to change what plays, which one thread has at a time."""
        if not self._changing.acquire(blocking=False):
            raise ConfigError(f"{what}: another pack or device is being taken; wait for it")
        try:
            self._refuse_forked(what)
            if self._rig.stream is None or self._rig.output is None:
                raise ConfigError(f"{what}: nothing is playing; start playing first")
            yield
        finally:
            self._changing.release()

    # ----------------------------------------------------------------- controls

    def set(self, controls: Mapping[str, object] | None = None, /, **more: object) -> Settings:
        """Change controls; values are brought into range. Returns all as applied.

        A control goes by its full name, `set({"pack/density": 3})`, or by its short name where
        that is unique, `set(density=3, harmony="C E G")`; `"free"` leaves it to the music.

        Raises
        ------
        ConfigError
            For an unknown name or a value of the wrong kind; nothing is changed.
        """
        return self.controls.set({**(controls or {}), **more}, PYTHON).settings

    def _apply(self, settings: Settings, names: Collection[str]) -> None:
        """Apply these controls to what plays."""
        stream = self._rig.stream
        if stream is not None and any(settings.table[name].when == "block" for name in names):
            stream.feeder.set(settings)
        self._apply_live(settings, names)

    def _take_back(self, refused: Settings, good: Settings) -> None:
        """The feeder's thread: show the values that the pack plays with, not those it refused."""
        values = {
            name: good.values[name] for name, value in refused.values.items()
            if refused.table[name].when == "block" and value != good.values.get(name, value)
        }  # fmt: skip
        self.controls.set(values, REFUSED, seen=refused)

    def _release_actions(self, taken: Settings) -> None:
        """The feeder's thread: a block has taken the actions that were pressed."""
        pressed = [c.name for c in taken.table.of_kind("action") if taken.values[c.name]]
        if pressed:
            self.controls.set(dict.fromkeys(pressed, False), TAKEN, seen=taken)

    def _follow_tempo(self, values: Mapping[str, Value], seen: Settings | None) -> None:
        """Show what the tempo follows, unless somebody has just set it."""
        self.controls.set(values, TEMPO, seen=seen)

    @property
    def settings(self) -> Settings:
        """The controls as they are set; block controls may not be audible yet (see Status)."""
        return self.controls.settings

    def panic(self) -> None:
        """Fade out and stay silent until `set(pause=False)`, which starts a new piece.

        Everything that is generated or that waits for its beat or its time is dropped.
        """
        # Without the instrument's lock: silence waits for no disk, device or listener.
        mixer, stream = self._rig.mixer, self._rig.stream
        self.punches.clear()
        if mixer is not None:
            mixer.panic()
        self.controls.set({"pause": True}, PANIC)
        if stream is not None:
            stream.feeder.reset()
        if self._rig.notes is not None:
            self._rig.notes.release()  # a paused mixer plays no ends of notes
        self._say("panic", "Silence. Press play to start a new piece.")

    def new_piece(self) -> None:
        """Start a new piece with the next block; audio that is already generated fades out."""
        stream = self._rig.stream
        if stream is not None:
            stream.feeder.reset(at_once=False)

    def record(self, to: AnyPath | NewTake | None) -> Path | None:
        """Record the output into a file, or stop recording with None.

        Returns the file that is recorded into from now on.

        Raises
        ------
        StorageError, ConfigError
            The file cannot be written; nothing plays, or a new take's name is taken.
        """
        return self._rig.record(_take(to), int(self.settings.number("seed")))

    def keep(self, to: AnyPath | NewTake, seconds: float) -> Kept:
        """Write the last so many seconds of the output into a file.

        Raises
        ------
        StorageError, ConfigError
            The file cannot be written; nothing has played yet, or a new take's name is taken.
        """
        seconds = checked_seconds("keep: seconds", seconds, 0.1, 3600.0)
        take = _take(to)
        if take is None:
            raise ConfigError("keep: there is no path; use a file name such as 'kept.flac'")
        return self._rig.takes.keep(take, seconds, int(self.settings.number("seed")))

    @property
    def recording_problem(self) -> str:
        """Why the last take ended early, or nothing; also when nothing plays any more."""
        return self._rig.takes.problem

    # ------------------------------------------------------------------- status

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
        return self._rig.status(
            pack=self.manifest.name,
            seconds=self._clock.now() - self._begun,
            paused=bool(self.settings["pause"]),
            latencies=self.latencies(),
            action_faults=self.punches.faults,
            trouble=self._troubles.current,
            listener_errors=self.listener_errors,
        )


def _take(to: AnyPath | NewTake | None) -> Path | NewTake | None:
    return to if to is None or isinstance(to, NewTake) else checked_path("take", to)


def _nobody(_: float) -> None:
    """Who is told of progress that nobody asked for."""
