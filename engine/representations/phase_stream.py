"""Streaming phase reconstruction: blocks of magnitudes in, one continuous signal out.

Blocks may have any number of frames. A reconstructor keeps the last ``latency_frames`` frames back,
because their phases improve when the next block is known. All frames before them are *committed*:
they never change again, nor do the samples that depend only on them. A push of F frames returns
exactly F * hop samples (the first push ``latency_frames`` fewer frames). All samples come from one
overlap-add, so there are no seams. Without `prime` the past is silence and the sound fades in over
one window.

Magnitudes float32 [bins, frames] in the scale of `Stft`, samples float32 [samples]. One owner
thread per object: the generator's. The same seed and the same pushes give the same samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.propagation import PhaseGradient, run_plan
from engine.representations.protocol import State
from engine.representations.refiner import Refiner, polar
from engine.representations.state import array_of
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

# Smaller magnitudes are silence: 20 log10(1e-7 / 256) = -188 dB of full scale. Its square and its
# products with the ends of the taper are still normal numbers.
_SILENT = np.float32(1e-7)


class StreamingGriffinLim:
    """Fast Griffin-Lim on the new block and the frames kept back, with a fixed past.

    The phases start from one pass of gradient propagation from the last committed frame. In each
    iteration the committed frames contribute to the first ``overlap`` samples (as in RTISI, Zhu,
    Beauregard & Wyse 2007), so that the phases of new frames match them.

    Parameters
    ----------
    stft : Stft
    iterations : int
        Per push; with 0 the propagated phases are used as they are.
    lookahead : int
        Frames kept back and optimised again.
    momentum : float
        See `engine.representations.refiner`.
    seed : int
        Of the initial phases after silence.
    relaxation : float
        See `engine.representations.refiner`.

    Raises
    ------
    ConfigError
        A number is out of range.
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
            raise ConfigError(f"phase iterations {iterations}: use 0 or more")
        if lookahead < 0:
            raise ConfigError(f"phase look-ahead of {lookahead} frames: use 0 or more")
        if not 0.0 <= momentum <= 1.0:
            raise ConfigError(f"phase momentum {momentum}: use 0 to 1, for example 0.99")
        if not (relaxation == 0.0 or 0.5 <= relaxation <= 1.0):
            raise ConfigError(f"phase relaxation {relaxation}: use 0, or 0.5 to 1")
        self._stft = stft
        self._iterations = iterations
        self._lookahead = lookahead
        self._start = PhaseGradient(stft)
        self._refiner = Refiner(stft, momentum, relaxation)
        self._seed = seed
        self.reset()

    @property
    def iterations(self) -> int:
        """Iterations per push."""
        return self._iterations

    @property
    def latency_frames(self) -> int:
        """Frames kept back between pushes."""
        return self._lookahead

    def reset(self) -> None:
        """Start a new stream, after silence."""
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
        """Phases [frames, bins] of the last push: first of the frames kept back before it."""
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
            An array is missing or does not match; then nothing has changed.
        """
        bins, overlap = self._stft.bins, self._stft.overlap
        phase, past = (
            array_of(state, "phase", (bins,), "f4"),
            array_of(state, "past", (2, bins), "f4"),
        )
        tail, held = (
            array_of(state, "tail", (overlap,), "f4"),
            array_of(state, "held", (None, bins), "f4"),
        )
        self._held_phases = array_of(state, "held_phases", (len(held), bins), "f4")
        self._phase, self._past, self._tail, self._held = phase, past, tail, held
        self._found = self._held_phases

    def prime(self, samples: Float) -> int:
        """Use real audio as the past, whose phases the next frames continue.

        It replaces the previous past. The last frame ends with the last sample, and the first
        pushed frame follows one hop later; so the first returned sample is at the position of
        ``samples[-overlap]``, and fades from the given audio to the new one.

        Parameters
        ----------
        samples : ndarray [samples] float32
            At least ``window + hop`` samples to have an effect; samples older than two windows do
            not matter. Shorter audio follows silence.

        Returns
        -------
        int
            How many samples at the end of ``samples`` are returned again (``overlap``).
        """
        stft = self._stft
        self.reset()
        need = stft.window + (stft.ratio - 1) * stft.hop  # `ratio` frames: all that reach beyond
        recent = np.zeros(need, np.float32)
        end = samples[-need:]
        if end.size:
            recent[need - end.size :] = end
        rows = stft.rows(recent)
        whole = np.zeros(need, np.float32)
        stft.overlap_add(rows, whole)
        self._tail = whole[need - stft.overlap :].copy()
        self._past = np.abs(rows[-2:])
        self._phase = np.angle(rows[-1])
        return stft.overlap

    def push(self, magnitude: Float, start: Float | None = None) -> Float:
        """Add magnitudes and return the samples that are final.

        Parameters
        ----------
        magnitude : ndarray [bins, frames] float32
            Non-negative; any number of frames, also 0.
        start : ndarray [held + frames, bins], optional
            Phases to start from instead of propagated ones, as `found` returns them.

        Returns
        -------
        ndarray [samples] float32
            ``frames * hop`` samples once the look-ahead is full.

        Raises
        ------
        ConfigError
            The number of bins is not that of the STFT.
        """
        if magnitude.ndim != 2 or magnitude.shape[0] != self._stft.bins:
            raise ConfigError(
                f"magnitudes of shape {magnitude.shape}: use ({self._stft.bins}, frames)"
            )
        new = np.array(magnitude.T, np.float32, order="C")
        # Also removes negative values, NaN, and the denormals of decaying notes.
        new[~(new >= _SILENT)] = 0.0
        frames = np.concatenate((self._held, new))
        return self._solve(frames, max(0, frames.shape[0] - self._lookahead), start)

    def flush(self, start: Float | None = None) -> Float:
        """The samples that are kept back, fading out over one window; then reset."""
        out = self._solve(self._held, self._held.shape[0], start)
        out = np.concatenate((out, self._tail))
        found = self._found
        self.reset()
        self._found = found
        return out

    def _solve(self, frames: Float, commit: int, start: Float | None) -> Float:
        """Compute phases of ``frames`` [n, bins] and commit the first ``commit`` of them."""
        stft = self._stft
        if frames.shape[0] == 0:
            self._found = frames
            return np.zeros(0, np.float32)
        if not frames.any():
            # No phases to compute; the contribution of the past decays by itself.
            spectrum: Complex = np.zeros(frames.shape, np.complex64)
            phases = np.tile(self._phase, (frames.shape[0], 1))
        else:
            if start is None:
                plan = self._start.plan(self._past, frames, frames.shape[0])
                phases = run_plan(plan, self._phase)
            else:
                phases = start.copy()
            if self._iterations:
                # Frames kept back continue from their phases; without iterations it is better to
                # propagate again, because the next frame is now known.
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


# docs/phase.md has the measurements.
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
    """Create a reconstructor by its name in `PHASE_KINDS`.

    Parameters
    ----------
    kind : str
        A key of `PHASE_KINDS`.
    stft : Stft
    iterations, lookahead : int, optional
        Instead of those of the row.
    seed : int

    Raises
    ------
    ConfigError
        There is no such kind.
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
