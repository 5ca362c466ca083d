"""The walk of a plan: produces the output of a pack, chunk by chunk. Owned by one thread.

It lives in the generator process. Samples are float32 [frames, channels] at the pack's rate.
It does not depend on time: the same state and the same requests give the same samples.

To produce a chunk of a signal its stage runs once. Before that, every stage whose signal is too
short for the windows to read runs, parents first. A diffusion or network stage reads windows of its
inputs by absolute position. A transform with state reads the chunks that its input commits, never
split or merged, because its output depends on where they end.

Signals on beats are performed by the tempo map. A beat is written into it when a stage first
outputs frames of it, by the pace of that request.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.execution.executor import Executor
from engine.notes.note import Note
from engine.notes.timed_note import TimedNote
from engine.packs.files import load_arrays
from engine.packs.manifest import Manifest
from engine.packs.plan import Plan, StagePlan, make_plan
from engine.representations.bars import Bars
from engine.representations.kinds import make_representation
from engine.representations.protocol import Event, Projection, Representation
from engine.representations.state import part
from engine.stages.diffusion import BlockInputs, DiffusionStage
from engine.stages.log import SignalLog
from engine.stages.network import NetworkStage
from engine.stages.prompts import PromptEncoder, open_prompts
from engine.stages.request import Request, StageRequest
from engine.stages.transform import TransformStage
from engine.stream.produced import Produced
from engine.time.tempo_map import Pace, TempoMap

__all__ = ["PlanWalk"]

Array = NDArray[np.float32]
State = Mapping[str, NDArray[Any]]


def _no_listener(_: str) -> None:
    pass


class PlanWalk:
    """Plays a pack chunk by chunk.

    Parameters
    ----------
    manifest : of the pack, its files verified.
    executor : opens and runs its graphs.
    announce : called with the name of each part of the work before it starts; the first word is a
        key of `heartbeat.ALLOWANCES`.

    Attributes
    ----------
    pace : the tempo at which notes in seconds are read on a grid of beats.

    Raises
    ------
    PackError
        The pack cannot be opened, or its graphs do not match the manifest.
    """

    def __init__(
        self,
        manifest: Manifest,
        executor: Executor,
        announce: Callable[[str], object] = _no_listener,
    ) -> None:
        self.manifest, self._executor, self._announce = manifest, executor, announce
        self.plan: Plan = make_plan(manifest)
        self.pace = Pace()
        load = partial(load_arrays, manifest)
        self._representations: dict[str, Representation] = {
            s.name: make_representation(s, manifest.rate, load) for s in manifest.signals
        }
        self._logs = {
            name: SignalLog(r.empty, self.plan.lengths.get(name, 0), self._start(name))
            for name, r in self._representations.items()
            if not isinstance(r, Bars)
        }
        self.diffusion: dict[str, DiffusionStage] = {}
        self.networks: dict[str, NetworkStage] = {}
        self._transforms: dict[str, TransformStage] = {}
        self._projections: dict[str, Projection] = {}
        self.prompts = open_prompts(manifest, executor, announce)
        for p in self.plan.stages:
            stage = p.stage
            encoded = {
                name: shape for prompt in self._texts(p) for name, shape in prompt.shapes.items()
            }
            rows = self._representations[stage.output].sampled_rows
            if stage.kind == "diffusion":
                self.diffusion[stage.output] = DiffusionStage(
                    manifest, p, executor, rows, encoded, announce
                )
            elif stage.kind == "network":
                self.networks[stage.output] = NetworkStage(
                    manifest, p, executor, rows, encoded, announce
                )
            else:
                source = self._representations[stage.inputs[0].signal]
                output = self._representations[stage.output]
                self._transforms[stage.output] = TransformStage(p, source, output)
                continue
            self._projections[stage.output] = self._representations[stage.output].projection()
        self._readers = {
            name: [t for t in self._transforms.values() if t.plan.stage.inputs[0].signal == name]
            for name in self._logs
        }
        self.reset()

    def _start(self, signal: str) -> int:
        found = self.plan.stage(signal)
        return found.start if found else 0

    def _texts(self, plan: StagePlan) -> list[PromptEncoder]:
        return [prompt for name, prompt in self.prompts.items() if name in plan.stage.controls]

    def warm_up(self, runs: int = 2) -> None:
        """Run every graph once before the first block, because first runs are slow."""
        for _ in range(runs):
            for diffusion in self.diffusion.values():
                self._announce("warm-up")
                diffusion.warm_up()
            for network in self.networks.values():
                self._announce("warm-up")
                graph = network.graphs.main
                graph.run(network.graphs.feed(graph, network.graphs.zeros()), ["frames"])

    # ------------------------------------------------------------------ the past

    def reset(self) -> None:
        """Start a new piece, without a past."""
        for log in self._logs.values():
            log.clear()
        for reset in (*self._transforms.values(), *self._projections.values()):
            reset.reset()
        for stage in self.diffusion.values():
            if stage.cache:
                stage.cache.clear()
        self._blocks = dict.fromkeys(self._projections, 0)
        self._event_origin = {name: self._logs[name].position for name in self._projections}
        self._given: dict[str, Array] = {}
        self._rewind = 0
        self._tempo = TempoMap(self.manifest.rate, self.plan.first_beat)

    @property
    def clipped(self) -> int:
        """How many values the decoders have clipped since the start."""
        return sum(stage.transform.clipped for stage in self._transforms.values())

    @property
    def notes_signal(self) -> str | None:
        """The first signal of the plan that is read as notes."""
        found = (n for n in self._projections if self._representations[n].has_notes)
        return next(found, None)

    def continue_from(self, samples: Array, notes: Sequence[Note] = ()) -> None:
        """Use real audio [frames, channels] as the past of every signal that it can be encoded to.

        `notes` are timed in seconds from the first sample. The next chunk replaces the last
        `rewind` samples, fading from them.
        """
        self.reset()
        sound = np.ascontiguousarray(samples.T, np.float32)
        zero = sound.shape[1]  # the sample at which the time of the piece starts
        primed: set[str] = set()
        for stage in self._transforms.values():
            name = stage.plan.stage.inputs[0].signal
            log = self._logs[name]
            channels = self._to_channels(sound, self._representations[name].channels)
            read = stage.transform.prime(channels, log.length)
            if read is None:
                continue
            columns, self._rewind = read
            log.replace_past(columns)
            zero = math.floor(sound.shape[1] - self._rewind - self._sample(name, log.position))
            primed.add(name)
        for p in self.plan.stages:
            name = p.stage.output
            reads = name in self._projections or self._representations[name].has_notes
            if reads and name not in primed:
                self._fill_past(name, sound, zero, notes)

    def _fill_past(self, name: str, sound: Array, zero: int, notes: Sequence[Note]) -> None:
        representation, log = self._representations[name], self._logs[name]
        end = zero + math.floor(self._sample(name, log.position))
        if representation.has_notes:
            self._take_notes(name, notes, end / self.manifest.rate)
            return
        try:
            frames = representation.encode(
                self._to_channels(sound[:, :end], representation.channels)
            )
        except ConfigError:
            return  # only a network can encode it; the stage starts without a past
        log.replace_past(frames[:, -log.length :] if log.length else frames[:, :0])

    def _take_notes(self, name: str, notes: Sequence[Note], end: float) -> None:
        """Use notes in seconds as the past of a signal; on beats they end with a whole beat."""
        log = self._logs[name]
        beats = self._beats(name)
        if beats:
            notes, end = [n.scaled(beats) for n in notes], math.ceil(end * beats)
        # The output of a transform has no projection.
        projection = self._projections.get(name) or self._representations[name].projection()
        log.replace_past(projection.past(notes, end, log.length))
        if name in self._event_origin:
            self._event_origin[name] = log.position - log.length

    def _beats(self, name: str) -> float:
        """Beats per second at the present tempo; 0 for a signal on samples."""
        on_beats = self.manifest.signal(name).grid.per_beat is not None
        return self.pace.bpm / 60 if on_beats else 0.0

    @staticmethod
    def _to_channels(sound: Array, channels: int) -> Array:
        if len(sound) == channels:
            return sound
        return np.repeat(sound.mean(axis=0, keepdims=True), channels, axis=0)

    def answer(self, notes: Sequence[Note]) -> None:
        """Continue a phrase without playing it."""
        name = self.notes_signal
        if name is None:
            return
        self._given.pop(name, None)
        self._take_notes(name, notes, max((n.end for n in notes), default=0.0))
        stage = self.diffusion.get(name)
        if stage is not None and stage.cache:
            stage.cache.clear()

    def play(self, notes: Sequence[Note]) -> int:
        """Play a phrase, and continue it. Returns the number of blocks that it fills."""
        name = self.notes_signal
        if name is None:
            return 0
        plan = self.plan.stage(name)
        if plan is None:
            return 0
        beats = self._beats(name)
        notes = [n.scaled(beats) for n in notes] if beats else notes
        blocks = self._projections[name].phrase(notes, plan.stage.block)
        if not blocks:
            return 0
        self._given[name] = np.concatenate(blocks, axis=1)
        return len(blocks)

    # ------------------------------------------------------------------ the walk

    def make(self, request: Request) -> Produced:
        """Produce the next chunk of the output.

        Raises
        ------
        ConfigError
            A value cannot be used; the state is unchanged.
        PackError
            A graph fails.
        """
        for output, stage in self.diffusion.items():
            stage.table(self._of(request, output))
        for output in self._projections:
            self._check_keep(output, self._of(request, output).keep)
        self.pace = request.pace
        self._evaluations = 0
        self._faults: list[str] = []
        self._events: list[tuple[float, Event]] = []
        output = self.manifest.output
        begin = self._logs[output].position
        samples = self._run(output, request)
        self._faults += self._executor.notices()
        rewind, self._rewind = self._rewind, 0
        self._tempo = self._tempo.remembering(self.plan.beats)
        first = math.floor(self._sample(output, begin))
        notes = tuple(TimedNote(round(at) - first, e.pitch, e.velocity) for at, e in self._events)
        return Produced(
            np.ascontiguousarray(samples.T), self._evaluations, rewind, notes, tuple(self._faults)
        )

    def _of(self, request: Request, output: str) -> StageRequest:
        plan = self.plan.stage(output)
        name = plan.stage.name if plan else output
        if name not in request.stages:
            raise ConfigError(f"the request has no stage {name!r}; add it")
        return request.stages[name]

    def _check_keep(self, output: str, keep: int) -> None:
        plan = self.plan.stage(output)
        if plan and (keep % plan.unit or not 0 < keep <= plan.stage.block):
            raise ConfigError(
                f"stage {plan.stage.name!r} cannot keep {keep} frames; use multiples of "
                f"{plan.unit} up to {plan.stage.block}"
            )

    def _sample(self, signal: str, position: int) -> Fraction:
        """The sample at which a frame starts."""
        grid = self.manifest.signal(signal).grid
        if grid.per_beat is not None:
            return self._tempo.sample_of(position / grid.per_beat)
        return position * (grid.samples or Fraction(1))

    def _run(self, output: str, request: Request) -> Array:
        """Run the stage of a signal once. Returns the committed frames."""
        if output in self._transforms:
            return self._transform(output, request)
        plan = self.plan.stage(output)
        assert plan is not None
        of_stage = self._of(request, output)
        log = self._logs[output]
        per_beat = self.manifest.signal(output).grid.per_beat
        if per_beat:
            self._tempo = self._tempo.until((log.position + of_stage.keep) / per_beat, request.pace)
        windows = self._windows(plan, of_stage.keep, request)
        block = self._block(output, plan, request, windows)
        self._check_finite(plan, block)
        clean, events = self._projections[output].project(block, of_stage.keep)
        if not per_beat:  # notes on beats are timed when they are performed
            self._note(output, self._event_origin[output], events)
        first = log.position
        log.commit(clean, of_stage.keep)
        self._blocks[output] += 1
        kept = clean[:, : of_stage.keep]
        for reader in self._readers[output]:
            reader.take(first, kept)
        return kept

    def _transform(self, output: str, request: Request) -> Array:
        stage = self._transforms[output]
        while stage.waits:
            self._run(stage.plan.stage.inputs[0].signal, request)
        self._announce(stage.plan.stage.transform)
        frames, events = stage.run(self._tempo)
        self._note(output, 0, events)
        self._logs[output].commit(frames, frames.shape[1])
        return frames

    def _note(self, output: str, origin: int, events: Sequence[Event]) -> None:
        frame = float(self._sample(output, 1))
        self._events += [((e.frame + origin) * frame, e) for e in events]

    def _windows(self, plan: StagePlan, keep: int, request: Request) -> dict[str, Array]:
        """The windows of other signals that a block reads; their stages run if they are too short.

        Kept frames must depend on committed frames only: a provisional tail may change.
        """
        position = self._logs[plan.stage.output].position
        found: dict[str, Array] = {}
        for read in plan.inputs:
            name = read.read.signal
            first, end = read.window(position, plan.stage.block)
            committed = math.ceil(read.ratio * (position + keep))
            while self.plan.stage(name) and (
                self._logs[name].end < end or self._logs[name].position < committed
            ):
                self._run(name, request)
            found[read.read.graph_input] = self._frames(name, first, end, request.pace)
        return found

    def _others(self, plan: StagePlan, pace: Pace, first: int, end: int) -> dict[str, Array]:
        """What a stage reads of other signals at its own frames `first` to before `end`."""
        return {
            r.read.graph_input: self._frames(
                r.read.signal, int(r.ratio * first), int(r.ratio * end), pace
            )
            for r in plan.inputs
        }

    def _frames(self, signal: str, first: int, end: int, pace: Pace) -> Array:
        bars = self._representations[signal]
        if isinstance(bars, Bars):
            tempo = self._tempo.until(end / bars.per_beat, pace)
            return bars.frames(tempo, first, end)
        return self._logs[signal].window(first, end)

    def _block(
        self, output: str, plan: StagePlan, request: Request, windows: Mapping[str, Array]
    ) -> Array:
        given = self._next_given(output, plan, self._of(request, output).keep)
        if given is not None:
            return given
        encoded: dict[str, NDArray[Any]] = {}
        empty: dict[str, NDArray[Any]] = {}
        for prompt in self._texts(plan):
            encoded |= prompt.encode(request.controls)
            empty |= prompt.empty()
        if output in self.networks:
            self._evaluations += 1
            return self.networks[output].run(windows, request.controls, encoded)
        inputs = BlockInputs(
            windows, request.controls, encoded, empty, request.seed, self._blocks[output],
            partial(self._others, plan, request.pace), self._known(output, plan, request),
        )  # fmt: skip
        stage = self.diffusion[output]
        block, evaluations = stage.run(self._of(request, output), inputs, self._logs[output])
        self._evaluations += evaluations
        return block

    def _known(self, output: str, plan: StagePlan, request: Request) -> Any:
        keys = [
            c for c in self.manifest.controls
            if c.kind == "keys" and c.short in plan.stage.controls
        ]  # fmt: skip
        held = {int(k) for c in keys for k in request.controls.get(c.short, ())}
        if not keys:
            return None
        return self._projections[output].known(tuple(sorted(held)), plan.stage.block)

    def _next_given(self, output: str, plan: StagePlan, keep: int) -> Array | None:
        """Frames of a phrase, which replace sampled ones; the empty frame after its end."""
        frames = self._given.get(output)
        if frames is None:
            return None
        rest = frames[:, keep:]
        if rest.shape[1]:
            self._given[output] = rest
        else:
            del self._given[output]
        block = self._logs[output].empty(plan.stage.block)
        taken = frames[:, : plan.stage.block]
        block[:, : taken.shape[1]] = taken
        return block

    def _check_finite(self, plan: StagePlan, block: Array) -> None:
        """Report a block with NaN or infinity, which is played as silence or held sound."""
        if not np.isfinite(block).all():
            self._faults.append(
                f"stage {plan.stage.name!r} answers values that are not finite numbers"
            )

    # ------------------------------------------------------------------ the state

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next chunk depends on, as named arrays."""
        state: dict[str, NDArray[Any]] = {"rewind": np.array([self._rewind], np.int64)}
        for prefix, owner in self._parts():
            state |= {f"{prefix}/{name}": array.copy() for name, array in owner.state().items()}
        for name, blocks in self._blocks.items():
            state[f"blocks/{name}"] = np.array([blocks, self._event_origin[name]], np.int64)
        for name, frames in self._given.items():
            state[f"given/{name}"] = frames.copy()
        return state | {f"tempo/{name}": array for name, array in self._tempo.state().items()}

    def restore(self, state: State) -> None:
        """Continue from a state of the same pack, to the bit.

        Raises
        ------
        ConfigError
            It is the state of another pack; then nothing has changed.
        """
        before = self.state()
        try:
            self._restore(state)
        except (KeyError, ValueError, ConfigError, TypeError) as error:
            self._restore(before)
            raise ConfigError(
                f"this state is of another pack ({error}); load that pack first"
            ) from error

    def _restore(self, state: State) -> None:
        for prefix, owner in self._parts():
            owner.restore(part(prefix, state))
        for name in self._blocks:
            self._blocks[name], self._event_origin[name] = map(int, state[f"blocks/{name}"])
        self._given = {
            name: np.array(state[f"given/{name}"], np.float32)
            for name in self._projections
            if f"given/{name}" in state
        }
        self._rewind = int(state["rewind"][0])
        self._tempo = TempoMap.restored(self.manifest.rate, part("tempo", state))

    def _parts(self) -> list[tuple[str, Any]]:
        parts: list[tuple[str, Any]] = [(f"log/{n}", log) for n, log in self._logs.items()]
        parts += [(f"transform/{n}", t) for n, t in self._transforms.items()]
        parts += [(f"projection/{n}", p) for n, p in self._projections.items()]
        parts += [(f"prompt/{n}", p) for n, p in self.prompts.items()]
        parts += [(f"cache/{n}", s.cache) for n, s in self.diffusion.items() if s.cache]
        return parts
