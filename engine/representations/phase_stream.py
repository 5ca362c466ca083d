"""Magnitude blocks in, one continuous signal out: the streaming phase reconstructions.

Blocks of any number of frames arrive one after another. A reconstructor keeps the last
``latency_frames`` frames back, because their phases get better when the next block is known; all
before them are *committed*: their complex frames never change again, neither do the samples that
they alone make up. So a push of F frames answers exactly F * hop samples (the first one
``latency_frames`` fewer), every sample belongs to one smooth overlap-add, and there is no seam to
mend. Without `prime` the past is silence and the sound fades in over one window.

Magnitudes float32 [bins, frames] in the scale of `Stft`, samples float32 [samples]. One owner
thread for each object: the generator process's loop. The same seed and the same pushes give the
same samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.propagation import PhaseGradient, run_plan
from engine.representations.protocol import State
from engine.representations.refiner import Refiner, polar
from engine.representations.state import taken
from engine.representations.stft import Stft

__all__ = [
    "DEFAULT_PHASE",
    "PHASE_KINDS",
    "PhaseKind",
    "StreamingGriffinLim",
    "make_phase",
]

Float = NDArray[np.float32]
Complex = NDArray[np.complex64]

# Magnitudes under this are silence: 20 log10(1e-7 / 256) = -188 dB of full scale, and its square
# and its products with the taper's ends are still normal numbers.
_SILENT = np.float32(1e-7)


class StreamingGriffinLim:
    """Fast Griffin-Lim on the new block and the frames kept back, after a past that stays fixed.

    The phases start from one pass of gradient propagation out of the last committed frame. In each
    iteration the committed frames take part by what they add to the first
    ``overlap`` samples (as the committed frames do in RTISI, Zhu, Beauregard & Wyse 2007), so
    the new frames settle on phases that fit them.

    Parameters
    ----------
    stft : Stft
    iterations : int
        For each push; 0 leaves the propagated phases alone.
    lookahead : int
        Frames kept back and optimised again.
    momentum : float
        See `engine.representations.refiner`.
    seed : int
        Of the phases from which silence is left.
    relaxation : float
        See `engine.representations.refiner`.

    Raises
    ------
    ConfigError
        If a number is out of its range.
    """

    def __init__(
        self,
        stft: Stft,
        iterations: int = 32,
        lookahead: int = 4,
        momentum: float = 0.99,
        seed: int = 0,
        relaxation: float = 0.0,
    ) -> None:
        if iterations < 0:
            raise ConfigError(f"phase iterations {iterations}: must be 0 or more")
        if lookahead < 0:
            raise ConfigError(f"phase look-ahead of {lookahead} frames: must be 0 or more")
        if not 0.0 <= momentum <= 1.0:
            raise ConfigError(f"phase momentum {momentum}: must be 0 to 1, for example 0.99")
        if not (relaxation == 0.0 or 0.5 <= relaxation <= 1.0):
            raise ConfigError(f"phase relaxation {relaxation}: must be 0, or 0.5 to 1")
        self._stft = stft
        self._iterations = iterations
        self._lookahead = lookahead
        self._start = PhaseGradient(stft)
        self._refiner = Refiner(stft, momentum, relaxation)
        self._seed = seed
        self.reset()

    @property
    def iterations(self) -> int:
        """Iterations of each push."""
        return self._iterations

    @property
    def latency_frames(self) -> int:
        """Frames kept back between pushes."""
        return self._lookahead

    def reset(self) -> None:
        """Begin a new stream, after silence."""
        stft = self._stft
        rng = np.random.default_rng(self._seed)
        self._phase: Float = rng.random(stft.bins, np.float32) * np.float32(2.0 * np.pi)
        self._past: Float = np.zeros((2, stft.bins), np.float32)
        self._tail: Float = np.zeros(stft.overlap, np.float32)
        self._held: Float = np.zeros((0, stft.bins), np.float32)
        self._held_phases: Float = np.zeros((0, stft.bins), np.float32)
        self._found: Float = self._held_phases

    @property
    def found(self) -> Float:
        """Phases [frames, bins] of the last push: of the frames held before it, then of its own."""
        return self._found

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next samples depend on (copies)."""
        return {
            "phase": self._phase.copy(),
            "past": self._past.copy(),
            "tail": self._tail.copy(),
            "held": self._held.copy(),
            "held_phases": self._held_phases.copy(),
        }

    def restore(self, state: State) -> None:
        """Continue from a state, to the bit.

        Raises
        ------
        ConfigError
            If an array is missing or does not fit; nothing has changed then.
        """
        bins, overlap = self._stft.bins, self._stft.overlap
        phase, past = taken(state, "phase", (bins,), "f4"), taken(state, "past", (2, bins), "f4")
        tail, held = (
            taken(state, "tail", (overlap,), "f4"),
            taken(state, "held", (None, bins), "f4"),
        )
        self._held_phases = taken(state, "held_phases", (len(held), bins), "f4")
        self._phase, self._past, self._tail, self._held = phase, past, tail, held
        self._found = self._held_phases

    def prime(self, samples: Float) -> int:
        """Take real audio as the past, whose phases the next frames go on from.

        Forgets what was heard before. The frames are laid so that the last one ends with the last
        sample, and the first frame pushed comes one hop after it; so the first sample returned
        stands where ``samples[-overlap]`` stands, and fades from the audio given to the new one.

        Parameters
        ----------
        samples : ndarray [samples] float32
            At least ``window + hop`` samples to have an effect; what is older than two windows
            does not matter. Shorter audio is taken as following silence.

        Returns
        -------
        int
            How many samples at the end of ``samples`` are given out again (``overlap``).
        """
        stft = self._stft
        self.reset()
        need = stft.window + (stft.ratio - 1) * stft.hop  # ratio frames: all that reach beyond
        recent = np.zeros(need, np.float32)
        taken = samples[-need:]
        if taken.size:
            recent[need - taken.size :] = taken
        rows = stft.rows(recent)
        whole = np.zeros(need, np.float32)
        stft.overlap_add(rows, whole)
        self._tail = whole[need - stft.overlap :].copy()
        self._past = np.abs(rows[-2:])
        self._phase = np.angle(rows[-1])
        return stft.overlap

    def push(self, magnitude: Float, start: Float | None = None) -> Float:
        """Take magnitudes and return the samples that are final.

        Parameters
        ----------
        magnitude : ndarray [bins, frames] float32
            Non-negative; any number of frames, 0 too.
        start : ndarray [held + frames, bins], optional
            Phases to start from instead of propagated ones, as `found` returns them.

        Returns
        -------
        ndarray [samples] float32
            ``frames * hop`` samples once the look-ahead is full.

        Raises
        ------
        ConfigError
            If the number of bins is not that of the STFT.
        """
        if magnitude.ndim != 2 or magnitude.shape[0] != self._stft.bins:
            raise ConfigError(
                f"magnitudes of shape {magnitude.shape}: give ({self._stft.bins}, frames)"
            )
        new = np.array(magnitude.T, np.float32, order="C")
        # Denormals, negative values and NaN alike: decaying notes are full of the first.
        new[~(new >= _SILENT)] = 0.0
        frames = np.concatenate((self._held, new))
        return self._solve(frames, max(0, frames.shape[0] - self._lookahead), start)

    def flush(self, start: Float | None = None) -> Float:
        """Return all that is kept back, fading out over one window, and forget the past."""
        out = self._solve(self._held, self._held.shape[0], start)
        out = np.concatenate((out, self._tail))
        found = self._found
        self.reset()
        self._found = found
        return out

    def _solve(self, frames: Float, commit: int, start: Float | None) -> Float:
        """Find phases for ``frames`` [n, bins] and commit the first ``commit`` of them."""
        stft = self._stft
        if frames.shape[0] == 0:
            self._found = frames
            return np.zeros(0, np.float32)
        if not frames.any():
            # Nothing to find, and what the past still adds decays by itself.
            spectrum: Complex = np.zeros(frames.shape, np.complex64)
            phases = np.tile(self._phase, (frames.shape[0], 1))
        else:
            if start is None:
                plan = self._start.plan(self._past, frames, frames.shape[0])
                phases = run_plan(plan, self._phase)
            else:
                phases = start.copy()
            if self._iterations:
                # Frames kept back go on from what they had reached; without iterations their
                # phases are better made anew, now that the frame after them is known.
                phases[: self._held_phases.shape[0]] = self._held_phases
            spectrum = polar(frames, phases)
            if self._iterations:
                self._refiner.refine(frames, spectrum, self._iterations, self._tail)
                np.copyto(phases, np.angle(spectrum), where=frames > 0.0)
        self._found = phases
        self._held = frames[commit:].copy()
        self._held_phases = phases[commit:].copy()
        if commit == 0:
            return np.zeros(0, np.float32)
        out = np.zeros(commit * stft.hop + stft.overlap, np.float32)
        out[: stft.overlap] = self._tail
        stft.overlap_add(spectrum[:commit], out)
        self._tail = out[commit * stft.hop :].copy()
        self._past = np.concatenate((self._past, frames[:commit]))[-2:]
        self._phase = phases[commit - 1].copy()
        return out[: commit * stft.hop]


class PhaseKind(NamedTuple):
    """One row of `PHASE_KINDS`."""

    about: str
    iterations: int
    lookahead: int  # frames
    momentum: float
    relaxation: float


# docs/phase.md has the measurement behind each row.
PHASE_KINDS: dict[str, PhaseKind] = {
    "gradient-raar": PhaseKind(
        "phase gradients, then relaxed reflections and fast Griffin-Lim", 48, 4, 0.99, 0.95
    ),
    "gradient-gl": PhaseKind("phase gradients, then fast Griffin-Lim", 32, 4, 0.99, 0.0),
    "gradient": PhaseKind("phase gradients alone (RTPGHI): the cheapest", 0, 1, 0.0, 0.0),
}
DEFAULT_PHASE = "gradient-raar"


def make_phase(
    kind: str,
    stft: Stft,
    *,
    iterations: int | None = None,
    lookahead: int | None = None,
    seed: int = 0,
) -> StreamingGriffinLim:
    """Make a reconstructor by its name in `PHASE_KINDS`.

    Parameters
    ----------
    kind : str
        A key of `PHASE_KINDS`; `DEFAULT_PHASE` is the one to ship.
    stft : Stft
    iterations, lookahead : int, optional
        In place of the row's own.
    seed : int

    Raises
    ------
    ConfigError
        If there is no such kind.
    """
    row = PHASE_KINDS.get(kind)
    if row is None:
        raise ConfigError(f"phase reconstruction {kind!r}: choose one of {', '.join(PHASE_KINDS)}")
    return StreamingGriffinLim(
        stft,
        iterations=row.iterations if iterations is None else iterations,
        lookahead=row.lookahead if lookahead is None else lookahead,
        momentum=row.momentum,
        seed=seed,
        relaxation=row.relaxation,
    )
