"""The mixer: processes the stream's audio for the sound card or a file, period by period.

intake (pull, resample) -> effects -> device channels -> gain -> gate -> limiter -> taps -> sink.

The same object runs live (`run_live`: a thread that keeps the sink filled) and offline
(`process_once`, in the caller's thread). The thread that processes owns everything; other threads
only set immutable values (`set`, `set_effects`, `set_taps`, `panic`), which apply from the next
period on, and read immutable snapshots (`stats`, `meters`).

Arrays: `ndarray [shape=(frames, channels)] float32`; only `set` takes gains in decibels.
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
from engine.audio.intake import Intake, Resampler, Source, SourceSwitch
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
_STOP_LIMIT_S = 2.0  # a hung effect, tap or listener blocks nothing else


@dataclass(frozen=True, slots=True)
class LiveControls:
    """Controls of the mixer; audible within the output latency.

    Attributes
    ----------
    gain_db : float
        Decibels.
    mute : bool
        Silence; the music continues.
    pause : bool
        Silence; the music stands still.
    """

    gain_db: float = 0.0
    mute: bool = False
    pause: bool = False


class Mixer:
    """The mixer of one output; see the module docstring.

    Parameters
    ----------
    source : Source
    sink : Sink
    rate_in, rate_out : int
        Frames per second of the source and of the sink.
    channels_in : int
        Channels of the source.
    clock : Clock
    resampler : Resampler, optional
        Needed when the rates differ.
    period : int
        Frames (at `rate_out`) processed at once: the resolution of live controls. Above 250 stereo
        frames numpy releases the interpreter lock in each operation, and a busy thread takes it.
    effects, taps : sequence
        `fx(block) -> block` with as many frames (channels may change); `tap(block)`, which must not
        keep the block. An effect may have `reset()`, called at PANIC.
    controls : LiveControls
    on_failure : callable
        Called in the mixer thread with the error that ends it; must not wait.
    first_frame : int
        Frames rendered by an earlier mixer: `frames` continues from there.
    on_problem : callable
        Called in the processing thread with the kind and a description of each error; must not
        wait.

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
        on_failure: Callable[[AttaccaError], None] = lambda _: None,
        first_frame: int = 0,
        on_problem: Callable[[str, str], object] = lambda _, __: None,
    ) -> None:
        if period < 1:
            raise ConfigError(f"the period is {period!r} frames; use 1 or more, usually 128")
        self.period = period
        self.rate = rate_out
        self._sink, self._clock = sink, clock
        self._switch = SourceSwitch(
            Intake(
                source, rate_in=rate_in, rate_out=rate_out, channels=channels_in, period=period,
                resampler=resampler,
            ),
            period,
        )  # fmt: skip
        self._controls = controls or LiveControls()
        self._panics_requested = 0
        self._rendered = first_frame
        self._waiting = (first_frame, 0.0)  # frames rendered, seconds that are pulled beyond them
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
        self._on_problem = on_problem
        self._thread: threading.Thread | None = None
        self._ending = clock.event()
        self._on_failure = on_failure
        self.failure: AttaccaError | None = None  # the error that ended the mixer thread

    # ------------------------------------------------------------------ from any thread

    @property
    def controls(self) -> LiveControls:
        """The live controls that apply from the next period on."""
        return self._controls

    def set(
        self,
        *,
        gain_db: float | None = None,
        mute: bool | None = None,
        pause: bool | None = None,
    ) -> LiveControls:
        """Change live controls; None leaves a control as it is. Returns all of them."""
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
            Seconds by which it is late: then it applies from the next period on. 0 when it is in
            time. None when it cannot be scheduled: the sink has no clock, or too many changes are
            scheduled.
        """
        output_frame = self._frame_clock.frame_at(at)
        if output_frame is None:
            return None
        frame = round(output_frame) - self._limiter.latency
        late = max(0, self._rendered - frame) / self.rate
        scheduled = self._automation.add(
            frame, lambda: self.set(gain_db=gain_db, mute=mute, pause=pause)
        )
        return late if scheduled else None

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
        on_done: Callable[[], None],
    ) -> None:
        """Fade to another source within `seconds`, then call `on_done`, which must not wait.

        While the output is silent it changes at once. Call it again only after `on_done`.

        Raises
        ------
        ConfigError
            The rates differ and there is no resampler.
        """
        intake = Intake(
            source, rate_in=rate_in, rate_out=self.rate, channels=channels_in, period=self.period,
            resampler=resampler,
        )  # fmt: skip
        self._switch.to(intake, round(seconds * self.rate), on_done)

    def panic(self) -> None:
        """Fade out, drop queued audio and scheduled changes, and reset all effects.

        Audio that follows fades in. The owner of the source drops what the source has queued.
        """
        self._automation.clear()
        with self._setting:
            self._panics_requested += 1

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
        """Frames rendered since the mixer was created, at `rate_out`."""
        return self._rendered

    @property
    def stats(self) -> MixerStats:
        """The present counters."""
        return self._count.snapshot(self._chain)

    @property
    def meters(self) -> MeterSnapshot:
        """Levels of the last 33 ms."""
        return self._meter.snapshot()

    @property
    def latency_frames(self) -> int:
        """The mixer's own latency (the limiter's look-ahead) in frames at `rate_out`."""
        return self._limiter.latency

    # ------------------------------------------------------------------ the processing thread

    def process_once(self) -> Block:
        """Render one period and write it to the sink.

        Returns
        -------
        ndarray [shape=(period, sink.channels)] float32
            The period; valid until the next call.

        Raises
        ------
        StorageError
            A file sink cannot write.
        """
        started = self._clock.now()
        if self._count.panics < self._panics_requested:
            self._carry_out_panic()
        timing = self._sink.output_timing()
        if timing is not None:
            self._frame_clock.observe(self._rendered - timing[0], timing[1])
        block = self._render()
        written = self._sink.write(block)
        self._count.dropped_frames += block.shape[0] - written
        self._count.add_time(self._clock.now() - started)
        return block

    @property
    def fade_frames(self) -> int:
        """Frames that `finish` adds at most: the fade-out and the content of the limiter."""
        periods = sum(-(-n // self.period) for n in (self._gate.frames, self._limiter.latency))
        return periods * self.period

    def finish(self, frames: int = 0) -> None:
        """Fade out, empty the limiter, and finish the sink; after the last `process_once`.

        Silence is added until `frames` are rendered.
        """
        self._close_gate(write=True)
        if frames > self._rendered:
            self._sink.write(np.zeros((frames - self._rendered, self._sink.channels), np.float32))
        self._sink.finish()

    def _close_gate(self, *, write: bool) -> None:
        """Render until the gate is closed and the limiter is empty; taps always get the result."""
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
            block = self._finite_copy(block)
            for first, end, controls in spans:
                span = block[first:end]
                self._gain.process(span, 0.0 if controls.mute else db_to_gain(controls.gain_db))
                self._gate.process(span, not (closing or controls.pause))
        output = self._limiter.process(block)
        clips = 0
        if self._limiter.reduction > 0.0:
            clips = int(np.count_nonzero(np.abs(block).max(axis=1) > 1.0))
        self._meter.update(output, clips=clips, reduction=self._limiter.reduction)
        for tap in self._taps:
            try:
                tap(output)
            except Exception as error:  # a tap must never stop the sound
                self._count.tap_errors += 1
                self._count.set_error(error)
                self._on_problem("tap", f"a recorder or listener of the sound failed: {error}")
        self._rendered += self.period
        self._waiting = (self._rendered, self._switch.waiting)
        return output

    def _source_failed(self, error: Exception) -> None:
        self._count.source_errors += 1
        self._count.set_error(error)
        self._on_problem("source", f"the stream failed, so silence is played: {error}")

    def _effected(self, block: Block) -> Block:
        errors = self._chain.errors
        block = self._chain.process(block)
        if self._chain.errors > errors:
            self._on_problem(
                "effect", f"an effect failed and is bypassed: {self._chain.last_error}"
            )
        return block

    def _finite_copy(self, block: Block) -> Block:
        """A copy (gain and gate work in place) without NaN and infinity."""
        if np.isfinite(np.abs(block).max()):  # max passes NaN and infinity on
            return block.copy()
        fine = np.isfinite(block)
        self._count.bad_frames += int(np.count_nonzero(~fine.all(axis=1)))
        self._on_problem("frames", "the sound has NaN or infinite samples; they are silenced")
        return np.where(fine, block, np.float32(0.0))

    def _carry_out_panic(self) -> None:
        self._count.panics = self._panics_requested
        # The taps always get the fade, so that a recording ends without a click too.
        queued = self._sink.flush()
        self._close_gate(write=not queued)
        self._chain.reset()
        self._limiter.reset()
        self._switch.clear()
        self._frame_clock.reset()

    # ------------------------------------------------------------------ live

    def run_live(self) -> None:
        """Start the mixer thread: it keeps the sink filled until `stop`.

        While it runs, the interpreter's switch interval is at most 0.5 ms (for the whole process),
        so that a busy Python thread cannot delay this one by the default 5 ms.

        Raises
        ------
        ConfigError
            The mixer is already running.
        """
        if self._thread is not None:
            raise ConfigError("the mixer is already running; stop it first")
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
            The error that ended the thread (such as a full disk), or a thread that does not end.
        """
        thread = self._thread
        if thread is None:
            return
        self._ending.set()
        thread.join(_STOP_LIMIT_S)
        if thread.is_alive():
            raise WorkerError("the mixer does not stop: an effect, a recorder or a listener hangs")
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
            self.failure = error if own else WorkerError(f"the mixer failed: {described(error)}")
            self._on_failure(self.failure)
        finally:
            sys.setswitchinterval(interval)

    def _loop(self) -> None:
        pause = self.period / self.rate / 2
        self._sink.start()
        while not self._ending.is_set():
            needed = self._sink.frames_needed()
            while needed > 0 and not self._ending.is_set():
                needed -= self.process_once().shape[0]
            self._clock.sleep(pause)
        self.finish()
