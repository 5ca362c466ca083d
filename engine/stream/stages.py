"""One stage of a pack at work: what its block hears, its sampler, its own past.

Owned by the generator's thread. Frames are ndarray [rows, frames] float32 in the network's scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.controls.control import Value
from engine.controls.encoding import any_given, encode
from engine.controls.pack_controls import earlier_controls
from engine.packs.manifest import Manifest, Stage
from engine.packs.sessions import Context, StageSessions
from engine.sampling.guidance import Guidance
from engine.sampling.loop import Replace, SamplerLoop
from engine.sampling.parameterisation import SIGMA_DATA
from engine.sampling.samplers import Table, table_for
from engine.sampling.schedules import Schedule, make_schedule

Array = NDArray[np.float32]
PACKS_OWN = "pack"  # the sampler control's word for what the manifest says
_GUIDANCE_EVERY = 2  # the unconditional branch is asked in every second row


def _nothing() -> Mapping[str, Value]:
    return {}


@dataclass(frozen=True)
class Request:
    """The block controls of one block, and its place in the stream.

    `controls` are the values of the pack's own controls, by their short names.
    """

    index: int
    steps: int
    sampler: str = PACKS_OWN
    seed: int = 1
    temperature: float = 1.0
    guidance: float = 1.0
    stride: float = 1.0
    controls: Mapping[str, Value] = field(default_factory=_nothing)


class StageRunner:
    """Makes the blocks of one stage.

    Parameters
    ----------
    manifest : of the pack.
    sessions : of the stage.
    number : of the stage, from 0; part of the noise's key.
    empty : [rows, n] for any n: what is heard of a past that never was.
    announce : called with the name of each part of the work before it is done.
    """

    def __init__(
        self,
        manifest: Manifest,
        sessions: StageSessions,
        number: int,
        empty: Array,
        announce: Callable[[str], object],
    ) -> None:
        self.stage: Stage = sessions.stage
        self.controls = earlier_controls(self.stage.controls)
        self._announce = announce
        self._first = manifest.stages[0]
        self._sessions, self._number = sessions, number
        self.shape = sessions.shape
        self._empty = empty[:, :1]
        heard_by_later = [
            s.history + s.lookahead for s in manifest.stages if s.after == self.stage.name
        ]
        self._length = max([self.stage.past_frames, *heard_by_later])
        self._loop = SamplerLoop()
        self._tables: dict[tuple[str, int], Table] = {}
        self._out = np.zeros(self.shape, np.float32)
        self._context: Context = {}
        self._free: Context = {}
        self._guidance = Guidance(
            self._guided, self._unguided, 1.0, _GUIDANCE_EVERY, sigma_data=SIGMA_DATA
        )
        self._guidance.prepare(self.shape)
        self.evaluations = 0
        self.forget()

    # ------------------------------------------------------------------ the past

    def forget(self) -> None:
        """There is no past."""
        self._frames = np.repeat(self._empty, self._length, axis=1)
        self._has_past = False

    def keep(self, block: Array) -> None:
        """Add clean frames to the past."""
        self._frames = np.concatenate([self._frames, block], axis=1)[:, -self._length :]
        self._has_past = True

    @property
    def has_past(self) -> bool:
        """Whether anything was kept."""
        return self._has_past

    @property
    def past_length(self) -> int:
        """Frames of the past that are remembered."""
        return self._length

    def window(self, before: int, block: Array) -> Array:
        """The last `before` frames of the past, and the block that follows them."""
        return np.concatenate([self._frames[:, self._length - before :], block], axis=1)

    # ------------------------------------------------------------------ sampling

    def steps(self, request: Request) -> int:
        """Network evaluations of this stage: what is asked of the first one.

        Later ones take their share of less, and never more than their own number: that is the one
        at which their blocks continue each other best.
        """
        if self._number == 0:
            return request.steps
        share = min(1.0, request.steps / self._first.steps)
        return max(1, round(self.stage.steps * share))

    def table(self, request: Request) -> Table:
        """The coefficient table for a request at this stage's noise levels, kept once made.

        Raises
        ------
        ConfigError
            For a sampler or a number of steps that cannot be.
        """
        own = request.sampler == PACKS_OWN
        key = (self.stage.sampler if own else request.sampler, self.steps(request))
        if key not in self._tables:
            self._tables[key] = table_for(*key, self._schedule)
        return self._tables[key]

    def _schedule(self, intervals: int) -> Schedule:
        return make_schedule(self.stage.schedule, intervals, **self.stage.schedule_options)

    def _guided(self, x: Array, alpha: float, sigma: float) -> Array:
        return self._sessions.denoise(x, alpha, sigma, self._context)

    def _unguided(self, x: Array, alpha: float, sigma: float) -> Array:
        return self._sessions.denoise(x, alpha, sigma, self._free)

    def _past(self, present: bool) -> dict[str, Array]:
        n = self.stage.past_frames
        there = present and self._has_past
        frames = self._frames[:, self._length - n :] if there else np.repeat(self._empty, n, axis=1)
        name = "previous" if self.stage.continuing == "embed" else "past"
        return {name: frames, "present": np.array([float(there)], np.float32)}

    def run(
        self, request: Request, others: Mapping[str, Array], known: Replace | None = None
    ) -> Array:
        """Sample one block; the array is this stage's own and stays until the next call.

        Parameters
        ----------
        others : frames of earlier stages, by the stage's name.
        known : cells that the block must contain.

        Raises
        ------
        ConfigError
            For a value that the sampler cannot take.
        """
        stage = self.stage
        table = self.table(request)
        self._loop.prepare(self.shape, table)
        given = self._encoded(request)
        self._announce(f"context {stage.name}")
        self._context = self._sessions.context({**self._past(True), **others, **given})
        scale = self._scale(request)
        if scale != 1.0:
            self._free = self._without(others, given, request)
        first = self._number == 0
        step = f"step {stage.name}"

        def after_row(_: int, __: int) -> None:
            self._announce(step)

        self._announce(step)
        self._loop.run(
            self._guidance.begin(scale), request.seed, request.index, self._number,
            temperature=request.temperature if first else stage.temperature,
            out=self._out, replace=known, on_step=after_row,
        )  # fmt: skip
        self.evaluations = self._guidance.evaluations(len(table))
        return self._out

    def _scale(self, request: Request) -> float:
        """The guidance to use: 1 where there is nothing to stress."""
        stage = self.stage
        if stage.guidance == "past":
            return request.guidance if self._has_past else 1.0
        asked = any_given(self.controls, request.controls)
        return request.guidance if stage.guidance == "controls" and asked else 1.0

    def _without(
        self, others: Mapping[str, Array], given: Mapping[str, Array], request: Request
    ) -> Context:
        if self.stage.guidance == "past":
            return self._sessions.context({**self._past(False), **others, **given})
        free = self._encoded(request, free=True)
        return self._sessions.context({**self._past(True), **others, **free})

    def _encoded(self, request: Request, *, free: bool = False) -> dict[str, Array]:
        """The controls as the context graph takes them."""
        return {
            c.graph_input: encode(c, request.controls.get(c.short, c.default), free=free)
            for c in self.controls
        }

    def held_keys(self, request: Request) -> tuple[int, ...]:
        """The keys that the stage's controls of kind keys hold, as MIDI pitches."""
        keys: set[int] = set()
        for control in self.controls:
            if control.kind == "keys":
                held = control.clip(request.controls.get(control.short, ()))
                keys |= set(held)  # type: ignore[arg-type]
        return tuple(sorted(keys))
