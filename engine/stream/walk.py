"""The walk of a plan: produces the output of a pack, chunk by chunk. Owned by one thread.

It lives in the generator process. Samples are float32 [frames, channels] at the pack's rate.
Nothing here knows of time: the same state and the same requests give the same samples.

To produce a chunk of a signal its stage runs once. Before that, every stage whose signal is too
short for what it reads runs, parents first. A diffusion or network stage reads windows of its
inputs by absolute position. A transform with state takes chunks as its input commits them, never
split or merged, since its output depends on where they end.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from engine.representations.kinds import make_representation
from engine.representations.protocol import Decoder, Event, Projection, Representation
from engine.stages.diffusion import BlockInputs, DiffusionStage
from engine.stages.log import SignalLog
from engine.stages.network import NetworkStage
from engine.stages.prompts import PromptEncoder, open_prompts
from engine.stages.request import Request, StageRequest

__all__ = ["PlanWalk", "Produced"]

Array = NDArray[np.float32]
State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Produced:
    """A chunk of the output.

    `rewind`: how many samples that came before it replaces. `notes` are timed from its first
    sample; they may lie beyond its last one, as notes are known before they sound. `faults` has one
    line for each thing that was wrong with what the networks answered.
    """

    samples: Array
    evaluations: int
    rewind: int = 0
    notes: tuple[TimedNote, ...] = ()
    faults: tuple[str, ...] = ()


def _no_listener(_: str) -> None:
    pass


class PlanWalk:
    """Plays a pack chunk by chunk.

    Parameters
    ----------
    manifest : of the pack, its files verified.
    executor : opens and runs its graphs.
    announce : called with the name of each part of the work before it is done; the first word is a
        key of `heartbeat.ALLOWANCES`.

    Raises
    ------
    PackError
        The pack cannot be opened, or its graphs are not what the manifest describes.
    """

    def __init__(
        self,
        manifest: Manifest,
        executor: Executor,
        announce: Callable[[str], object] = _no_listener,
    ) -> None:
        self.manifest, self._executor, self._announce = manifest, executor, announce
        self.plan: Plan = make_plan(manifest)
        load = partial(load_arrays, manifest)
        self._representations: dict[str, Representation] = {
            s.name: make_representation(s, manifest.rate, load) for s in manifest.signals
        }
        self._logs = {
            name: SignalLog(r.empty, self.plan.lengths.get(name, 0), self._start(name))
            for name, r in self._representations.items()
        }
        self.diffusion: dict[str, DiffusionStage] = {}
        self.networks: dict[str, NetworkStage] = {}
        self._decoders: dict[str, Decoder] = {}
        self._projections: dict[str, Projection] = {}
        self._chunks: dict[str, deque[Array]] = {}
        self._prompts = open_prompts(manifest, executor, announce)
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
                self._decoders[stage.output] = source.decoder()
                self._chunks[stage.output] = deque()
                continue
            self._projections[stage.output] = self._representations[stage.output].projection()
        self._readers = {
            name: [p.stage.output for p in self.plan.stages
                   if p.stage.kind == "transform" and p.stage.inputs[0].signal == name]
            for name in self._logs
        }  # fmt: skip
        self.reset()

    def _start(self, signal: str) -> int:
        found = self.plan.stage(signal)
        return found.start if found else 0

    def _texts(self, plan: StagePlan) -> list[PromptEncoder]:
        return [prompt for name, prompt in self._prompts.items() if name in plan.stage.controls]

    def warm_up(self, runs: int = 2) -> None:
        """Run every graph before the first block, so that no first-time cost is audible."""
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
        """Forget the past: the next chunk begins a new piece."""
        for log in self._logs.values():
            log.clear()
        for part in (*self._decoders.values(), *self._projections.values()):
            part.reset()
        for chunks in self._chunks.values():
            chunks.clear()
        for stage in self.diffusion.values():
            if stage.cache:
                stage.cache.clear()
        self._blocks = dict.fromkeys(self._projections, 0)
        self._event_origin = {name: self._logs[name].position for name in self._projections}
        self._given: dict[str, Array] = {}
        self._rewind = 0

    @property
    def clipped(self) -> int:
        """How many values the decoders held within bounds since the start."""
        return sum(decoder.clipped for decoder in self._decoders.values())

    @property
    def notes_signal(self) -> str | None:
        """The first signal of the plan that is read as notes."""
        found = (n for n in self._projections if self._representations[n].has_notes)
        return next(found, None)

    def continue_from(self, samples: Array, notes: Sequence[Note] = ()) -> None:
        """Take real audio [frames, channels] as the past of every signal that can be read from it.

        `notes` are timed in seconds from the first sample. The next chunk replaces the last
        `rewind` samples, fading from them.
        """
        self.reset()
        sound = np.ascontiguousarray(samples.T, np.float32)
        zero = sound.shape[1]  # the sample at which the piece's time begins
        primed: set[str] = set()
        for p in self.plan.stages:
            if p.stage.kind != "transform":
                continue
            name = p.stage.inputs[0].signal
            log, frame = self._logs[name], self._frame(name)
            channels = self._to_channels(sound, self._representations[name].channels)
            columns, self._rewind = self._decoders[p.stage.output].prime(channels, log.length)
            log.replace_past(columns)
            zero = math.floor(sound.shape[1] - self._rewind - log.position * frame)
            primed.add(name)
        for name in self._projections:
            if name not in primed:
                self._fill_past(name, sound, zero, notes)

    def _fill_past(self, name: str, sound: Array, zero: int, notes: Sequence[Note]) -> None:
        representation, log = self._representations[name], self._logs[name]
        end = zero + math.floor(log.position * self._frame(name))
        if representation.has_notes:
            self._take_notes(name, notes, end / self.manifest.rate)
            return
        try:
            frames = representation.encode(
                self._to_channels(sound[:, :end], representation.channels)
            )
        except ConfigError:
            return  # only a network can read it from sound; the stage begins without a past
        log.replace_past(frames[:, -log.length :] if log.length else frames[:, :0])

    def _take_notes(self, name: str, notes: Sequence[Note], end: float) -> None:
        log = self._logs[name]
        log.replace_past(self._projections[name].past(notes, end, log.length))
        self._event_origin[name] = log.position - log.length

    @staticmethod
    def _to_channels(sound: Array, channels: int) -> Array:
        if len(sound) == channels:
            return sound
        return np.repeat(sound.mean(axis=0, keepdims=True), channels, axis=0)

    def answer(self, notes: Sequence[Note]) -> None:
        """Take a phrase that is not played as what the music continues."""
        name = self.notes_signal
        if name is None:
            return
        self._given.pop(name, None)
        self._take_notes(name, notes, max((n.end for n in notes), default=0.0))
        stage = self.diffusion.get(name)
        if stage is not None and stage.cache:
            stage.cache.clear()

    def play(self, notes: Sequence[Note]) -> int:
        """Play a phrase as it is, and continue it. Returns how many blocks it takes."""
        name = self.notes_signal
        if name is None:
            return 0
        plan = self.plan.stage(name)
        if plan is None:
            return 0
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
            For a value that cannot be used; the state is as it was before.
        PackError
            A graph fails.
        """
        for output, stage in self.diffusion.items():
            stage.table(self._of(request, output))
        for output in self._projections:
            self._check_keep(output, self._of(request, output).keep)
        self._evaluations = 0
        self._faults: list[str] = []
        self._events: list[tuple[float, Event]] = []
        output = self.manifest.output
        begin = self._logs[output].position
        samples = self._run(output, request)
        self._faults += self._executor.notices()
        rewind, self._rewind = self._rewind, 0
        frame = self._frame(output)
        notes = tuple(
            TimedNote(round(at) - math.floor(begin * frame), e.pitch, e.velocity)
            for at, e in self._events
        )
        return Produced(
            np.ascontiguousarray(samples.T), self._evaluations, rewind, notes, tuple(self._faults)
        )

    def _of(self, request: Request, output: str) -> StageRequest:
        plan = self.plan.stage(output)
        name = plan.stage.name if plan else output
        if name not in request.stages:
            raise ConfigError(f"the request says nothing of stage {name!r}")
        return request.stages[name]

    def _check_keep(self, output: str, keep: int) -> None:
        plan = self.plan.stage(output)
        if plan and (keep % plan.unit or not 0 < keep <= plan.stage.block):
            raise ConfigError(
                f"stage {plan.stage.name!r} cannot keep {keep} frames; use multiples of "
                f"{plan.unit} up to {plan.stage.block}"
            )

    def _frame(self, signal: str) -> Any:
        return self.manifest.signal(signal).grid.samples or 1

    def _run(self, output: str, request: Request) -> Array:
        """Run the stage of a signal once. Returns what it committed."""
        if output in self._decoders:
            return self._decode(output, request)
        plan = self.plan.stage(output)
        assert plan is not None
        of_stage = self._of(request, output)
        log = self._logs[output]
        windows = self._windows(plan, of_stage.keep, request)
        block = self._block(output, plan, request, windows)
        self._check_finite(plan, block)
        clean, events = self._projections[output].project(block, of_stage.keep)
        origin, frame = self._event_origin[output], float(self._frame(output))
        self._events += [((e.frame + origin) * frame, e) for e in events]
        log.commit(clean, of_stage.keep)
        self._blocks[output] += 1
        kept = clean[:, : of_stage.keep]
        for reader in self._readers[output]:
            self._chunks[reader].append(kept)
        return kept

    def _decode(self, output: str, request: Request) -> Array:
        plan = self.plan.stage(output)
        assert plan is not None
        chunks = self._chunks[output]
        while not chunks:
            self._run(plan.stage.inputs[0].signal, request)
        self._announce("decode")
        samples = self._decoders[output].push(chunks.popleft())
        self._logs[output].commit(samples, samples.shape[1])
        return samples

    def _windows(self, plan: StagePlan, keep: int, request: Request) -> dict[str, Array]:
        """What a block reads of other signals; their stages run where they are too short.

        What is kept must rest on committed frames: a provisional tail may change.
        """
        position = self._logs[plan.stage.output].position
        found: dict[str, Array] = {}
        for read in plan.inputs:
            name = read.read.signal
            log = self._logs[name]
            first, end = read.window(position, plan.stage.block)
            committed = math.ceil(read.ratio * (position + keep))
            while self.plan.stage(name) and (log.end < end or log.position < committed):
                self._run(name, request)
            found[read.read.graph_input] = log.window(first, end)
        return found

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
            self._known(output, plan, request),
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
        """Frames of a phrase in place of sampled ones, the empty frame after its end."""
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
        """Note a block that is no numbers: what is played of it is silence, or held sound."""
        if not np.isfinite(block).all():
            self._faults.append(
                f"stage {plan.stage.name!r} answers values that are not finite numbers"
            )

    # ------------------------------------------------------------------ the state

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next chunk depends on, as named arrays."""
        state: dict[str, NDArray[Any]] = {"rewind": np.array([self._rewind], np.int64)}
        for prefix, part in self._parts():
            state |= {f"{prefix}/{name}": array.copy() for name, array in part.state().items()}
        for name, blocks in self._blocks.items():
            state[f"blocks/{name}"] = np.array([blocks, self._event_origin[name]], np.int64)
        for name, frames in self._given.items():
            state[f"given/{name}"] = frames.copy()
        for name, chunks in self._chunks.items():
            for i, chunk in enumerate(chunks):
                state[f"chunks/{name}/{i}"] = chunk.copy()
        return state

    def restore(self, state: State) -> None:
        """Go on from a state of the same pack: the next chunks are equal to the bit.

        Raises
        ------
        ConfigError
            When it is the state of another pack; nothing has changed then.
        """
        before = self.state()
        try:
            self._restore(state)
        except (KeyError, ValueError, ConfigError, TypeError) as error:
            self._restore(before)
            raise ConfigError(f"this state does not fit the pack ({error})") from error

    def _restore(self, state: State) -> None:
        for prefix, part in self._parts():
            begin = prefix + "/"
            part.restore({n[len(begin) :]: a for n, a in state.items() if n.startswith(begin)})
        for name in self._blocks:
            self._blocks[name], self._event_origin[name] = map(int, state[f"blocks/{name}"])
        self._given = {
            name: np.array(state[f"given/{name}"], np.float32)
            for name in self._projections
            if f"given/{name}" in state
        }
        for name, chunks in self._chunks.items():
            chunks.clear()
            while f"chunks/{name}/{len(chunks)}" in state:
                chunks.append(np.array(state[f"chunks/{name}/{len(chunks)}"], np.float32))
        self._rewind = int(state["rewind"][0])

    def _parts(self) -> list[tuple[str, Any]]:
        parts: list[tuple[str, Any]] = [(f"log/{n}", log) for n, log in self._logs.items()]
        parts += [(f"decoder/{n}", d) for n, d in self._decoders.items()]
        parts += [(f"projection/{n}", p) for n, p in self._projections.items()]
        parts += [(f"prompt/{n}", p) for n, p in self._prompts.items()]
        parts += [(f"cache/{n}", s.cache) for n, s in self.diffusion.items() if s.cache]
        return parts
