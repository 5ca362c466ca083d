"""The feeder thread: requests blocks from the generator to keep the lead at its target.

Other threads pass immutable settings and commands to it; it owns the generator and the governor.
If the generator dies, the feeder starts a new one and restores its state.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.controls.settings import Settings
from engine.errors import AttaccaError, ConfigError, PackError, WorkerError
from engine.notes.note import Note
from engine.notes.timed_note import TimedNote
from engine.packs.plan import Plan
from engine.stages.request import Request
from engine.stream.block_events import BlockEvent, DroppedAudio, generated_block
from engine.stream.generator import Block, Generator, GeneratorDied
from engine.stream.governor import BlockPlan, Governor
from engine.stream.history import History, Keyframe, Place
from engine.stream.lead import Lead
from engine.stream.requests import request_from
from engine.time.clock import Clock
from engine.time.tempo_map import Pace

RESTARTS = 5  # in a row without a block between them; then the stream ends
_POLL = 0.01  # seconds between looks at the lead
_SHORTEST = 0.25  # seconds of stride: a block costs the same however few frames are kept
_LOADS = 512  # blocks for the load and its percentiles


@dataclass(frozen=True)
class _Command:
    """Work for the generator between two blocks; `name` is for messages."""

    name: str
    samples: NDArray[np.float32] | None = None
    notes: tuple[Note, ...] = ()
    place: Place | None = None


@dataclass(frozen=True)
class StreamStats:
    """The generator: its last block, its load (generation time / block length) and its faults.

    `seconds` is the generation time of the last block. `faults` counts blocks in which a network
    returned NaN or infinity, `clipped` magnitudes that were limited to full scale. `pending`:
    whether settings have changed since the last request.
    """

    blocks: int
    steps: int
    evaluations: int
    stride: float
    eased: bool
    seconds: float
    load: float
    worst_load: float
    restarts: int
    faults: int
    clipped: int
    seed: int
    pending: bool


class Feeder:
    """Keeps a lead filled.

    Parameters
    ----------
    generator : not started; the feeder starts and stops it.
    lead : gets the blocks.
    governor : decides steps and stride within the settings.
    plan : of the pack.
    target_lead : seconds of lead below which the next block is requested.
    settings : the first ones.
    on_event : called with (kind, text) for the performer; must not wait.
    on_problem : called with (kind, text, seconds) for a problem in a block that may recur in the
        next, and how long it counts as current; must not wait.
    on_refused : called with settings that the pack refuses, and with those that it plays with
        instead; must not wait.
    clock : of its thread and its waits.
    on_block_event : called with every block as it joins the lead, and with all dropped audio, in
        the thread of the event; must not wait.
    on_applied : called with the settings of each generated block; must not wait.
    pace : returns the present tempo; must not wait.
    """

    def __init__(
        self,
        generator: Generator,
        lead: Lead,
        governor: Governor,
        *,
        plan: Plan,
        target_lead: float,
        settings: Settings,
        on_event: Callable[[str, str], None],
        on_problem: Callable[[str, str, float], None],
        on_refused: Callable[[Settings, Settings], None],
        clock: Clock,
        on_block_event: Callable[[BlockEvent], object] = lambda _: None,
        on_applied: Callable[[Settings], object] = lambda _: None,
        pace: Callable[[], Pace] = Pace,
    ) -> None:
        self._on_block_event, self._on_applied = on_block_event, on_applied
        self._pace = pace
        self._event_lock = threading.Lock()  # keeps blocks and drops in order
        self._generator, self._lead, self._governor = generator, lead, governor
        self._plan = plan
        self.target_lead = target_lead
        self._settings = self._accepted = settings
        self._requested_settings = settings
        self._on_event, self._on_problem, self._on_refused = on_event, on_problem, on_refused
        self._clock = clock
        self._stop, self._awake = clock.event(), clock.event()
        self._commands: deque[_Command] = deque()
        self.history = History(lead.rate)
        self._has_past = False  # whether the piece has a past to continue
        self._phrase = 0  # blocks of a phrase that are still to come
        self._index = 0
        self._in_progress = 0.0  # seconds of the block that is being generated
        self._loads: deque[float] = deque(maxlen=_LOADS)
        self._last: Block | None = None
        self._planned: BlockPlan | None = None
        self._eased = False
        self._restarts = self._restarts_in_a_row = self._blocks = self._faults = 0
        self._fatal: _Command | None = None  # the one during which the generator died
        self.failure: AttaccaError | None = None
        self._thread = clock.thread(self._run, "attacca-feeder")

    # ------------------------------------------------------------- any thread

    def start(self, past: NDArray[np.float32] | None = None, phrase: Sequence[Note] = ()) -> None:
        """Open the pack in a generator and start to fill the lead.

        `past` [frames, channels] at the pack's rate is played first and then continued; the piece
        starts with the notes of `phrase`.

        Raises
        ------
        AttaccaError
            When the pack cannot be opened.
        """
        try:
            self._generator.start()
        except GeneratorDied as error:
            raise WorkerError(f"the generator does not start: {error}") from error
        if past is not None:
            self._commands.append(_Command("continue", samples=past))
        if phrase:
            self._commands.append(_Command("play", notes=tuple(phrase)))
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and the generator."""
        self._stop.set()
        self._lead.close()
        self._generator.stop()  # also ends a wait for a block
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._generator.stop()

    def set_target_lead(self, seconds: float) -> None:
        """Keep this many seconds of lead from now on."""
        self.target_lead = seconds
        self._awake.set()

    def set(self, settings: Settings) -> None:
        """Apply these settings from the next block on."""
        self._settings = settings

    def phrase(self, notes: Sequence[Note], *, played: bool) -> None:
        """Play notes next, or continue from them as if they had just been played."""
        self._commands.append(_Command("play" if played else "answer", notes=tuple(notes)))

    def answer(self, samples: NDArray[np.float32]) -> None:
        """Continue from sound [frames, channels] at the pack's rate without playing it."""
        self._commands.append(_Command("listen", samples=samples))

    def reset(self, *, at_once: bool = True) -> None:
        """Start a new piece, at once or after the audio that is already generated."""
        with self._event_lock:
            self._commands.append(_Command("reset" if at_once else "new piece"))
            if at_once:
                self._on_block_event(DroppedAudio(*self._lead.flush()))

    def go_to(self, place: Place) -> None:
        """Drop the lead and continue from a place in the history or in a snapshot."""
        self._commands.append(_Command("go back", place=place))
        self._awake.set()

    def horizon(self) -> tuple[float, float]:
        """Seconds of music pulled, and where the first block with the present settings starts."""
        played, generated = self._lead.extent()
        return played, generated + self._in_progress

    @property
    def generator_pid(self) -> int | None:
        """Process id of the generator while it runs."""
        return self._generator.pid

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that ONNX Runtime offers the generator."""
        return self._generator.targets

    def stats(self) -> StreamStats:
        """The present values."""
        last, loads = self._last, list(self._loads)
        return StreamStats(
            blocks=self._blocks,
            steps=self._planned.steps if self._planned else 0,
            evaluations=last.evaluations if last else 0,
            stride=self._planned.stride if self._planned else 1.0,
            eased=self._eased,
            seconds=last.seconds if last else 0.0,
            load=float(np.mean(loads[-8:])) if loads else 0.0,
            worst_load=max(loads, default=0.0),
            restarts=self._restarts,
            faults=self._faults,
            clipped=last.clipped if last else 0,
            seed=int(self._settings.number("seed")),
            pending=self._settings is not self._requested_settings,
        )

    def loads(self) -> list[float]:
        """Generation time / block length of the last blocks."""
        return list(self._loads)

    # --------------------------------------------------------- feeder thread

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self.history.newest is None:
                    self._take_keyframe()
                self._carry_out_commands()
                if self._lead.seconds >= self.target_lead:
                    self._awake.wait(_POLL)
                    self._awake.clear()
                    continue
                self._generate_block()
            except GeneratorDied as error:
                if self._stop.is_set():
                    break
                self._restart(error)
            except AttaccaError as error:
                failed = self._requested_settings
                if failed is not self._accepted:
                    # The pack refuses a value: go back to the settings that it played with.
                    self._on_event("refused", str(error))
                    if self._settings is failed:
                        self._settings = self._accepted
                    self._on_refused(failed, self._accepted)
                elif self._blocks and isinstance(error, PackError):
                    # A graph that has worked may work again in another process.
                    self._restart(error)
                else:
                    self._give_up(error)

    def _generate_block(self) -> None:
        settings = self._settings
        steps, stride = int(settings.number("steps")), settings.number("stride")
        plan = self._governor.plan(steps, stride)
        whole = self._phrase > 0 or not self._has_past
        request = self._request(settings, plan.steps, 1.0 if whole else plan.stride)
        self._requested_settings = settings
        self._in_progress = plan.stride * self._plan.block_samples / self._lead.rate
        try:
            block = self._generator.make(request)
        finally:
            self._in_progress = 0.0
        self._accepted = settings
        self._on_applied(settings)
        with self._event_lock:
            if self._piece_ends():
                return
            lead = self._lead.seconds
            self._governor.observe(steps, plan, block.seconds, lead, self.target_lead)
            self._lead.append(block.samples, block.rewind, block.notes)
            self._on_block_event(
                generated_block(
                    block.samples, self._lead.rate, self._lead.extent()[1], index=self._index,
                    steps=plan.steps, rewind=block.rewind, seconds=block.seconds, eased=plan.eased,
                )
            )  # fmt: skip
        self.history.requested(request, self._lead.position[1])
        self._phrase = max(0, self._phrase - 1)
        self._has_past = True
        self._loads.append(block.seconds * self._lead.rate / max(1, len(block.samples)))
        if plan.eased != self._eased:
            self._on_event(
                "eased" if plan.eased else "restored", f"now {plan.steps} of {steps} steps"
            )
        self._eased = plan.eased
        self._last, self._planned = block, plan
        if block.faults:
            self._faults += 1
            lasts = 2 * len(block.samples) / self._lead.rate + 2.0
            self._on_problem("network", block.faults[0], lasts)
        self._index += 1
        self._blocks += 1
        self._restarts_in_a_row = 0
        self._take_keyframe()

    def _request(self, settings: Settings, steps: int, stride: float) -> Request:
        return request_from(self._plan, settings, self._index, steps, stride, self._pace())

    def _piece_ends(self) -> bool:
        """Whether a new piece was requested, to which the present block does not belong."""
        return any(command.name in ("reset", "new piece") for command in list(self._commands))

    def _carry_out_commands(self) -> None:
        while self._commands:
            command = self._commands[0]
            try:
                self._carry_out(command)
            except GeneratorDied:
                if command is self._fatal and command.name not in ("reset", "new piece"):
                    self._on_event("refused", f"{command.name}: the generator crashed on it twice")
                    self._commands.popleft()
                self._fatal = command
                raise
            except AttaccaError as error:
                if not self._blocks:
                    raise  # the piece cannot start without it
                self._on_event("refused", f"{command.name}: {error}")
            self._commands.popleft()

    def _carry_out(self, command: _Command) -> None:
        if command.name in ("reset", "new piece"):
            self._generator.reset()
            self._index = 0
            self._has_past, self._phrase = False, 0
            self._take_keyframe()
            if command.name == "new piece":
                self._lead.end_piece()
            return
        if command.place is not None:
            self._go_to(command.place)
            return
        if command.name == "continue" and command.samples is not None:
            self._generator.continue_from(command.samples)
            self._has_past = True
            self._take_keyframe(ahead=len(command.samples))
            with self._event_lock:
                self._lead.append(command.samples)
                end = self._lead.extent()[1]
                self._on_block_event(generated_block(command.samples, self._lead.rate, end))
            return
        if command.name == "listen" and command.samples is not None:
            self._generator.listen(command.samples)
            self._phrase = 0
        else:
            self._phrase = self._generator.phrase(command.notes, played=command.name == "play")
        self._take_keyframe()

    def _take_keyframe(self, ahead: int = 0) -> None:
        """Keep the generator's state, for the sample `ahead` frames after the generated audio."""
        position = self._lead.position[1] + ahead
        state = self._generator.state()
        self.history.take(Keyframe(state, position, position, self._has_past, self._phrase))

    def _go_to(self, place: Place) -> None:
        """Drop the lead, and continue from another place of this or another run."""
        keyframe = place.keyframe
        self._generator.restore(keyframe.state)
        for request in place.before:
            self._generator.make(request)
        state = self._generator.state()
        phrase = max(0, keyframe.phrase - len(place.before))
        has_past = keyframe.has_past or bool(place.before)
        blocks = self._first_blocks(place, has_past=has_past, phrase=phrase)
        after = self._generator.state()
        with self._event_lock:
            if self._piece_ends():
                return
            self._on_block_event(DroppedAudio(*self._lead.switch()))
            since = self._lead.position[1]
            self.history.cut(since)
            self.history.take(Keyframe(state, since - place.offset, since, has_past, phrase))
            skip = place.offset
            for request, block in blocks:
                samples = block.samples[skip:]
                self._lead.append(samples, notes=_from(block.notes, skip))
                end = self._lead.extent()[1]
                self._on_block_event(generated_block(samples, self._lead.rate, end))
                self.history.requested(request, self._lead.position[1])
                skip = 0
        self._has_past = has_past or bool(blocks)
        self._phrase = max(0, phrase - len(blocks))
        position = self._lead.position[1]
        self.history.take(Keyframe(after, position, position, self._has_past, self._phrase))

    def _first_blocks(
        self, place: Place, *, has_past: bool, phrase: int
    ) -> list[tuple[Request, Block]]:
        """Blocks from a place on, long enough that the next one is ready in time."""
        blocks: list[tuple[Request, Block]] = []
        ready = -place.offset
        settings = self._settings
        request = place.request
        while ready < self._plan.block_samples // 2:
            if request is None:
                whole = phrase > len(blocks) or not (has_past or blocks)
                plan = self._governor.plan(int(settings.number("steps")), settings.number("stride"))
                request = self._request(settings, plan.steps, 1.0 if whole else plan.stride)
            block = self._generator.make(request)
            blocks.append((request, block))
            ready += len(block.samples)
            request = None
        return blocks

    def _restart(self, error: Exception) -> None:
        """Start a new generator and restore the state of the old one."""
        failure: Exception | None = error
        while failure is not None and not self._stop.is_set():
            self._restarts += 1
            self._restarts_in_a_row += 1
            if self._restarts_in_a_row > RESTARTS:
                if not isinstance(failure, AttaccaError):
                    times = self._restarts_in_a_row
                    failure = WorkerError(
                        f"the generator crashed {times} times in a row: {failure}"
                    )
                self._give_up(failure)
                return
            self._on_event("restarted", f"{failure}; a new generator continues the music")
            failure = self._start_again()

    def _start_again(self) -> Exception | None:
        """Start the generator, restore the newest keyframe and repeat the requests since.

        Returns the error after which to try again, if any.
        """
        try:
            self._generator.start()
        except GeneratorDied as died:
            self._clock.sleep(0.1 * self._restarts_in_a_row)
            return died
        except AttaccaError as pack:
            self._give_up(pack)
            return None
        newest = self.history.newest
        if newest is None:
            return None
        try:
            self._generator.restore(newest.state)
            for request, _ in newest.requests:
                self._generator.make(request)
        except (GeneratorDied, AttaccaError) as failed:
            return failed
        self._has_past = newest.has_past or bool(newest.requests)
        self._phrase = max(0, newest.phrase - len(newest.requests))
        return None

    def _give_up(self, error: AttaccaError) -> None:
        self.failure = error
        self._on_event("failed", str(error))
        self._stop.set()
        self._lead.close()


def _from(notes: tuple[TimedNote, ...], offset: int) -> tuple[TimedNote, ...]:
    """Notes of a block from a later sample on, timed from that sample."""
    later = [n for n in notes if n.offset >= offset]
    return tuple(TimedNote(n.offset - offset, n.pitch, n.velocity) for n in later)


def lead_and_stride(latency: float, block_seconds: float) -> tuple[float, float]:
    """Split the time until a block control is audible into target lead (seconds) and stride.

    A control waits for the lead to be played and for one stride. Long latencies keep whole blocks.
    Short ones use half the time for the stride, down to an eighth of a block or 0.25 s.

    Raises
    ------
    ConfigError
        It is too short for the blocks of the pack.
    """
    if latency >= 1.4 * block_seconds:
        return latency - block_seconds, 1.0
    shortest = max(0.125, min(1.0, _SHORTEST / block_seconds))
    stride = max(shortest, min(1.0, latency / 2 / block_seconds))
    lead = latency - stride * block_seconds
    if lead < 0.05:
        least = shortest * block_seconds + 0.05
        raise ConfigError(
            f"latency {latency:g} s is too short for this pack; use {least:.2f} s or more"
        )
    return lead, stride
