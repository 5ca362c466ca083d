"""What exists while something plays. An instrument has one of these, or none.

`Playing` is a stream only: a pack that is being opened. `LivePlaying` adds mixer and output;
rendering offline and block by block is in `engine/offline.py`. Owned by the instrument:
created, started, closed and changed under its lock. `move` and `await_lead` wait; the thread that
may change what plays calls them without the lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from typing import TypedDict

from engine.audio.mixer import LiveControls, Mixer
from engine.audio.mixer_counters import MixerStats
from engine.audio.sinks import Sink
from engine.controls.settings import Settings
from engine.errors import AttaccaError, ConfigError, DeviceError
from engine.notes.notes_out import NotesOut
from engine.outlets import Outlets
from engine.output import Output
from engine.status import Status
from engine.stream.block_events import DroppedAudio
from engine.stream.pack_stream import PackStream, StreamSetup
from engine.time.clock import Clock, Event
from engine.time.latencies import Latencies

__all__ = [
    "CROSSFADE", "FAILING", "PERIOD", "LivePlaying", "LiveValues", "Playing", "await_lead",
    "make_mixer",
]  # fmt: skip

PERIOD = 128  # frames of the mixer; docs/audio-path.md has the measurement
FAILING = 2.0  # seconds for which an error of the mixer or a listener counts as current
_TRIES = 64  # to read two figures of the mixer's thread between two of its periods
CROSSFADE = 1.5  # seconds from one pack to the next


class LiveValues(TypedDict, total=False):
    """Live controls to change, as arguments of `Mixer.set`."""

    gain_db: float
    pause: bool


def live_values(settings: Settings, names: Collection[str]) -> LiveValues:
    """The live controls of these names, as arguments of `Mixer.set`."""
    values: LiveValues = {}
    if "gain" in names:
        values["gain_db"] = settings.number("gain")
    if "pause" in names:
        values["pause"] = bool(settings["pause"])
    return values


class Playing:
    """A stream without an output.

    Parameters
    ----------
    stream : of the pack that plays.
    """

    def __init__(self, stream: PackStream) -> None:
        self.stream = stream
        self._process = os.getpid()

    @property
    def forked(self) -> bool:
        """Whether it plays in the process that this one was forked from."""
        return self._process != os.getpid()

    @property
    def rate(self) -> int:
        """Frames per second of the output; 0 without one."""
        return 0

    @property
    def output_latency(self) -> tuple[float, float, float]:
        """Seconds of latency of the device, the ring and the mixer."""
        return 0.0, 0.0, 0.0

    @property
    def failure(self) -> AttaccaError | None:
        """The error that ended the music, if any."""
        return self.stream.feeder.failure

    def set_live(self, *, gain_db: float | None = None, pause: bool | None = None) -> None:
        """Change live controls; None leaves a control as it is."""

    def set_live_at(
        self, at: float, *, gain_db: float | None = None, pause: bool | None = None
    ) -> float | None:
        """Change live controls at the frame that is audible at a time of the instrument's clock.

        Returns the seconds by which it is late; None when it cannot be scheduled.
        """
        return None

    @property
    def audible_position(self) -> int:
        """The position of the lead that is audible now."""
        return self.stream.lead.position[0]

    def switch_position(self, seconds: float) -> int | None:
        """The position of the lead that leaves it in so many seconds, or its end before that.

        None where music leaves it at no pace of its own.
        """
        return None

    def silence(self) -> None:
        """Fade out at once, and drop everything that still sounds or is scheduled."""

    def drop(self) -> None:
        """Drop all generated audio; a new piece starts."""
        self.stream.feeder.reset()

    def close(self) -> None:
        """End everything."""
        self.stream.stop()


def make_mixer(
    stream: PackStream,
    sink: Sink,
    rate: int,
    setup: StreamSetup,
    controls: LiveControls,
    first_frame: int = 0,
) -> Mixer:
    """A mixer for a stream at `rate`; it counts its frames from `first_frame`."""
    manifest = stream.manifest
    return Mixer(
        stream.lead, sink, rate_in=manifest.rate, rate_out=rate, channels_in=manifest.channels,
        clock=setup.clock, resampler=stream.resampler(rate), period=PERIOD, controls=controls,
        on_failure=lambda error: setup.on_event("failed", str(error)), first_frame=first_frame,
        on_problem=lambda kind, text: setup.on_problem(kind, text, FAILING),
    )  # fmt: skip


class LivePlaying(Playing):
    """A stream that plays into an output.

    Parameters
    ----------
    stream : started.
    output : opened; `start` starts it.
    setup : of the instrument.
    outlets : of the instrument.
    controls : returns the live controls as they are set.
    open_output : opens a device, for `move`.
    ending : set when playing ends.
    """

    def __init__(
        self,
        stream: PackStream,
        output: Output,
        setup: StreamSetup,
        outlets: Outlets,
        controls: Callable[[], LiveControls],
        open_output: Callable[[str | None], Output],
        ending: Event,
    ) -> None:
        super().__init__(stream)
        self._setup, self._outlets, self._controls = setup, outlets, controls
        self._open_output, self._ending = open_output, ending
        self._earlier_xruns = 0  # of earlier outputs, minus those before `reset_xruns`
        self._earlier = MixerStats()  # of earlier mixers
        self.output = output
        self.mixer = make_mixer(stream, output.sink, output.rate, setup, controls())
        self.notes = self._notes_out()
        self._connect()

    def _notes_out(self) -> NotesOut:
        notes = NotesOut(self.mixer.rate, lambda: self.mixer.frames, self.mixer.latency_frames)
        notes.set_listeners((self._outlets.notes,))
        return notes

    def _connect(self) -> None:
        """Connect the stream's notes and the mixer's sound to the outlets."""
        self.stream.notes_out = self.notes
        self.notes.follow(self.stream)
        self._outlets.takes.open(self.output.rate, self.output.channels, self.notes)
        self._outlets.attach(self.mixer)

    def start(self) -> None:
        """Start the mixer and the output.

        Raises
        ------
        DeviceError
            The output does not start; it is closed again, and nothing plays.
        ConfigError
            Playing has ended in the meantime.
        """
        output = self.output
        self._refuse_ended(output)
        self.mixer.run_live()
        try:
            output.start()
        except DeviceError:
            self._stop_mixer()
            output.close()
            raise

    def _refuse_ended(self, output: Output) -> None:
        if self._ending.is_set():
            output.close()
            raise ConfigError(f"device {output.name}: playing has ended in the meantime")

    def _stop_mixer(self) -> None:
        """Fade out into the output, and wait until the device has played the fade."""
        self.output.unwatch()
        failed = self.mixer.failure is not None  # it has reported the error
        try:
            self.mixer.stop()
        except AttaccaError as error:
            if not failed:
                self._setup.on_event("failed", str(error))
        self.output.drain()

    def close(self) -> None:
        """Fade out and stop everything, the take first.

        The wait for the sound system has a time limit.
        """
        try:
            self._stop_mixer()
            self.notes.close()
        finally:
            self._outlets.takes.end()  # after the mixer: a recording has the fade-out too
            self.output.close(writes=self.mixer.running)
            super().close()

    # ------------------------------------------------------------------ live controls

    @property
    def rate(self) -> int:
        """Frames per second of the output."""
        return self.mixer.rate

    @property
    def output_latency(self) -> tuple[float, float, float]:
        """Seconds of latency of the device, the ring and the mixer."""
        output, mixer = self.output, self.mixer
        return output.device_s, output.ring_s, mixer.latency_frames / mixer.rate

    @property
    def failure(self) -> AttaccaError | None:
        """The error that ended the music, if any."""
        return super().failure or self.mixer.failure

    def set_live(self, *, gain_db: float | None = None, pause: bool | None = None) -> None:
        """Change live controls; None leaves a control as it is."""
        self.mixer.set(gain_db=gain_db, pause=pause)

    def set_live_at(
        self, at: float, *, gain_db: float | None = None, pause: bool | None = None
    ) -> float | None:
        """See `Playing.set_live_at`."""
        return self.mixer.set_at(at - self.output.device_s, gain_db=gain_db, pause=pause)

    def position_at(self, at: float) -> int:
        """The position of the lead that is audible at a time of the instrument's clock.

        As if the music went on as it does now; as exact as the sink knows what leaves it.
        """
        lead, rate = self.stream.lead, self.stream.manifest.rate
        for _ in range(_TRIES):
            pulled, _ = lead.position
            beyond = self.mixer.pulled_beyond(at - self.output.device_s)
            if beyond is None:
                break
            if lead.position[0] == pulled:  # no period was pulled between the two
                return pulled - round(beyond * rate)
        left = at - self._setup.clock.now() - sum(self.output_latency)
        return lead.position[0] + round(left * rate)

    @property
    def audible_position(self) -> int:
        """The position of the lead that is audible now."""
        return max(0, self.position_at(self._setup.clock.now()))

    @property
    def lead_latency(self) -> float:
        """Seconds until what leaves the lead now is audible, at most."""
        return self.mixer.most_waiting + sum(self.output_latency)

    def switch_position(self, seconds: float) -> int | None:
        """See `Playing.switch_position`."""
        pulled, end = self.stream.lead.position
        return min(pulled + round(seconds * self.stream.manifest.rate), end)

    def silence(self) -> None:
        """Fade out at once, and drop everything that still sounds or is scheduled."""
        self.mixer.panic()

    def drop(self) -> None:
        """Drop all generated audio; a new piece starts."""
        super().drop()
        self.notes.release()  # a paused mixer plays no ends of notes

    # ------------------------------------------------------------------ changes

    def crossfade_to(self, new: PackStream) -> Callable[[], None]:
        """Fade to another stream.

        Returns a function that waits for the end of the fade and stops the old stream.
        """
        old, mixer = self.stream, self.mixer
        faded = self._setup.clock.event()
        old.block_publisher.stop()
        new.origin, dropped = old.extent()
        self._outlets.blocks.publish(DroppedAudio(new.origin, dropped))
        new.block_publisher.start(new.origin)
        new.notes_out = self.notes
        self.notes.follow(new)  # the old one still sounds, but sends no more notes
        mixer.switch(
            new.lead, rate_in=new.manifest.rate, channels_in=new.manifest.channels,
            resampler=new.resampler(mixer.rate), seconds=CROSSFADE, on_done=faded.set,
        )  # fmt: skip
        self.stream = new

        def finish() -> None:
            while not faded.wait(0.05) and mixer.running:
                pass
            old.stop()

        return finish

    def move(self, device: str | None, lock: threading.RLock) -> None:
        """Fade out and play into another device; `lock` is the instrument's.

        If that fails, it plays into the old device again, or without one if that is gone too.

        Raises
        ------
        DeviceError
            The device cannot be opened or does not start.
        ConfigError
            Playing has ended in the meantime.
        """
        before = self.output
        self._stop_mixer()
        self._earlier_xruns += before.xruns
        before.leave()
        try:
            self._open_device(device, lock)
        except DeviceError:
            self._reopen_device(before.name, lock)
            raise

    def _open_device(self, device: str | None, lock: threading.RLock) -> None:
        output = self._open_output(device)
        with lock:
            self._refuse_ended(output)
            before, self.output = self.mixer, output
            same = before.rate == output.rate
            self.mixer = make_mixer(
                self.stream, output.sink, output.rate, self._setup, self._controls(),
                before.frames if same else 0,
            )  # fmt: skip
            self._earlier = self._earlier.plus(before.stats)
            if not same:
                self.notes = self._notes_out()
            self._connect()
            self.start()
        self._setup.on_event("device", f"playing into {output.label}")

    def _reopen_device(self, device: str | None, lock: threading.RLock) -> None:
        try:
            self._open_device(device, lock)
        except DeviceError as error:
            self._setup.on_event("device", f"{error}; the music continues without a sound device")
            self._open_device(None, lock)

    # ------------------------------------------------------------------ status

    @property
    def xruns(self) -> int:
        """Dropouts of all outputs: times that a device needed audio and none was ready."""
        return self._earlier_xruns + self.output.xruns

    def reset_xruns(self) -> None:
        """Count xruns from 0 again."""
        self._earlier_xruns -= self.xruns

    def status(
        self,
        *,
        seconds: float,
        latencies: Latencies,
        action_faults: int,
        listener_errors: int,
        problem: str,
        history: float,
    ) -> Status:
        """The status, with the values that the instrument has."""
        mixer, stream, output, takes = self.mixer, self.stream, self.output, self._outlets.takes
        return Status(
            pack=stream.manifest.name, device=output.label, seconds=seconds, meters=mixer.meters,
            stream=stream.feeder.stats(), lead=stream.lead.stats(), xruns=self.xruns,
            paused=self._controls().pause, recording=takes.path, take=takes.status(),
            mixer=self._earlier.plus(mixer.stats), ring=output.ring_stats,
            device_tries=output.tries, action_faults=action_faults, latencies=latencies,
            listener_errors=listener_errors, history=history, problem=problem,
            failed=str(self.failure or ""),
        )  # fmt: skip


def await_lead(
    stream: PackStream, clock: Clock, ending: Event, progress: Callable[[float], object]
) -> None:
    """Wait until the lead of a stream has reached its target.

    There is no time limit: the feeder ends a stream whose generator hangs, and a large pack on a
    slow machine may take long while the old one plays.

    Raises
    ------
    AttaccaError
        The error that ended the stream.
    """
    while stream.lead.seconds < stream.target_lead:
        if stream.feeder.failure is not None:
            raise stream.feeder.failure
        if ending.is_set():
            raise ConfigError(f"pack {stream.manifest.name!r}: playing has ended in the meantime")
        progress(stream.lead.seconds / stream.target_lead)
        clock.sleep(0.02)
