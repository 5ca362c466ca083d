"""Makes blocks: context, sampler, representation, phase. Lives in the generator process.

One thread owns it. Samples are float32 [frames, channels] at the pack's rate; diffused blocks
are x0 [bins, frames]. Nothing here knows of time: the same requests give the same samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.packs.manifest import Manifest
from engine.packs.sessions import Context, Sessions
from engine.sampling.guidance import Guidance
from engine.sampling.loop import SamplerLoop
from engine.sampling.parameterisation import SIGMA_DATA
from engine.sampling.samplers import Table, table_for
from engine.sampling.schedules import Schedule, make_schedule
from engine.signal.log_magnitude import LogMagnitude
from engine.signal.phase_stream import DEFAULT_PHASE, make_phase
from engine.signal.stft import Stft

Array = NDArray[np.float32]
_WILDEST = 6.0  # x0 is of deviation 0.5; what lies further out is a network gone astray
_GUIDANCE_EVERY = 2  # the unconditional branch is asked in every second row


@dataclass(frozen=True)
class Request:
    """The block controls of one block, and its place in the stream."""

    index: int
    steps: int
    sampler: str
    seed: int
    temperature: float = 1.0
    guidance: float = 1.0
    stride: float = 1.0


@dataclass(frozen=True)
class Made:
    """One block as samples. `rewind`: how many samples already given it stands in place of."""

    samples: Array
    evaluations: int
    frames: int
    rewind: int = 0


class BlockMaker:
    """Continues a stream block by block.

    Parameters
    ----------
    manifest, sessions : the pack, verified, and its open graphs.

    Raises
    ------
    PackError
        When the pack's mean has the wrong shape.
    """

    def __init__(self, manifest: Manifest, sessions: Sessions) -> None:
        self._manifest, self._sessions = manifest, sessions
        r = manifest.representation
        self._stft = Stft(r.window, r.hop)
        self._coding = LogMagnitude(self._stft, r.bins, r.floor, self._mean(), r.scale)
        self._phase = make_phase(r.phase or DEFAULT_PHASE, self._stft)
        self._phase.prepare(manifest.stage.frames)
        self._loop = SamplerLoop()
        self._tables: dict[tuple[str, int], Table] = {}
        self._out = np.zeros(sessions.shape, np.float32)
        self._none = sessions.context(None)
        self._context: Context = self._none
        self._guidance = Guidance(
            self._conditional, self._unconditional, 1.0, _GUIDANCE_EVERY, sigma_data=SIGMA_DATA
        )
        self._guidance.prepare(sessions.shape)
        self._past: Array | None = None
        self._rewind = 0

    def _mean(self) -> Array:
        path = self._manifest.path(self._manifest.representation.mean)
        try:
            mean = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise PackError(f"{path}: cannot be read ({error}); install the pack again") from error
        return np.asarray(mean, np.float32)

    def _conditional(self, x: Array, alpha: float, sigma: float) -> Array:
        return self._sessions.denoise(x, alpha, sigma, self._context)

    def _unconditional(self, x: Array, alpha: float, sigma: float) -> Array:
        return self._sessions.denoise(x, alpha, sigma, self._none)

    @property
    def clipped(self) -> int:
        """How many magnitudes the decoder had to hold to the ceiling since the start."""
        return self._coding.clipped

    def reset(self) -> None:
        """Forget the past: the next block begins a new piece."""
        self._past = None
        self._rewind = 0
        self._phase.prepare(self._manifest.stage.frames)

    def continue_from(self, samples: Array) -> None:
        """Take real audio [frames, channels] as the past: its spectrum and its phase.

        What is shorter than a block is taken as following silence. The next block stands in place
        of the last `rewind` samples, fading from them.
        """
        mono = samples.mean(axis=1) if samples.ndim == 2 else samples
        need = self._stft.samples_of(self._manifest.stage.frames)
        recent = np.zeros(need, np.float32)
        taken = mono[-need:]
        recent[need - len(taken) :] = taken
        self._past = self._coding.encode(np.abs(self._stft.forward(recent)).astype(np.float32))
        self._phase.prepare(self._manifest.stage.frames)
        self._rewind = self._phase.prime(recent)

    def table(self, sampler: str, steps: int) -> Table:
        """The coefficient table for a sampler at this pack's noise levels, kept once made.

        Raises
        ------
        ConfigError
            For a sampler or a number of steps that cannot be.
        """
        key = (sampler, steps)
        if key not in self._tables:
            self._tables[key] = table_for(sampler, steps, self._schedule)
        return self._tables[key]

    def _schedule(self, intervals: int) -> Schedule:
        stage = self._manifest.stage
        return make_schedule(stage.schedule, intervals, **stage.schedule_options)

    def make(self, request: Request) -> Made:
        """Sample the next block and turn it into samples.

        Raises
        ------
        ConfigError
            For a value the sampler cannot take; the stream is as it was before.
        """
        table = self.table(request.sampler, request.steps)
        self._loop.prepare(self._sessions.shape, table)
        self._context = self._none if self._past is None else self._sessions.context(self._past)
        asked = self._manifest.stage.guidance and self._past is not None
        guided = request.guidance if asked else 1.0
        self._loop.run(
            self._guidance.begin(guided), request.seed, request.index,
            temperature=request.temperature, out=self._out,
        )  # fmt: skip
        np.nan_to_num(self._out, copy=False, nan=0.0, posinf=_WILDEST, neginf=-_WILDEST)
        np.clip(self._out, -_WILDEST, _WILDEST, out=self._out)
        frames = self._kept(request.stride)
        block = self._out[:, :frames]
        if self._past is None:
            self._past = self._out.copy()
        else:
            self._past = np.concatenate([self._past[:, frames:], block], axis=1)
        samples = self._phase.push(self._coding.decode(block))
        rewind, self._rewind = self._rewind, 0
        evaluations = self._guidance.evaluations(len(table))
        return Made(samples[:, None], evaluations, frames, rewind)

    def _kept(self, stride: float) -> int:
        """Frames kept of a block; all of the first one, so that there is a whole past."""
        whole = self._manifest.stage.frames
        return whole if self._past is None else max(4, min(whole, round(stride * whole)))
