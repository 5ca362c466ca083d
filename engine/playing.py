"""What exists while something plays. An instrument has one of these, or none.

`Playing` is a stream and nothing else: a pack that is being opened. `LivePlaying` adds mixer and
output; what renders offline or block by block is in `engine/offline.py`. Owned by the instrument:
made, started, closed and changed under its lock; `move` and `await_lead` wait, and are called
without it by the thread that has the right to change what plays.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypedDict

from engine.audio.mixer import LiveControls, Mixer
from engine.audio.mixer_counters import MixerStats
from engine.audio.sinks import Sink
from engine.errors import AttaccaError, ConfigError, DeviceError
from engine.notes.notes_out import NotesOut
from engine.outlets import Outlets
from engine.output import Output
from engine.status import Status
from engine.stream.made import Dropped
from engine.stream.pack_stream import PackStream, StreamSetup
from engine.time.clock import Clock, Event
from engine.time.latencies import Latencies

__all__ = [
    "CROSSFADE", "FAILING", "PERIOD", "LivePlaying", "LiveValues", "Playing", "await_lead",
    "make_mixer",
]  # fmt: skip

PERIOD = 128  # frames of the mixer; docs/audio-path.md has the measurement
FAILING = 2.0  # seconds after an error of the mixer or a listener for which it counts as going on
_TRIES = 64  # to read two figures of the mixer's thread between two of its periods
CROSSFADE = 1.5  # seconds from one pack to the next


class LiveValues(TypedDict, total=False):
    """Live controls that change, as the mixer takes them."""

    gain_db: float
    pause: bool


class Playing:
    """A stream, without anything that its music goes into.

    Parameters
    ----------
    stream : of the pack that plays.
    """

    def __init__(self, stream: PackStream) -> None:
        self.stream = stream
        self._process = os.getpid()

    @property
    def forked(self) -> bool:
        """Whether it plays in another process, from which this one was forked."""
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
        """What ended the music for good, if anything did."""
        return self.stream.feeder.failure

    def set_live(self, *, gain_db: float | None = None, pause: bool | None = None) -> None:
        """Apply live controls; those not named stay."""

    def set_live_at(
        self, at: float, *, gain_db: float | None = None, pause: bool | None = None
    ) -> float | None:
        """Apply live controls at the frame that is audible at a time of the instrument's clock.

        Returns the seconds that it comes too late for that; None when it cannot be planned.
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
        """Fade out at once, and forget everything that still sounds or is planned."""

    def drop(self) -> None:
        """Drop everything that is generated; a new piece begins."""
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
    begun: int = 0,
) -> Mixer:
    """A mixer of a stream at `rate`; its frames are counted from `begun`."""
    manifest = stream.manifest
    return Mixer(
        stream.lead, sink, rate_in=manifest.rate, rate_out=rate, channels_in=manifest.channels,
        clock=setup.clock, resampler=stream.resampler(rate), period=PERIOD, controls=controls,
        failed=lambda error: setup.say("failed", str(error)), begun=begun,
        trouble=lambda kind, text: setup.trouble(kind, text, FAILING),
    )  # fmt: skip


class LivePlaying(Playing):
    """A stream that plays into an output.

    Parameters
    ----------
    stream : started.
    output : opened; started by `start`.
    setup : of every stream.
    outlets : of the instrument.
    controls : returns the live controls as they are set.
    open_output : opens a device for `move`.
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
        self._earlier_xruns = 0  # of outputs before this one, less those that are forgotten
        self._earlier = MixerStats()  # by mixers before this one
        self.output = output
        self.mixer = make_mixer(stream, output.sink, output.rate, setup, controls())
        self.notes = self._notes_out()
        self._connect()

    def _notes_out(self) -> NotesOut:
        notes = NotesOut(self.mixer.rate, lambda: self.mixer.frames, self.mixer.latency_frames)
        notes.set_listeners((self._outlets.notes,))
        return notes

    def _connect(self) -> None:
        """Send notes and sound of the stream and mixer to where they go."""
        self.stream.notes_out = self.notes
        self.notes.hear(self.stream)
        self._outlets.takes.open(self.output.rate, self.output.channels, self.notes)
        self._outlets.attach(self.mixer)

    def start(self) -> None:
        """Let the output play.

        Raises
        ------
        DeviceError
            It does not start; it is closed again, and nothing plays.
        ConfigError
            Playing has ended meanwhile.
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
            raise ConfigError(f"device {output.name}: playing has ended meanwhile")

    def _stop_mixer(self) -> None:
        """Fade out into the output and let the card take the fade."""
        self.output.unwatch()
        ended = self.mixer.failure is not None  # it has said why
        try:
            self.mixer.stop()
        except AttaccaError as error:
            if not ended:
                self._setup.say("failed", str(error))
        self.output.drain()

    def close(self) -> None:
        """Fade out and end everything, the take first.

        Whatever the sound system does, this waits for it for a limited time.
        """
        try:
            self._stop_mixer()
            self.notes.let_go()
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
        """What ended the music for good, if anything did."""
        return super().failure or self.mixer.failure

    def set_live(self, *, gain_db: float | None = None, pause: bool | None = None) -> None:
        """Apply live controls; those not named stay."""
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
        """Fade out at once, and forget everything that still sounds or is planned."""
        self.mixer.panic()

    def drop(self) -> None:
        """Drop everything that is generated; a new piece begins."""
        super().drop()
        self.notes.release()  # a paused mixer plays no ends of notes

    # ------------------------------------------------------------------ changes

    def go_over(self, new: PackStream) -> Callable[[], None]:
        """Fade to another stream; returns what waits for the fade's end and ends the old stream."""
        old, mixer = self.stream, self.mixer
        faded = self._setup.clock.event()
        old.teller.end()
        new.origin, dropped = old.extent()
        self._outlets.blocks.publish(Dropped(new.origin, dropped))
        new.teller.begin(new.origin)
        new.notes_out = self.notes
        self.notes.hear(new)  # the old one still sounds, but strikes no key any more
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
        before = self.output
        self._stop_mixer()
        self._earlier_xruns += before.xruns
        before.leave()
        try:
            self._go_into(device, lock)
        except DeviceError:
            self._go_back_into(before.name, lock)
            raise

    def _go_into(self, device: str | None, lock: threading.RLock) -> None:
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
        self._setup.say("device", f"playing into {output.label}")

    def _go_back_into(self, device: str | None, lock: threading.RLock) -> None:
        try:
            self._go_into(device, lock)
        except DeviceError as error:
            self._setup.say("device", f"{error}; the music goes on without a sound device")
            self._go_into(None, lock)

    # ------------------------------------------------------------------ as of now

    @property
    def xruns(self) -> int:
        """Times that a card needed audio and there was none, over all outputs."""
        return self._earlier_xruns + self.output.xruns

    def forget_xruns(self) -> None:
        """Count them from 0 again."""
        self._earlier_xruns -= self.xruns

    def status(
        self,
        *,
        seconds: float,
        latencies: Latencies,
        action_faults: int,
        listener_errors: int,
        trouble: str,
        history: float,
    ) -> Status:
        """A snapshot of everything, with what the instrument knows."""
        mixer, stream, output, takes = self.mixer, self.stream, self.output, self._outlets.takes
        return Status(
            pack=stream.manifest.name, device=output.label, seconds=seconds, meters=mixer.meters,
            stream=stream.feeder.stats(), lead=stream.lead.stats(), xruns=self.xruns,
            paused=self._controls().pause, recording=takes.path, take=takes.status(),
            mixer=self._earlier.plus(mixer.stats), ring=output.ring_stats,
            device_tries=output.tries, action_faults=action_faults, latencies=latencies,
            listener_errors=listener_errors, history=history, trouble=trouble,
            failed=str(self.failure or ""),
        )  # fmt: skip


def await_lead(
    stream: PackStream, clock: Clock, ending: Event, progress: Callable[[float], object]
) -> None:
    """Wait until the lead of a stream is as long as it should be.

    It has no time limit of its own: the feeder ends a stream whose generator hangs, and a large
    pack on a slow machine takes as long as it takes while the old one plays.

    Raises
    ------
    AttaccaError
        What ended it.
    """
    while stream.lead.seconds < stream.wanted:
        if stream.feeder.failure is not None:
            raise stream.feeder.failure
        if ending.is_set():
            raise ConfigError(f"pack {stream.manifest.name!r}: playing has ended meanwhile")
        progress(stream.lead.seconds / stream.wanted)
        clock.sleep(0.02)
