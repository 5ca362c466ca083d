"""The parts that sound, wired: a pack's stream, the mixer, the output, the takes.

Owned by the instrument. `begin`, `into`, `go_over`, `attach`, `close` are called under its lock;
`move` and `await_lead` wait, and are called without it, by whoever holds the right to change.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.clock import Clock
from engine.audio.mixer import Block, LiveControls, Mixer
from engine.audio.mixer_counters import MixerStats
from engine.audio.portaudio import DEFAULT
from engine.audio.sinks import FileSink, Sink
from engine.audio.take_names import NewTake, path_of
from engine.audio.takes import Takes
from engine.controls.settings import Settings
from engine.errors import AttaccaError, ConfigError, DeviceError, StorageError
from engine.listeners import Listeners
from engine.output import CHANNELS_OUT, Output
from engine.packs.manifest import Manifest
from engine.signal.roll import Note, NoteEvent
from engine.status import Latencies, Status
from engine.stream.made import Audience, Dropped
from engine.stream.notes_file import CollectedNotes, NotesFile
from engine.stream.notes_out import NotesOut
from engine.stream.pack_stream import PackStream, StreamSetup

__all__ = ["DEFAULT_OR_NONE", "PERIOD", "Rig"]

PERIOD = 128  # frames of the mixer; docs/audio-path.md has the measurement
CROSSFADE = 1.5  # seconds from one pack to the next
DEFAULT_OR_NONE = "default-or-none"  # the default device, or none where there is none
_FAILING = 2.0  # seconds after an error of the mixer or a listener for which it counts as going on


class Rig:
    """What plays, once it does; everything is None before `begin` and after `close`.

    Parameters
    ----------
    setup : of every stream.
    latency : seconds that the performer asked for.
    live : the live controls as they are set.
    """

    def __init__(
        self, setup: StreamSetup, latency: float, live: Callable[[], LiveControls]
    ) -> None:
        def failed(text: str) -> None:
            setup.trouble("listener", text, _FAILING)

        self.blocks = Audience(failed)
        self.note_listeners: Listeners[NoteEvent] = Listeners("notes", failed)
        self.taps: Listeners[Block] = Listeners("sound", failed)
        self._setup = replace(setup, made=self.blocks.tell)
        self._latency, self._live = latency, live
        self.stream: PackStream | None = None
        self.mixer: Mixer | None = None
        self.output: Output | None = None
        self.notes: NotesOut | None = None
        self.takes = Takes(setup.say)
        self.ending = threading.Event()
        self._recording = threading.Lock()
        self._process = 0  # in which it plays
        self._xruns = 0  # of outputs before this one, less those that are forgotten
        self._mixed = MixerStats()  # by mixers before this one

    # ------------------------------------------------------------------ begin and end

    def open_output(self, device: str | None) -> Output:
        """An output; see `Output` for what it raises."""
        wanted = DEFAULT if device == DEFAULT_OR_NONE else device
        try:
            return self._output(wanted)
        except DeviceError as error:
            if device != DEFAULT_OR_NONE:
                raise
            self._setup.say("device", f"playing without sound, as {error}")
            return self._output(None)

    def _output(self, device: str | None) -> Output:
        return Output(device, self._latency, self._setup.clock, self._setup.say, self.ending)

    def make_stream(self, manifest: Manifest, settings: Settings, wanted: float) -> PackStream:
        """A stream that is not started, for `go_over`."""
        return PackStream(manifest, settings, wanted, self._setup)

    def begin(
        self,
        manifest: Manifest,
        settings: Settings,
        wanted: float,
        *,
        past: NDArray[np.float32] | None,
        phrase: Sequence[Note],
        wait: bool = False,
        clock: Clock | None = None,
    ) -> PackStream:
        """Start the stream; with `wait`, for rendering offline. `clock` is for its feeder's pauses.

        Raises
        ------
        AttaccaError
            The pack cannot be opened, or makes no notes and was given a phrase.
        """
        self._process = os.getpid()
        self._xruns, self._mixed = 0, MixerStats()
        setup = replace(self._setup, wait=wait, clock=clock or self._setup.clock)
        self.stream = PackStream(manifest, settings, wanted, setup)
        self.blocks.tell(Dropped(0.0, 0.0))  # the axis begins anew
        self.stream.teller.begin(0.0)
        self.stream.start(past, phrase)
        return self.stream

    def make_mixer(self, sink: Sink, rate: int) -> Mixer:
        """A mixer for the stream; frames are counted on from the one before, where rates agree."""
        stream, before = self.stream, self.mixer
        assert stream is not None
        goes_on = before is not None and before.rate == rate
        manifest = stream.manifest
        mixer = Mixer(
            stream.lead, sink, rate_in=manifest.rate, rate_out=rate,
            channels_in=manifest.channels, clock=self._setup.clock,
            resampler=stream.resampler(rate), period=PERIOD, controls=self._live(),
            failed=lambda error: self._setup.say("failed", str(error)),
            begun=before.frames if before is not None and goes_on else 0,
            trouble=lambda kind, text: self._setup.trouble(kind, text, _FAILING),
        )  # fmt: skip
        if before is not None:
            self._mixed = self._mixed.plus(before.stats)
        self.mixer = mixer
        if self.notes is None or not goes_on:
            self.notes = NotesOut(rate, self._rendered, mixer.latency_frames)
            self.notes.set_listeners((self.note_listeners,))
        stream.notes_out = self.notes
        self.notes.hear(stream)
        return mixer

    def _rendered(self) -> int:
        return self.mixer.frames if self.mixer is not None else 0

    def into(self, output: Output) -> None:
        """Play into an output from now on.

        Raises
        ------
        DeviceError
            It does not start; it is closed again, and nothing plays.
        ConfigError
            Playing has ended meanwhile.
        """
        if self.ending.is_set():
            output.close()
            raise ConfigError(f"device {output.name}: playing has ended meanwhile")
        self.output = output
        mixer = self.make_mixer(output.sink, output.rate)
        self.takes.open(output.rate, output.channels, self.notes)
        self.attach()
        mixer.run_live()
        try:
            output.start()
        except DeviceError:
            self._stop_mixer(mixer, output)
            output.close()
            raise

    def _stop_mixer(self, mixer: Mixer, output: Output) -> None:
        """Fade out into an output and let the card take the fade."""
        output.unwatch()
        ended = mixer.failure is not None  # it has said why
        try:
            mixer.stop()
        except AttaccaError as error:
            if not ended:
                self._setup.say("failed", str(error))
        output.drain()

    def render(
        self,
        path: Path,
        seconds: float,
        rate: int,
        progress: Callable[[float], object] | None,
    ) -> Path | None:
        """Write what the stream makes into a file, and its notes beside it.

        `progress` is called with the fraction done; when it answers False the file ends there.
        Returns the MIDI file, if there were notes.

        Raises
        ------
        AttaccaError
            The file cannot be written; what ended the stream.
        """
        stream = self.stream
        assert stream is not None
        # Not before the pack is open: one that cannot be must not cost an older file.
        sink = FileSink(path, rate, self.render_channels)
        collected = CollectedNotes()
        notes = NotesFile(path, collected)
        try:
            mixer = self.make_mixer(sink, rate)
            assert stream.notes_out is not None
            stream.notes_out.collect(collected)

            def write_notes(done: float) -> object:
                notes.write(mixer.frames / rate)
                return None if progress is None else progress(done)

            self.run_offline(mixer, round(seconds * rate), write_notes)
            notes.close(mixer.frames / rate)
            if notes.problem:
                raise StorageError(f"{path.name} is complete, but {notes.summary}")
        except BaseException:
            with contextlib.suppress(StorageError):  # what there is stays readable
                sink.finish()
            notes.close(sink.frames / rate)
            raise
        finally:
            self.end_offline()
        return notes.path

    @property
    def render_channels(self) -> int:
        """Channels of what is rendered offline."""
        assert self.stream is not None
        return CHANNELS_OUT if self.stream.manifest.channels > 1 else 1

    def run_offline(
        self, mixer: Mixer, frames: int, progress: Callable[[float], object] | None
    ) -> None:
        """Render so many frames, with the fade-out at their end, and finish the sink.

        When `progress` answers False they end there.

        Raises
        ------
        AttaccaError
            The sink cannot be written; what ended the stream; the instrument was closed.
        """
        stream = self.stream
        assert stream is not None
        periods = max(1, (frames - mixer.fade_frames) // PERIOD)
        for i in range(periods):
            mixer.process_once()
            if stream.feeder.failure is not None:
                raise stream.feeder.failure
            if progress is not None and i % 64 == 0 and progress(i / periods) is False:
                frames = 0
                break
            if self.ending.is_set():
                raise ConfigError("render: the instrument was closed meanwhile")
        mixer.finish(frames)

    def end_offline(self) -> None:
        """Release the keys that are down, and the mixer."""
        if self.notes is not None and self.mixer is not None:
            self.notes.let_go()
        self.mixer = None

    @property
    def forked(self) -> bool:
        """Whether it plays in another process, from which this one was forked."""
        return self.stream is not None and self._process != os.getpid()

    def close(self) -> None:
        """Fade out and end everything, the take first; closing twice is harmless.

        Whatever the sound system does, this waits for it for a limited time.
        """
        output, self.output = self.output, None
        mixer, self.mixer = self.mixer, None
        try:
            if mixer is not None and output is not None:
                self._stop_mixer(mixer, output)
            if self.notes is not None:
                self.notes.let_go()
        finally:
            self.takes.end()  # after the mixer, so that a recording has the fade-out too
            self.notes = None
            if output is not None:
                output.close(writes=mixer is not None and mixer.running)
            stream, self.stream = self.stream, None
            if stream is not None:
                stream.stop()

    # ------------------------------------------------------------------ changes

    def await_lead(self, stream: PackStream, tell: Callable[[float], object]) -> None:
        """Wait until the lead of a stream that is to come stands as it should.

        It has no time limit of its own: the feeder ends a stream whose generator hangs, and a large
        pack on a slow machine takes as long as it takes while the old one plays.

        Raises
        ------
        AttaccaError
            What ended it.
        """
        clock = self._setup.clock
        while stream.lead.seconds < stream.wanted:
            if stream.feeder.failure is not None:
                raise stream.feeder.failure
            if self.ending.is_set():
                raise ConfigError(f"pack {stream.manifest.name!r}: playing has ended meanwhile")
            tell(stream.lead.seconds / stream.wanted)
            clock.sleep(0.02)

    def go_over(self, new: PackStream) -> Callable[[], None]:
        """Fade to another stream; returns what waits for the fade's end and ends the old stream.

        Raises
        ------
        ConfigError
            Playing has ended.
        """
        old, mixer, notes = self.stream, self.mixer, self.notes
        if old is None or mixer is None or notes is None:
            raise ConfigError(f"pack {new.manifest.name!r}: playing has ended meanwhile")
        faded = threading.Event()
        old.teller.end()
        new.origin, dropped = old.extent()
        self.blocks.tell(Dropped(new.origin, dropped))
        new.teller.begin(new.origin)
        new.notes_out = notes
        notes.hear(new)  # the old one still sounds, but strikes no key any more
        mixer.switch(
            new.lead, rate_in=new.manifest.rate, channels_in=new.manifest.channels,
            resampler=new.resampler(mixer.rate), seconds=CROSSFADE, done=faded.set,
        )  # fmt: skip
        self.stream = new

        def ended() -> None:
            while not faded.wait(0.05) and mixer.running:
                pass
            old.stop()

        return ended

    def move(self, device: str | None, lock: threading.RLock) -> None:
        """Fade out and play into another device; `lock` is the instrument's.

        Where that does not work: into the device of before, or without one if it is gone as well.

        Raises
        ------
        DeviceError
            The device cannot be opened or does not start.
        ConfigError
            Playing has ended meanwhile.
        """
        output, mixer = self.output, self.mixer
        assert output is not None
        assert mixer is not None
        self._stop_mixer(mixer, output)
        self._xruns += output.xruns
        output.leave()
        try:
            self._go_into(device, lock)
        except DeviceError:
            self._go_back_into(output.name, lock)
            raise

    def _go_into(self, device: str | None, lock: threading.RLock) -> None:
        output = self.open_output(device)
        with lock:
            self.into(output)
        self._setup.say("device", f"playing into {output.label}")

    def _go_back_into(self, device: str | None, lock: threading.RLock) -> None:
        try:
            self._go_into(device, lock)
        except DeviceError as error:
            self._setup.say("device", f"{error}; the music goes on without a sound device")
            self._go_into(None, lock)

    # ------------------------------------------------------------------ ears

    def record(self, to: Path | NewTake | None, seed: int) -> Path | None:
        """End the take, if there is one, and begin another one unless `to` is None.

        Returns the file of the take that goes on, if one does.

        Raises
        ------
        StorageError
            When the file cannot be written.
        ConfigError
            When nothing is playing, or there is a file of the new take's name.
        """
        if to is not None and self.mixer is None:
            raise ConfigError("record: nothing is playing; start playing first")
        # A lock of its own: a slow disk holds up the next take, and nothing else.
        with self._recording:
            path = None if to is None else path_of(to, seed)  # before the take that runs is ended
            mixer = self.mixer
            if self.takes.path is not None and mixer is not None:
                # Not tapped any more before it ends, so that nothing of it counts as lost.
                mixer.set_taps((self.taps,))
            self.takes.end()
            try:
                if path is not None:
                    self.takes.begin(path)
            finally:
                self.attach()
            return self.takes.path

    def attach(self) -> None:
        """Send what goes to the output to the takes and the taps."""
        mixer = self.mixer
        if mixer is not None:
            mixer.set_taps((*self.takes.taps, self.taps))

    # ------------------------------------------------------------------ as of now

    @property
    def failure(self) -> AttaccaError | None:
        """What ended the music for good, if anything did."""
        stream, mixer = self.stream, self.mixer
        if stream is not None and stream.feeder.failure is not None:
            return stream.feeder.failure
        return mixer.failure if mixer is not None else None

    @property
    def xruns(self) -> int:
        """Times that a card asked and there was nothing, over all outputs."""
        output = self.output
        return self._xruns + (output.xruns if output is not None else 0)

    def status(
        self,
        *,
        pack: str,
        seconds: float,
        paused: bool,
        latencies: Latencies,
        action_faults: int,
        listener_errors: int,
        trouble: str,
    ) -> Status:
        """A snapshot of everything, with what the instrument knows.

        Raises
        ------
        ConfigError
            When nothing is playing.
        """
        mixer, stream, output = self.mixer, self.stream, self.output
        if mixer is None or stream is None or output is None:
            raise ConfigError("nothing is playing; call play() first")
        return Status(
            pack=pack, device=output.label, seconds=seconds, meters=mixer.meters,
            stream=stream.feeder.stats(), lead=stream.lead.stats(), xruns=self.xruns,
            paused=paused, recording=self.takes.path, take=self.takes.status(),
            mixer=self._mixed.plus(mixer.stats), ring=output.ring_stats,
            device_tries=output.tries, action_faults=action_faults, latencies=latencies,
            listener_errors=listener_errors, trouble=trouble, failed=str(self.failure or ""),
        )  # fmt: skip

    def forget_xruns(self) -> None:
        """Count them from 0 again."""
        self._xruns -= self.xruns
