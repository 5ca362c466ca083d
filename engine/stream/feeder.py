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

from engine.arguments import HISTORY
from engine.controls.settings import Settings
from engine.errors import AttaccaError, PackError, WorkerError
from engine.notes.note import Note
from engine.notes.timed_note import later_notes
from engine.packs.plan import Plan
from engine.stages.request import Request
from engine.stream.block_events import BlockEvent, DroppedAudio, generated_block
from engine.stream.generator import Block, Generator, GeneratorDied, joined
from engine.stream.governor import BlockPlan, Governor
from engine.stream.history import History, Keyframe, Place
from engine.stream.lead import Lead
from engine.stream.requests import request_from
from engine.stream.stream_stats import StreamStats
from engine.time.clock import Clock
from engine.time.tempo_map import Pace

RESTARTS = 5  # in a row without a block between them; then the stream ends
_POLL = 0.01  # seconds between looks at the lead
_LOADS = 512  # blocks for the load and its percentiles
_EXPECTED = 16  # last block times, of which the longest is what a block may take
_MARGIN = 0.05  # seconds of `switch_seconds` for states on their way to and from the generator


@dataclass(frozen=True)
class _Command:
    """Work for the generator between two blocks; `name` is for messages."""

    name: str
    samples: NDArray[np.float32] | None = None
    notes: tuple[Note, ...] = ()
    place: Place | None = None
    when: Callable[[], int] | None = None
    switched: Callable[[int], object] = lambda _: None


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
    history : seconds that the history reaches back, where its memory allows.
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
        history: float = HISTORY,
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
        ahead = target_lead + plan.block_samples / lead.rate  # it counts from what is audible
        self.history = History(lead.rate, history + ahead)
        self._has_past = False  # whether the piece has a past to continue
        self._phrase = 0  # blocks of a phrase that are still to come
        self._index = 0
        self._in_progress = 0.0  # seconds of the block that is being generated
        self._loads: deque[float] = deque(maxlen=_LOADS)
        self._last_seconds: deque[float] = deque(maxlen=_EXPECTED)
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

    def go_to(
        self,
        place: Place,
        when: Callable[[], int] | None = None,
        switched: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Continue from a moment of the history or of a snapshot, and drop what was to come.

        Parameters
        ----------
        place : of the moment.
        when : returns the position of the lead at which it is to begin; without it, as soon as
            enough is generated. It is called in the feeder's thread and must not wait.
        switched : called in that thread with the position at which the moment begins.
        """
        self._commands.append(_Command("go back", place=place, when=when, switched=switched))
        self._awake.set()

    def switch_seconds(self, repeated: int = 0) -> float:
        """Seconds that `go_to` takes, at most as a rule, to a place with so many blocks before."""
        blocks = 1 + repeated + 2  # the one in progress, and as a rule two to begin with
        return _MARGIN + blocks * max(self._last_seconds, default=0.0)

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
        self._last_seconds.append(block.seconds)
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
        self._take_keyframe(continues=True)

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
            self._go_to(command.place, command.when, command.switched)
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

    def _take_keyframe(self, ahead: int = 0, *, continues: bool = False) -> None:
        """Keep the generator's state, for the sample `ahead` frames after the generated audio."""
        position = self._lead.position[1] + ahead
        self.history.take(self._keyframe(position, continues=continues))

    def _keyframe(self, position: int, *, continues: bool) -> Keyframe:
        state = self._generator.state()
        return Keyframe(
            state, position, position, self._has_past, self._phrase, continues=continues
        )

    def _go_to(
        self, place: Place, when: Callable[[], int] | None, switched: Callable[[int], object]
    ) -> None:
        """Continue from another moment of this or another run."""
        while when is not None and when() > self._lead.position[1] and not self._piece_ends():
            self._generate_block()  # the music of now has to last until then
        keyframe = place.keyframe
        try:
            self._generator.restore(keyframe.state)
            for request in place.before:
                self._generator.make(request)
            state = self._generator.state()
            phrase = max(0, keyframe.phrase - len(place.before))
            has_past = keyframe.has_past or bool(place.before)
            blocks = self._first_blocks(place, when, has_past=has_past, phrase=phrase)
        except AttaccaError:
            self._return_to_newest()  # the music of now goes on
            raise
        samples, notes = joined([block for _, block in blocks])
        with self._event_lock:
            if self._piece_ends():
                return
            offset, at = place.offset, None
            if when is not None:
                # The crossfade ends where the moment begins, so that it softens no attack there.
                early = min(self._lead.switch_frames, offset)
                offset, at = offset - early, when() - early
            since, late = self._lead.switch(samples[offset:], later_notes(notes, offset), at)
            position = since - offset - late
            self._on_block_event(DroppedAudio(since / self._lead.rate, since / self._lead.rate))
            self.history.cut(since)
            self.history.take(Keyframe(state, position, since, has_past, phrase))
            end = position
            for request, block in blocks:
                end += len(block.samples)
                self.history.requested(request, end)
                unskipped = block.samples[max(0, since - (end - len(block.samples))) :]
                if len(unskipped):
                    self._on_block_event(
                        generated_block(unskipped, self._lead.rate, end / self._lead.rate)
                    )
        self._has_past = has_past or bool(blocks)
        self._phrase = max(0, phrase - len(blocks))
        self._take_keyframe(continues=True)
        switched(position + place.offset)

    def _first_blocks(
        self, place: Place, when: Callable[[], int] | None, *, has_past: bool, phrase: int
    ) -> list[tuple[Request, Block]]:
        """Blocks from a place on, together long enough that the next one is ready in time."""
        blocks: list[tuple[Request, Block]] = []
        ready = -place.offset

        def late() -> int:
            return 0 if when is None else max(0, self._lead.position[0] - when())

        settings = self._settings
        request = place.request
        while ready - late() < self._plan.block_samples // 2:
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
        try:
            self._return_to_newest()
        except (GeneratorDied, AttaccaError) as failed:
            return failed
        return None

    def _return_to_newest(self) -> None:
        """Bring the generator to the state that it had after the last block."""
        newest = self.history.newest
        if newest is None:
            return
        self._generator.restore(newest.state)
        for request, _ in newest.requests:
            self._generator.make(request)
        self._has_past = newest.has_past or bool(newest.requests)
        self._phrase = max(0, newest.phrase - len(newest.requests))

    def _give_up(self, error: AttaccaError) -> None:
        self.failure = error
        self._on_event("failed", str(error))
        self._stop.set()
        self._lead.close()
