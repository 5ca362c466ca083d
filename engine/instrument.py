"""The instrument: its lifecycle, controls and listeners, and what plays now, if anything.

This is the public face: each method checks its arguments and calls `Playing` and its parts. Any
thread may call it; the instrument owns all its other threads and processes. There are two kinds of
seconds. Clock seconds are for live controls (`now`, `set_at`). Music seconds count from the start
of playing (`extent`, `horizon`, `listen_blocks`): they stand still while the music is paused, and
continue across a panic and a change of pack.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arguments import (
    HISTORY,
    LATENCIES,
    LONGEST_HISTORY,
    AnyPath,
    checked_device,
    checked_function,
    checked_latency,
    checked_number,
    checked_path,
    checked_seconds,
    checked_text,
    checked_whole,
)
from engine.audio.mixer import Block as Period
from engine.audio.mixer import LiveControls
from engine.audio.sinks import Sink
from engine.audio.take_names import NewTake
from engine.audio.takes import SavedTake
from engine.controls.bus import APPLIED, PACK, PANIC, PYTHON, REFUSED, TEMPO, ControlBus, Origin
from engine.controls.control import Value
from engine.controls.settings import Settings
from engine.cores import usable_cores
from engine.errors import AttaccaError, ConfigError, DeviceError, WorkerError
from engine.execution.targets import known_target
from engine.listeners import Listeners
from engine.moments import (
    Recall,
    Way,
    When,
    check_snapshot,
    checked_when,
    reach,
    snapshot_of,
    way_back,
)
from engine.music_arguments import checked_phrase, checked_sound
from engine.notes.note import Note, NoteEvent
from engine.offline import (
    BlockByBlock,
    Blocks,
    Rendering,
    render_channels,
    render_file,
    render_samples,
)
from engine.outlets import Outlets, checked_take
from engine.output import Output
from engine.pack_settings import control_table, settings_for
from engine.packs.discovery import DEFAULT, find_pack
from engine.packs.manifest import Manifest
from engine.packs.plan import block_seconds
from engine.packs.read import read_manifest
from engine.phrases import Phrase, answer, held_keys, hold, play_phrase
from engine.playing import FAILING, LivePlaying, Playing, await_lead, live_values
from engine.problems import Problems
from engine.status import Event, Status
from engine.stream.block_events import BlockEvent, DroppedAudio
from engine.stream.lead_and_stride import lead_and_stride
from engine.stream.pack_stream import PackStream, StreamSetup
from engine.stream.snapshot import Snapshot
from engine.time.clock import Clock, SystemClock
from engine.time.latencies import Latencies
from engine.time.quantised_actions import QuantisedActions
from engine.time.tempo import Tempo

DEFAULT_LATENCY = LATENCIES["default"]
JAM_LATENCY = LATENCIES["jam"]
DEFAULT_OR_NONE = "default-or-none"  # the default device, or none where there is none
_RATES = (8000, 192_000)  # Hz
_LENGTHS = (0.1, 31_536_000.0)  # seconds to render
_FADE_STEPS = 16
_CLOSE_LIMIT_S = 1.0  # to wait for a change of pack or device before closing


def _nothing(*_: object) -> None:
    """The listener of a caller that has none."""


class Instrument:
    """An endless instrument.

    Parameters
    ----------
    pack : name or folder.
    latency : seconds until a block control is audible, or `default` or `jam`.
    threads : of the generator's network; by default all cores but one.
    target : where the networks run, such as `cpu` or `cuda`; see docs/install.md.
    clock : of all threads.
    history : seconds that `go_back` reaches back, where 256 MB are enough for them.
    controls : as in `set`; by default those of the pack.

    Raises
    ------
    PackError, ConfigError
        The pack or a value cannot be used; the message is one line.
    """

    def __init__(
        self,
        pack: AnyPath = DEFAULT,
        *,
        latency: float | str = DEFAULT_LATENCY,
        threads: int | None = None,
        target: str = "cpu",
        clock: Clock | None = None,
        history: float = HISTORY,
        **controls: object,
    ) -> None:
        self.manifest: Manifest = read_manifest(find_pack(str(checked_path("pack", pack))))
        self._clock = clock or SystemClock()
        self._latency = latency = checked_latency(latency)
        self._target_lead, stride = lead_and_stride(latency, block_seconds(self.manifest))
        settings = Settings.defaults(control_table(self.manifest))
        settings = settings_for(settings, self.manifest, stride).changed(controls)
        if threads is None:
            threads = max(1, usable_cores() - 1)
        threads = checked_whole("threads", threads, 1, 256)
        target = known_target(checked_text("target", target)).name
        self._problems = Problems(self._publish_event, self._clock.now)
        failed = partial(self._problems.report, "listener", lasts=FAILING)
        self._outlets = Outlets(self._publish_event, failed, self._clock)
        self._setup = StreamSetup(
            threads, target, self._clock, self._publish_event, self._problems.report,
            on_refused=self._restore_accepted, on_block_event=self._outlets.blocks.publish,
            on_applied=self._release_actions, pace=lambda: self.tempo.pace(),
            history=checked_number("history", history, 0.0, LONGEST_HISTORY, "s"),
        )  # fmt: skip
        self._playing: Playing | None = None
        self._ending = self._clock.event()
        self.events: deque[Event] = deque(maxlen=256)
        self._event_listeners = Listeners("events", failed)
        self._changing = threading.RLock()  # one change of pack or device at a time; before _lock
        self._lock = threading.RLock()
        # For controls: held briefly and acquired last, so that setting a control never waits for a
        # change of pack, a disk or a sound system, and listeners may set controls.
        self._control_lock = threading.RLock()
        self.controls = ControlBus(
            settings, apply=self._apply, lock=self._control_lock, now=self._clock.now,
        )  # fmt: skip
        self._started_at = 0.0
        self.tempo = Tempo(
            self.settings, lambda values, seen: self.controls.set(values, TEMPO, seen=seen),
            self._publish_event, self._clock.now,
        )  # fmt: skip
        self.controls.listen(self.tempo.add_change)
        self.quantised_actions = QuantisedActions(
            self.tempo, lambda: self.settings["quantise"], self._publish_event, self._clock
        )

    # ---------------------------------------------------------------- lifecycle

    def play(
        self,
        device: str | None = "default",
        *,
        past: ArrayLike | None = None,
        phrase: Phrase = (),
    ) -> None:
        """Start playing into a device, or with `device=None` without one, in real time.

        Parameters
        ----------
        device : a name or a part of one; `default`; with `default-or-none` it plays without a
            device if there is no default device, and sends an event.
        past : sound that is played first and then continued: [frames] or [frames, channels] at the
            pack's rate; see `attacca.read_past`.
        phrase : notes to start with, for a pack that generates notes; as in `play_phrase`.

        Raises
        ------
        DeviceError, PackError, WorkerError, ConfigError
            The message is one line; nothing is left running.
        """
        device = checked_device(device)
        with self._starting("play"), self._lock:
            sound = None if past is None else checked_sound(self.manifest, past)
            notes = checked_phrase(phrase)
            # A missing device is refused at once, before the pack is opened.
            output = self._open_output(device)
            try:
                stream = self._start_stream(self._target_lead, sound, notes)
                self._started_at = self._clock.now()
                playing = LivePlaying(
                    stream, output, self._setup, self._outlets, self._live_controls,
                    self._open_output, self._ending,
                )  # fmt: skip
                self._set_playing(playing)
                playing.start()
            except BaseException:
                self.close()
                output.close()
                raise

    def _open_output(self, device: str | None) -> Output:
        """An output; see `Output` for what it raises."""
        common = (self._latency, self._clock, self._publish_event, self._ending)
        try:
            return Output("default" if device == DEFAULT_OR_NONE else device, *common)
        except DeviceError as error:
            if device != DEFAULT_OR_NONE:
                raise
            self._publish_event("device", f"{error}; playing without a sound device")
            return Output(None, *common)

    def _start_stream(
        self,
        target_lead: float,
        past: NDArray[np.float32] | None,
        phrase: Phrase,
        *,
        wait: bool = False,
    ) -> PackStream:
        """Start a stream; with `wait`, for rendering offline.

        Raises
        ------
        AttaccaError
            The pack cannot be opened, or there is a phrase and it generates no notes.
        """
        notes = checked_phrase(phrase)
        setup = replace(self._setup, wait=wait)
        stream = PackStream(self.manifest, self.settings, target_lead, setup)
        self._outlets.blocks.publish(DroppedAudio(0.0, 0.0))  # positions count from 0 again
        stream.block_publisher.start(0.0)
        self._set_playing(Playing(stream))
        stream.start(past, notes)
        return stream

    def _set_playing(self, playing: Playing) -> None:
        """Play this from now on, with the present controls."""
        with self._control_lock:
            self._playing = playing
            playing.stream.feeder.set(self.settings)
            playing.set_live(**live_values(self.settings, ("gain", "pause")))

    @contextmanager
    def _starting(self, what: str) -> Generator[None]:
        """Only one thread may start playing at a time, and only while nothing plays."""
        if not self._changing.acquire(blocking=False):
            raise ConfigError(
                f"{what}: another thread is starting or changing what plays; wait until it is done"
            )
        try:
            self._refuse_forked(what)
            if self._playing is not None:
                raise ConfigError(
                    f"{what}: this instrument is already playing; close() it, or create another one"
                )
            self._ending.clear()
            yield
        finally:
            self._changing.release()

    def _refuse_forked(self, what: str) -> None:
        if self._forked:
            raise ConfigError(
                f"{what}: this instrument plays in the parent process; create another one here"
            )

    @property
    def _forked(self) -> bool:
        return self._playing is not None and self._playing.forked

    def _live_controls(self) -> LiveControls:
        return LiveControls(self.settings.number("gain"), pause=bool(self.settings["pause"]))

    def close(self) -> None:
        """Fade out and stop everything, the take first; closing twice is harmless.

        The wait for a sound system that does not answer has a time limit.
        """
        if self._forked:  # the parent process plays
            return
        self._ending.set()
        changing = self._changing.acquire(timeout=_CLOSE_LIMIT_S)
        try:
            with self._lock:
                playing, self._playing = self._playing, None
                if playing is not None:
                    playing.close()
        finally:
            if changing:
                self._changing.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---------------------------------------------------------- changes while playing

    def load(self, pack: AnyPath, progress: Callable[[float], object] | None = None) -> None:
        """Change to another pack, with a crossfade; this one plays until the other is ready.

        Controls keep their values, except steps, temperature, guidance and stride, which are set
        for the new pack, and values that the new pack does not have.

        Parameters
        ----------
        pack : name or folder.
        progress : called with the fraction done, in this thread.

        Raises
        ------
        PackError, WorkerError, ConfigError
            The pack cannot be played, another change is in progress, or nothing plays; this pack
            continues.
        """
        report = _nothing if progress is None else checked_function("progress", progress)
        name = str(checked_path("pack", pack))
        with self._change(f"load {name}") as playing:
            manifest = read_manifest(find_pack(name))
            _, stride = lead_and_stride(self._latency, block_seconds(manifest))
            self._change_stream(
                playing, manifest, self._setup, report,
                lambda now: settings_for(now, manifest, stride),
            )  # fmt: skip

    def change_target(self, target: str, progress: Callable[[float], object] | None = None) -> None:
        """Run the networks on another target, with a crossfade as in `load`.

        A new piece starts there, with the present controls. The target is also used for packs that
        are loaded later. To retry a target that has failed, change to it again.

        Parameters
        ----------
        target : such as `cuda`; see `targets`.
        progress : called with the fraction done, in this thread.

        Raises
        ------
        PackError, WorkerError, ConfigError
            There is no such target, the pack cannot be played there, another change is in
            progress, or nothing plays; the target stays the same.
        """
        report = _nothing if progress is None else checked_function("progress", progress)
        target = known_target(checked_text("target", target)).name
        with self._change(f"target {target}") as playing:
            setup = replace(self._setup, target=target)
            self._change_stream(playing, self.manifest, setup, report, lambda now: now)
            self._setup = setup

    def _change_stream(
        self,
        playing: LivePlaying,
        manifest: Manifest,
        setup: StreamSetup,
        report: Callable[[float], object],
        adapt: Callable[[Settings], Settings],
    ) -> None:
        """Open another stream, and fade to it when its lead has reached the target.

        `adapt` returns the settings of the new stream for the present settings.
        """
        target_lead, _ = lead_and_stride(self._latency, block_seconds(manifest))
        report(0.05)
        new = PackStream(manifest, adapt(self.settings), target_lead, setup)
        try:
            new.start()
            report(0.5)
            await_lead(new, self._clock, self._ending, lambda done: report(0.5 + 0.4 * done))
            with self._lock:
                if self._playing is not playing:
                    raise ConfigError(f"pack {manifest.name!r}: playing has ended in the meantime")
                finish = playing.crossfade_to(new)
                with self._control_lock:
                    self.manifest, self._target_lead = manifest, target_lead
                    # Controls may have changed in the meantime.
                    self.controls.replace(adapt(self.settings), PACK)
        except BaseException:
            new.stop()
            raise
        finish()
        self._publish_event("pack", manifest.name)
        report(1.0)

    def move(self, device: str | None) -> None:
        """Continue on another sound device (None: without a device), with a fade between the two.

        A take continues, in another file if the new device has another rate or channel count.

        Raises
        ------
        DeviceError, ConfigError
            The device cannot be opened, another change is in progress, or nothing plays. The old
            device continues, or none if it is lost too.
        """
        device = checked_device(device)
        with self._change(f"device {device}") as playing:
            playing.move(device, self._lock)

    @contextmanager
    def _change(self, what: str) -> Generator[LivePlaying]:
        """What plays; only one thread may change it at a time."""
        if not self._changing.acquire(blocking=False):
            raise ConfigError(
                f"{what}: another change of pack or device is in progress; wait until it is done"
            )
        try:
            self._refuse_forked(what)
            if not isinstance(self._playing, LivePlaying):
                raise ConfigError(f"{what}: nothing is playing; start playing first")
            yield self._playing
        finally:
            self._changing.release()

    # ----------------------------------------------------------------- controls

    def set(self, controls: Mapping[str, object] | None = None, /, **more: object) -> Settings:
        """Change controls; numbers are clipped to their range. Returns all controls as set.

        A control goes by its full name, `set({"pack/density": 3})`, or by its short name where
        that is unique, `set(density=3, harmony="C E G")`; `"free"` leaves it to the music.

        Raises
        ------
        ConfigError
            A name is unknown or a value is of the wrong kind; nothing is changed.
        """
        return self.controls.set({**(controls or {}), **more}, PYTHON).settings

    def _apply(self, settings: Settings, names: Collection[str]) -> None:
        """Apply controls of these names to what plays."""
        playing = self._playing
        if playing is None:
            return
        if any(settings.table[name].when == "block" for name in names):
            playing.stream.feeder.set(settings)
        # Only those that changed: others may be scheduled.
        live = live_values(settings, names)
        if live:
            playing.set_live(**live)

    def _restore_accepted(self, refused: Settings, accepted: Settings) -> None:
        """Feeder thread: replace the values that the pack refused by those that it plays with."""
        values = {
            name: accepted.values[name] for name, value in refused.values.items()
            if refused.table[name].when == "block" and value != accepted.values.get(name, value)
        }  # fmt: skip
        self.controls.set(values, REFUSED, seen=refused)

    def _release_actions(self, applied: Settings) -> None:
        """Feeder thread: a block has applied the actions that were pressed."""
        pressed = [c.name for c in applied.table.of_kind("action") if applied.values[c.name]]
        if pressed:
            self.controls.set(dict.fromkeys(pressed, False), APPLIED, seen=applied)

    @property
    def settings(self) -> Settings:
        """All controls as set; block controls may not be audible yet."""
        return self.controls.settings

    @property
    def held(self) -> tuple[int, ...]:
        """The held keys, as MIDI pitches."""
        return held_keys(self.controls)

    def panic(self) -> None:
        """Fade out and stay silent until `set(pause=False)`, which starts a new piece.

        All generated audio and all scheduled actions are dropped.
        """
        # Without the lock, so that silence never waits for a disk, a device or a listener.
        playing = self._playing
        self.quantised_actions.clear()
        if playing is not None:
            playing.silence()
        self.controls.set({"pause": True}, PANIC)
        if playing is not None:
            playing.drop()
        self._publish_event("panic", "Silence. Press play to start a new piece.")

    def new_piece(self) -> None:
        """Start a new piece with the next block; audio that is already generated fades out."""
        if self._playing is not None:
            self._playing.stream.feeder.reset(at_once=False)

    def record(self, to: AnyPath | NewTake | None) -> Path | None:
        """Record the output into a file, or stop recording with None.

        Returns the file of the recording.

        Raises
        ------
        StorageError, ConfigError
            The file cannot be written, nothing plays, or a file of the new take's name exists.
        """
        take, playing = checked_take(to), self._playing
        if isinstance(playing, LivePlaying):
            return self._outlets.record(playing.mixer, take, int(self.settings.number("seed")))
        if take is not None:
            raise ConfigError("record: nothing is playing; start playing first")
        return None

    def save_recent(self, to: AnyPath | NewTake, seconds: float) -> SavedTake:
        """Save the last `seconds` of the output, even if you were not recording.

        Raises
        ------
        StorageError, ConfigError
            The file cannot be written, nothing has played yet, or a file of that name exists.
        """
        seconds = checked_seconds("save_recent: seconds", seconds, 0.1, 3600.0)
        take = checked_take(to)
        if take is None:
            raise ConfigError(
                "save_recent: there is no path; use a file name such as 'recent.flac'"
            )
        return self._outlets.takes.save_recent(take, seconds, int(self.settings.number("seed")))

    @property
    def recording_problem(self) -> str:
        """Why the last take ended early, or nothing; also after playing has ended."""
        return self._outlets.takes.problem

    # ------------------------------------------------------------------- status

    @property
    def target(self) -> str:
        """The selected target; if it fails during playback, `cpu` replaces it."""
        return self._setup.target

    @property
    def targets(self) -> tuple[str, ...]:
        """The available targets; none while nothing plays."""
        return () if self._playing is None else self._playing.stream.feeder.targets

    @property
    def generator_pid(self) -> int | None:
        """Process id of the generator while it runs."""
        return self._playing.stream.feeder.generator_pid if self._playing is not None else None

    @property
    def failure(self) -> AttaccaError | None:
        """The error that ended the stream, if any."""
        return self._playing.failure if self._playing is not None else None

    def latencies(self) -> Latencies:
        """The parts of the present latency."""
        playing, stride = self._playing, self.settings.number("stride")
        device, ring, mixer = playing.output_latency if playing is not None else (0.0, 0.0, 0.0)
        block = stride * block_seconds(self.manifest)
        return Latencies(device, ring, mixer, self._target_lead, block)

    def reset_xruns(self) -> None:
        """Count xruns from 0 again."""
        with self._lock:
            if isinstance(self._playing, LivePlaying):
                self._playing.reset_xruns()

    def status(self) -> Status:
        """The present state of everything.

        Raises
        ------
        ConfigError
            Nothing is playing.
        """
        if not isinstance(self._playing, LivePlaying):
            raise ConfigError("nothing is playing; call play() first")
        return self._playing.status(
            seconds=self._clock.now() - self._started_at,
            latencies=self.latencies(),
            action_faults=self.quantised_actions.faults,
            problem=self._problems.current,
            listener_errors=self.listener_errors,
            history=self.history_seconds(),
        )

    # ---------------------------------------------------------------- offline

    @overload
    def render(
        self, path: AnyPath, seconds: float, *, rate: int | None = None,
        past: ArrayLike | None = None, phrase: Phrase = (),
        progress: Callable[[float], object] | None = None,
    ) -> Path | None: ...  # fmt: skip

    @overload
    def render(
        self, path: None = None, *, seconds: float, rate: int | None = None,
        past: ArrayLike | None = None, phrase: Phrase = (),
        progress: Callable[[float], object] | None = None,
    ) -> tuple[NDArray[np.float32], tuple[Note, ...]]: ...  # fmt: skip

    def render(
        self,
        path: AnyPath | None = None,
        seconds: float | None = None,
        *,
        rate: int | None = None,
        past: ArrayLike | None = None,
        phrase: Phrase = (),
        progress: Callable[[float], object] | None = None,
    ) -> tuple[NDArray[np.float32], tuple[Note, ...]] | Path | None:
        """Play as fast as blocks can be generated: into a file, or into an array.

        Parameters
        ----------
        path : of the file, ending in .wav, .flac or .ogg. The notes go into a MIDI file beside it,
            which never replaces another one.
        seconds : length with the fade-out at its end; 0.1 or more.
        rate : frames per second; the pack's own by default.
        past, phrase : as in `play`.
        progress : called with the fraction done; if it returns False, the music ends there.

        Returns
        -------
        With a path, the path of the MIDI file, if there are notes.
        Without a path, the samples, ndarray [shape=(frames, channels)] float32, and the notes, in
        seconds from the first sample. Gain and limiter are applied, as in a file.

        Raises
        ------
        StorageError, PackError, WorkerError, ConfigError
            The message is one line.
        """
        rate = self.manifest.rate if rate is None else checked_whole("rate", rate, *_RATES, "Hz")
        seconds = checked_seconds("render: seconds", seconds, *_LENGTHS)
        progress = None if progress is None else checked_function("progress", progress)
        file = None if path is None else checked_path("render", path)
        with self._starting("render"):
            sound = None if past is None else checked_sound(self.manifest, past)
            try:
                target_lead = self._target_lead if sound is None else 0.0
                with self._lock:
                    stream = self._start_stream(target_lead, sound, phrase, wait=True)
                if sound is not None:
                    self._await_continuation(stream, len(sound))
                start, channels = partial(self._render_into, stream, rate), render_channels(stream)
                if file is None:
                    listeners = self._outlets.notes
                    return render_samples(start, channels, seconds, rate, progress, listeners)
                return render_file(start, channels, file, seconds, rate, progress)
            finally:
                self.close()

    def _await_continuation(self, stream: PackStream, frames: int) -> None:
        """Wait for the block that continues a past of `frames` and replaces its end."""
        stream.set_target_lead((frames + 0.5) / self.manifest.rate)
        await_lead(stream, self._clock, self._ending, lambda _: None)
        stream.set_target_lead(self._target_lead)

    def _render_into(self, stream: PackStream, rate: int, sink: Sink) -> Rendering:
        rendering = Rendering(
            stream, sink, rate, self._setup, self._live_controls(), self._outlets.notes,
            self._ending,
        )  # fmt: skip
        self._set_playing(rendering)
        return rendering

    def blocks(
        self, seconds: float | None = None, *, past: ArrayLike | None = None, phrase: Phrase = ()
    ) -> Blocks:
        """Generate block by block: `for block in piano.blocks(): block.samples, block.notes`.

        A block is generated when it is requested: controls, keys and phrases that are set between
        two blocks apply to the second. Samples are at the pack's rate, before gain and limiter;
        consecutive blocks join without a gap. Their length depends on the pack and on `stride`.
        The iterator ends when it is closed, exhausted or garbage collected; until then the
        instrument can do nothing else.

        Parameters
        ----------
        seconds : of all blocks together; endless by default.
        past, phrase : as in `play`; the first block starts with the past.

        Raises
        ------
        PackError, WorkerError, ConfigError
            The message is one line.
        """
        pack = self.manifest
        frames: int | None = None
        if seconds is not None:
            frames = round(checked_seconds("blocks: seconds", seconds, *_LENGTHS) * pack.rate)
        with self._starting("blocks"), self._lock:
            sound = None if past is None else checked_sound(pack, past)
            try:
                stream = self._start_stream(0.0, sound, phrase, wait=True)
            except BaseException:
                self.close()
                raise
            playing = BlockByBlock(stream, self._outlets.notes)
            self._set_playing(playing)
            return Blocks(
                playing, past=0 if sound is None else len(sound), frames=frames,
                is_playing=self._is_playing, end=self._end_blocks,
            )  # fmt: skip

    def _is_playing(self, playing: Playing) -> bool:
        return self._playing is playing

    def _end_blocks(self, playing: Playing) -> None:
        if self._is_playing(playing):
            self.close()

    # ---------------------------------------------------------------- playing along

    def hold(self, keys: int | str | Iterable[int | str], origin: Origin = PYTHON) -> None:
        """Hold these keys: the music plays around them from the next block on; [] releases all.

        Sets the pack's control of kind keys.

        Parameters
        ----------
        keys : one or several, as MIDI pitches or by name: `60`, `[36, 48]`, `"C4"`, `"C3 G3"`.
        origin : who holds them.

        Raises
        ------
        ConfigError
            The pack does not use held keys, or a key is out of its range.
        """
        hold(self.controls, self.manifest.name, keys, origin)

    def answer(self, phrase: Phrase | ArrayLike) -> None:
        """Continue a phrase that was played elsewhere: notes, or sound at the pack's rate.

        The phrase itself is not played. The pack's transcription model finds the notes of sound, an
        array [frames] or [frames, channels]. An array with 4 columns contains notes.

        Raises
        ------
        ConfigError
            Nothing is playing, the pack generates no notes or cannot transcribe, or the phrase
            cannot be used.
        """
        answer(self._playing, phrase)

    def play_phrase(self, notes: Phrase) -> None:
        """Play these notes next, in the pack's sound, and continue from them.

        Raises
        ------
        ConfigError
            Nothing is playing, the pack generates no notes, or the notes cannot be used.
        """
        play_phrase(self._playing, notes)

    # ---------------------------------------------------------------- returning

    def take_snapshot(self) -> Snapshot:
        """A snapshot of what is audible now: the music, its position, tempo and the controls.

        `write_snapshot` and `read_snapshot` keep it as a file, for another run of the program.

        Raises
        ------
        ConfigError
            Nothing plays, or no music is audible yet.
        """
        playing, now = self._what_plays("take_snapshot"), self._clock.now()
        return snapshot_of(playing, self.settings, self.tempo.timeline(now), now, self.target)

    def go_back(self, seconds: float = 0.0, *, beats: float = 0.0, blocks: int = 0) -> None:
        """Play again from an earlier moment, counted from the audible one, with a short crossfade.

        The block of that moment is repeated bit by bit; the present controls apply after it. Going
        back by 0 drops the lead.

        Parameters
        ----------
        seconds, beats, blocks : how far; one of them. Beats are of the present tempo; the music
            stays on the beat.

        Raises
        ------
        ConfigError
            Nothing plays, more than one of them is used, or the history is not long enough.
        """
        seconds = checked_number("go_back: seconds", seconds, 0.0, LONGEST_HISTORY)
        beats = checked_number("go_back: beats", beats, 0.0, 10_000.0)
        blocks = checked_whole("go_back: blocks", blocks, 0, 100_000)
        if sum(map(bool, (seconds, beats, blocks))) > 1:
            raise ConfigError("go_back: use one of seconds, beats and blocks")
        playing = self._what_plays("go_back")
        seconds += beats * 60.0 / self.tempo.timeline().bpm
        way_back(playing, seconds=seconds, blocks=blocks).go(playing)

    def fork(self, seed: int | None = None, snapshot: Snapshot | None = None) -> int:
        """Continue from the audible moment, or from a snapshot, with another seed.

        Returns the seed; the default is the present one plus 1.

        Raises
        ------
        ConfigError
            Nothing plays, no music is audible yet, or the snapshot is of another pack.
        """
        following = (int(self.settings.number("seed")) + 1) % 2**31
        seed = following if seed is None else checked_whole("fork: seed", seed, 0, 2**31 - 1)
        playing = self._what_plays("fork")
        if snapshot is None:
            way = way_back(playing)
        else:
            check_snapshot(playing.stream.manifest, snapshot)
            way = Way(snapshot.places["now"], None)
        self.controls.set({"seed": seed}, PYTHON)
        way.go(playing)
        return seed

    def recall(
        self,
        snapshot: Snapshot,
        when: When | None = None,
        *,
        done: Callable[[], object] = _nothing,
        dropped: Callable[[], object] = _nothing,
    ) -> float:
        """Return to a snapshot: its controls, its tempo, and its music from when it was taken.

        Locked controls stay as they are, as with presets, and so does a tempo that is followed.

        Parameters
        ----------
        when : `now`; or `beat` or `bar`: then the beat or bar line before the moment falls on the
            next one. By default as the control `quantise` says.
        done, dropped : called in another thread when what waited is audible, or when another
            recall has taken its place; they must not wait.

        Returns
        -------
        Seconds until it is audible; 0 for `now`, which takes as long as it takes.

        Raises
        ------
        ConfigError
            Nothing plays, or the snapshot is of another pack.
        """
        quantise = self.settings["quantise"]
        line = checked_when("recall", when or ("now" if quantise == "off" else quantise))
        playing = self._what_plays("recall")
        check_snapshot(playing.stream.manifest, snapshot)
        recall = Recall(
            snapshot, playing, self.controls, self.tempo, self.quantised_actions, self._clock.now
        )
        if line != "now":
            return recall.on(line, done, dropped)
        recall.at_once()
        return 0.0

    def history_seconds(self) -> float:
        """Seconds that `go_back` can go back now; 0 while nothing plays."""
        return reach(self._playing) if self._playing is not None else 0.0

    def _what_plays(self, what: str) -> Playing:
        if self._playing is None:
            raise ConfigError(f"{what}: nothing is playing; start playing first")
        return self._playing

    # ---------------------------------------------------------------- listening

    def listen(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call `listener` with every event."""
        return self._event_listeners.add(listener)

    def listen_notes(self, listener: Callable[[NoteEvent], object]) -> Callable[[], None]:
        """Call `listener` with every note as it goes to the output, timed from the mixer's start.

        The note is audible `latencies().live` seconds later.
        """
        return self._outlets.notes.add(listener)

    def listen_blocks(self, listener: Callable[[BlockEvent], object]) -> Callable[[], None]:
        """Call `listener` with every generated block and with all dropped audio.

        It is called at once with the last events, which may not be audible yet.
        """
        return self._outlets.blocks.add(listener)

    def tap(self, tap: Callable[[Period], object]) -> Callable[[], None]:
        """Call `tap` with every period that goes to the output, in the mixer's thread.

        It must not keep the array [frames, channels]. Taps survive changes of pack and device.
        """
        return self._outlets.taps.add(tap)

    @property
    def listener_errors(self) -> int:
        """How often a listener raised; an event of kind `error` describes it."""
        return self._event_listeners.errors + self._outlets.errors

    def publish_event(self, kind: str, text: str) -> None:
        """Call all listeners to events with an event, in this thread.

        Raises
        ------
        ConfigError
            `kind` or `text` is not text.
        """
        self._publish_event(
            checked_text("publish_event", kind), checked_text("publish_event", text)
        )

    def _publish_event(self, kind: str, text: str) -> None:
        event = Event(kind, text, self._clock.now() - self._started_at if self._started_at else 0.0)
        self.events.append(event)
        self._event_listeners(event)

    # ------------------------------------------------------------------ the clock

    def now(self) -> float:
        """Seconds of the clock of `set_at`."""
        return self._clock.now()

    @property
    def rate(self) -> int:
        """Frames per second of the output; 0 when nothing is playing."""
        return self._playing.rate if self._playing is not None else 0

    def set_at(self, at: float, **controls: Value) -> float | None:
        """Schedule `gain` and `pause` for the frame that is audible at `at`, in seconds of `now`.

        The settings stay as they are: set them at that time, as `planned`.

        Returns
        -------
        Seconds by which it is late: then it applies from the next period on. 0 when it is in time.
        None when it cannot be scheduled: then set the controls at that time.
        """
        at = checked_number("set_at", at, -1e12, 1e12, "s")
        if self._playing is None:
            return None
        planned = self.settings.changed(controls)
        return self._playing.set_live_at(at, **live_values(planned, controls))

    def fade_out(self, seconds: float) -> None:
        """Turn the output down in this thread; the control `gain` keeps its value."""
        gain = self.settings.number("gain")
        for i in range(1, _FADE_STEPS + 1):
            if self._playing is not None:
                self._playing.set_live(gain_db=gain - 60.0 * (i / _FADE_STEPS) ** 2)
            self._clock.sleep(seconds / _FADE_STEPS)

    # ------------------------------------------------------------------ the music

    def extent(self) -> tuple[float, float]:
        """Seconds of music played, and seconds generated."""
        playing = self._playing
        return playing.stream.extent() if playing is not None else (0.0, 0.0)

    def horizon(self) -> tuple[float, float]:
        """Seconds of music played, and where the first block with the present settings starts.

        Both stand still while the music is paused, and continue across a change of pack; (0, 0)
        when nothing is playing.
        """
        playing = self._playing
        return playing.stream.horizon() if playing is not None else (0.0, 0.0)

    def wait_for_sound(self, timeout: float = 30.0) -> float:
        """Wait until the first block is generated; returns the seconds it took.

        Raises
        ------
        ConfigError
            Nothing is playing, or no longer.
        AttaccaError
            The error that ended the stream before its first block.
        WorkerError
            There is no block in time.
        """
        timeout = checked_seconds("wait_for_sound", timeout, 0.0, 3600.0)
        started = self._clock.now()
        while self._clock.now() - started < timeout:
            if self._playing is None:
                raise ConfigError("wait_for_sound: nothing is playing; call play() first")
            stream = self._playing.stream
            if stream.feeder.failure is not None:
                raise stream.feeder.failure
            if stream.lead.seconds > 0:
                return self._clock.now() - started
            self._clock.sleep(0.005)
        raise WorkerError(f"no sound after {timeout:g} s; run 'attacca doctor'")
