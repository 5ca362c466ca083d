"""The mixer: one period at a time, from the stream's audio to the sound card (or a file).

intake (pull, resample) -> effects -> device channels -> gain -> gate -> limiter -> taps -> sink.

The same object runs live (`run_live`, a thread of its own that keeps the sink at its target) and
offline (`process_once`, in the caller's thread). Everything is owned by whichever thread processes;
other threads only set immutable values (`set`, `set_effects`, `set_taps`, `panic`), which take
effect with the next period, and read immutable snapshots (`stats`, `meters`).

Arrays: `ndarray [shape=(frames, channels)] float32`; gains cross over from decibels at `set` only.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.audio.automation import Automation
from engine.audio.channels import to_channels
from engine.audio.effects import EffectChain
from engine.audio.frame_clock import FrameClock
from engine.audio.gain import Gate, SmoothGain, db_to_gain
from engine.audio.intake import Intake, Resampler, Source, Switch
from engine.audio.limiter import Limiter
from engine.audio.meters import Meter, MeterSnapshot
from engine.audio.mixer_counters import MixerCounters, MixerStats, described
from engine.audio.priority import raised_priority
from engine.audio.sinks import Sink
from engine.errors import AttaccaError, ConfigError, WorkerError
from engine.time.clock import Clock

__all__ = ["Block", "LiveControls", "Mixer", "Tap"]

Block: TypeAlias = NDArray[np.float32]
Effect: TypeAlias = Callable[[Block], Block]
Tap: TypeAlias = Callable[[Block], None]

_GATE_S = 0.01
_SWITCH_INTERVAL = 0.0005
_STOP_LIMIT_S = 2.0  # an effect, tap or listener that hangs holds up nothing else


@dataclass(frozen=True, slots=True)
class LiveControls:
    """What may change while playing; heard within the output latency.

    Attributes
    ----------
    gain_db : float
        Decibels.
    mute : bool
        Silence while the music goes on unheard.
    pause : bool
        Silence while the music stands still.
    """

    gain_db: float = 0.0
    mute: bool = False
    pause: bool = False


class Mixer:
    """See the module's first lines.

    Parameters
    ----------
    source : Source
    sink : Sink
    rate_in, rate_out : int
        Frames per second of the source and of the sink.
    channels_in : int
        Channels of the source; the sink says its own.
    clock : Clock
    resampler : Resampler, optional
        Needed when the rates differ.
    period : int
        Frames (at `rate_out`) made at once: the grain of live controls. Above 250 stereo frames
        numpy gives up the interpreter lock in each operation, and a busy thread takes it.
    effects, taps : sequence
        `fx(block) -> block` with as many frames (channels may change); `tap(block)`, which must not
        keep the block. An effect may have `reset()`, called at PANIC.
    controls : LiveControls
    failed : callable
        Gets what ends the mixer thread on its own, in that thread; must not wait.
    begun : int
        Frames that a mixer before this one has rendered: `frames` counts on from there.
    trouble : callable
        Gets the kind of an error and a line about it, each time, in the thread that processes; must
        not wait.

    Raises
    ------
    ConfigError
        The rates differ and there is no resampler, or the period is not positive.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        *,
        rate_in: int,
        rate_out: int,
        channels_in: int,
        clock: Clock,
        resampler: Resampler | None = None,
        period: int = 128,
        effects: Sequence[Effect] = (),
        taps: Sequence[Tap] = (),
        controls: LiveControls | None = None,
        failed: Callable[[AttaccaError], None] = lambda _: None,
        begun: int = 0,
        trouble: Callable[[str, str], object] = lambda _, __: None,
    ) -> None:
        if period < 1:
            raise ConfigError(f"the period is {period!r} frames; take 1 or more, usually 128")
        self.period = period
        self.rate = rate_out
        self._sink, self._clock = sink, clock
        self._switch = Switch(
            Intake(
                source, rate_in=rate_in, rate_out=rate_out, channels=channels_in, period=period,
                resampler=resampler,
            ),
            period,
        )  # fmt: skip
        self._controls = controls or LiveControls()
        self._panics_asked = 0
        self._rendered = begun
        self._waiting = (begun, 0.0)  # frames rendered, seconds that are pulled beyond them
        self._taps = tuple(taps)
        self._setting = threading.Lock()
        self._chain = EffectChain(effects)
        start = 0.0 if self._controls.mute else db_to_gain(self._controls.gain_db)
        self._gain = SmoothGain(rate_out, period, start=start)
        self._gate = Gate(round(_GATE_S * rate_out))
        self._limiter = Limiter(rate_out, sink.channels)
        self._meter = Meter(rate_out, sink.channels)
        self._frame_clock = FrameClock(rate_out)
        self._automation: Automation[LiveControls] = Automation()
        self._count = MixerCounters()
        self._trouble = trouble
        self._thread: threading.Thread | None = None
        self._ending = clock.event()
        self._failed = failed
        self.failure: AttaccaError | None = None  # what has ended the mixer thread on its own

    # ------------------------------------------------------------------ from any thread

    @property
    def controls(self) -> LiveControls:
        """The live controls in force from the next period on."""
        return self._controls

    def set(
        self,
        *,
        gain_db: float | None = None,
        mute: bool | None = None,
        pause: bool | None = None,
    ) -> LiveControls:
        """Change live controls; those not named stay. Returns all of them."""
        with self._setting:
            old = self._controls
            self._controls = replace(
                old,
                gain_db=old.gain_db if gain_db is None else gain_db,
                mute=old.mute if mute is None else mute,
                pause=old.pause if pause is None else pause,
            )
            return self._controls

    def set_at(
        self,
        at: float,
        *,
        gain_db: float | None = None,
        mute: bool | None = None,
        pause: bool | None = None,
    ) -> float | None:
        """Change live controls at the frame that leaves the sink at a time of the mixer's clock.

        Returns
        -------
        float or None
            Seconds that it comes too late for that, and begins with the next period instead; 0 when
            it does not. None when nothing is planned: it is not live, or too many changes wait.
        """
        leaves = self._frame_clock.frame_at(at)
        if leaves is None:
            return None
        frame = round(leaves) - self._limiter.latency
        late = max(0, self._rendered - frame) / self.rate
        planned = self._automation.add(
            frame, lambda: self.set(gain_db=gain_db, mute=mute, pause=pause)
        )
        return late if planned else None

    def set_effects(self, effects: Sequence[Effect]) -> None:
        """Replace the effects from the next period on; the join is smoothed."""
        self._chain.replace(effects)

    def set_taps(self, taps: Sequence[Tap]) -> None:
        """Replace the taps from the next period on."""
        self._taps = tuple(taps)

    def switch(
        self,
        source: Source,
        *,
        rate_in: int,
        channels_in: int,
        resampler: Resampler | None,
        seconds: float,
        done: Callable[[], None],
    ) -> None:
        """Fade to another source within so many seconds, then call `done`, which must not wait.

        At once while nothing is heard. To be called again only when `done` was.

        Raises
        ------
        ConfigError
            The rates differ and there is no resampler.
        """
        intake = Intake(
            source, rate_in=rate_in, rate_out=self.rate, channels=channels_in, period=self.period,
            resampler=resampler,
        )  # fmt: skip
        self._switch.to(intake, round(seconds * self.rate), done)

    def panic(self) -> None:
        """Fade out, drop what is queued in the sink or planned for later, forget all tails.

        Sound that follows fades in. The source's own queue is its owner's to drop.
        """
        self._automation.clear()
        with self._setting:
            self._panics_asked += 1

    @property
    def most_waiting(self) -> float:
        """Seconds of the source that are pulled before they are rendered, at most."""
        return self._switch.most_waiting

    def pulled_beyond(self, at: float) -> float | None:
        """Seconds of the source that are pulled beyond what leaves the sink at a time.

        Negative where that is still to be pulled. It assumes that nothing pauses in between. None
        before the sink has said what leaves it.
        """
        leaves = self._frame_clock.frame_at(at)
        if leaves is None:
            return None
        rendered, waiting = self._waiting
        return waiting + (rendered + self._limiter.latency - leaves) / self.rate

    @property
    def frames(self) -> int:
        """Frames rendered since it was made, at `rate_out`."""
        return self._rendered

    @property
    def stats(self) -> MixerStats:
        """Counters as of now."""
        return self._count.snapshot(self._chain)

    @property
    def meters(self) -> MeterSnapshot:
        """Levels of the last 33 ms."""
        return self._meter.snapshot()

    @property
    def latency_frames(self) -> int:
        """Frames by which the mixer itself delays (the limiter's look-ahead), at `rate_out`."""
        return self._limiter.latency

    # ------------------------------------------------------------------ the processing thread

    def process_once(self) -> Block:
        """Make one period and write it to the sink.

        Returns
        -------
        ndarray [shape=(period, sink.channels)] float32
            What was written; valid until the next call.

        Raises
        ------
        StorageError
            A file sink cannot be written.
        """
        begun = self._clock.now()
        if self._count.panics < self._panics_asked:
            self._carry_out_panic()
        seen = self._sink.leaving()
        if seen is not None:
            self._frame_clock.observe(self._rendered - seen[0], seen[1])
        block = self._render()
        taken = self._sink.write(block)
        self._count.dropped_frames += block.shape[0] - taken
        self._count.add_time(self._clock.now() - begun)
        return block

    @property
    def fade_frames(self) -> int:
        """Frames that `finish` adds at most: the fade-out and what is in the limiter."""
        periods = sum(-(-n // self.period) for n in (self._gate.frames, self._limiter.latency))
        return periods * self.period

    def finish(self, frames: int = 0) -> None:
        """Fade out, empty the limiter, and finish the sink; after the last `process_once`.

        Where that makes fewer than `frames` in all, silence follows.
        """
        self._close_gate(write=True)
        if frames > self._rendered:
            self._sink.write(np.zeros((frames - self._rendered, self._sink.channels), np.float32))
        self._sink.finish()

    def _close_gate(self, *, write: bool) -> None:
        """Render until the gate is closed and the limiter empty; taps get it in any case."""
        tail = self._limiter.latency
        while not self._gate.closed or tail > 0:
            if self._gate.closed:
                tail -= self.period
            block = self._render(closing=True)
            if write:
                self._count.dropped_frames += block.shape[0] - self._sink.write(block)

    def _render(self, *, closing: bool = False) -> Block:
        spans = self._automation.spans(self._rendered, self.period, self._controls)
        silent = closing or all(controls.pause for _, _, controls in spans)
        if silent and self._gate.closed:
            self._switch.finish()
            block = np.zeros((self.period, self._sink.channels), np.float32)
        else:
            block = self._effected(self._switch.next(self._source_failed))
            block = to_channels(block, self._sink.channels)
            block = self._own_and_finite(block)
            for first, end, controls in spans:
                span = block[first:end]
                self._gain.process(span, 0.0 if controls.mute else db_to_gain(controls.gain_db))
                self._gate.process(span, not (closing or controls.pause))
        heard = self._limiter.process(block)
        clips = 0
        if self._limiter.reduction > 0.0:
            clips = int(np.count_nonzero(np.abs(block).max(axis=1) > 1.0))
        self._meter.update(heard, clips=clips, reduction=self._limiter.reduction)
        for tap in self._taps:
            try:
                tap(heard)
            except Exception as error:  # a tap must never stop the sound
                self._count.tap_errors += 1
                self._count.note(error)
                self._trouble("tap", f"a listener of the sound fails: {error}")
        self._rendered += self.period
        self._waiting = (self._rendered, self._switch.waiting)
        return heard

    def _source_failed(self, error: Exception) -> None:
        self._count.source_errors += 1
        self._count.note(error)
        self._trouble("source", f"the stream fails, and silence is played: {error}")

    def _effected(self, block: Block) -> Block:
        errors = self._chain.errors
        block = self._chain.process(block)
        if self._chain.errors > errors:
            self._trouble("effect", f"an effect fails, and is left out: {self._chain.last_error}")
        return block

    def _own_and_finite(self, block: Block) -> Block:
        """A copy (gain and gate work in place) in which every value is a number."""
        if np.isfinite(np.abs(block).max()):  # a NaN comes through max, an infinity is one
            return block.copy()
        fine = np.isfinite(block)
        self._count.bad_frames += int(np.count_nonzero(~fine.all(axis=1)))
        self._trouble("frames", "the sound has values that are no numbers; they are silenced")
        return np.where(fine, block, np.float32(0.0))

    def _carry_out_panic(self) -> None:
        self._count.panics = self._panics_asked
        # The taps get the fade in any case, so that a recording ends as softly as the sound does.
        queued = self._sink.flush()
        self._close_gate(write=not queued)
        self._chain.reset()
        self._limiter.reset()
        self._switch.clear()
        self._frame_clock.forget()

    # ------------------------------------------------------------------ live

    def run_live(self) -> None:
        """Start the mixer thread: it keeps the sink at its target until `stop`.

        While it runs, the interpreter's switch interval is at most 0.5 ms (for the whole process),
        so that a busy Python thread cannot hold this one off for the default 5 ms.

        Raises
        ------
        ConfigError
            It is running already.
        """
        if self._thread is not None:
            raise ConfigError("the mixer is running already; stop it first")
        self._ending.clear()
        self.failure = None
        self._thread = self._clock.thread(self._live, "attacca-mixer")
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the mixer thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Fade out and end the mixer thread; stopping twice is harmless.

        Raises
        ------
        AttaccaError
            What had ended the thread before (a file sink's full disk), or what keeps it from
            ending.
        """
        thread = self._thread
        if thread is None:
            return
        self._ending.set()
        thread.join(_STOP_LIMIT_S)
        if thread.is_alive():
            raise WorkerError("the mixer does not end: an effect, a tap or a listener hangs")
        self._thread = None
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def _live(self) -> None:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(min(interval, _SWITCH_INTERVAL))
        try:
            with raised_priority() as realtime:
                self._count.realtime = realtime
                self._loop()
        except BaseException as error:
            own = isinstance(error, AttaccaError)
            self.failure = error if own else WorkerError(f"the mixer stops: {described(error)}")
            self._failed(self.failure)
        finally:
            sys.setswitchinterval(interval)

    def _loop(self) -> None:
        pause = self.period / self.rate / 2
        self._sink.start()
        while not self._ending.is_set():
            wanted = self._sink.wanted()
            while wanted > 0 and not self._ending.is_set():
                wanted -= self.process_once().shape[0]
            self._clock.sleep(pause)
        self.finish()
