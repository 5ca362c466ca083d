"""Transcription of recordings with basic-pitch's network.

The network (Bittner, Bosch, Rubinstein, Meseguer-Brocal and Ewert, "A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation", ICASSP 2022)
maps 43,844 samples at 22,050 Hz (1.99 s) to 172 frames of 256 samples (11.6 ms) for the 88 keys
from A0: the posterior probabilities that a key sounds and that it is struck. Frame j is centred on
sample 256 j of the window. One owner thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, PackError
from engine.notes.note import LOWEST, PITCHES, Note
from engine.notes.velocities import estimate_velocities
from engine.resample import resample

__all__ = ["HOP", "RATE", "Posteriors", "Transcriber", "infer_onsets", "read_notes"]

Array = NDArray[np.float32]

RATE = 22050  # Hz
HOP = 256  # samples
WINDOW = 43844  # samples
FRAMES = 172  # of a window
TRIMMED = 15  # frames at each side of a window, which have too little context
STRIDE = WINDOW - 2 * TRIMMED * HOP  # samples; 141.27 frames, of which 142 are kept
KEPT = FRAMES - 2 * TRIMMED

_INPUT = "serving_default_input_2:0"
_OUTPUTS = {"notes": "StatefulPartitionedCall:1", "onsets": "StatefulPartitionedCall:2"}
SHORTEST = 5  # frames, 58 ms; notes are longer
TOLERANCE = 11  # frames, 128 ms: the longest gap within a note
_LATE = 0.005  # seconds from an onset to its peak, the median for rendered piano notes
_LONGEST = 1034  # frames, 12 s: the longest note of a roll


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Posteriors:
    """The posteriors of the network.

    `notes` and `onsets` are ndarray [shape=(88, frames)] float32 of 0..1, A0 first; `times`
    [frames] float64 is the centre of each frame in seconds, rising with slightly uneven steps,
    because windows overlap by a fraction of a frame.
    """

    notes: Array
    onsets: Array
    times: NDArray[np.float64]


class Transcriber:
    """Transcribes recordings of any length and rate.

    Parameters
    ----------
    session : an ONNX Runtime session of basic-pitch's graph, `nmp.onnx`.
    announce : called before each window of 2 s.

    Raises
    ------
    PackError
        The graph is not this network.
    """

    def __init__(self, session: Any, announce: Callable[[], object] = _nothing) -> None:
        _check(session)
        self._session, self._announce = session, announce

    def posteriors(self, audio: Array, rate: float) -> Posteriors:
        """The posteriors of a recording, computed window by window.

        Parameters
        ----------
        audio : ndarray [shape=(samples,)] float32, mono
        rate : Hz.

        Raises
        ------
        ConfigError
            The audio is not mono, or has NaN or infinite samples.
        """
        return self._posteriors(_at_22050(audio, rate))

    def notes(
        self,
        audio: Array,
        rate: float,
        onset_threshold: float = 0.5,
        frame_threshold: float = 0.3,
    ) -> list[Note]:
        """The notes of `audio`, in the order of their starts; see `posteriors` and `read_notes`.

        The network does not estimate velocities; `estimate_velocities` does, for sound as loud as
        the training data of the shipped packs.
        """
        x = _at_22050(audio, rate)
        found = read_notes(self._posteriors(x), onset_threshold, frame_threshold)
        struck = estimate_velocities(x, RATE, [n.pitch for n in found], [n.start for n in found])
        return [
            Note(n.pitch, v, n.start, n.end) for n, v in zip(found, struck.tolist(), strict=True)
        ]

    def _posteriors(self, x: Array) -> Posteriors:
        parts = [[a[0, TRIMMED:-TRIMMED].T for a in self._run(w)] for w in _windows(x)]
        if not parts:
            nothing = np.zeros((PITCHES, 0), np.float32)
            return Posteriors(nothing, nothing, np.zeros(0))
        window, frame = np.divmod(np.arange(KEPT * len(parts)), KEPT)
        # Exact; basic-pitch's model_frames_to_time has an empirical drift of 1.8 ms per window.
        times = (window * STRIDE + frame * HOP) / RATE
        notes, onsets = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        within = times < len(x) / RATE
        return Posteriors(notes[:, within], onsets[:, within], times[within])

    def _run(self, window: Array) -> list[Array]:
        self._announce()
        return self._session.run(list(_OUTPUTS.values()), {_INPUT: window.reshape(1, WINDOW, 1)})


def _check(session: Any) -> None:
    shapes = {i.name: list(i.shape)[1:] for i in session.get_inputs()}
    outputs = {o.name: list(o.shape)[1:] for o in session.get_outputs()}
    expected = {key: [FRAMES, PITCHES] for key in _OUTPUTS.values()}
    if shapes != {_INPUT: [WINDOW, 1]} or not expected.items() <= outputs.items():
        raise PackError(
            f"the transcription graph is not basic-pitch's: its inputs are {shapes}, its outputs "
            f"{outputs}"
        )


def _at_22050(audio: Array, rate: float) -> Array:
    if audio.ndim != 1:
        raise ConfigError(f"audio of shape {audio.shape}: use one channel (samples,)")
    if not np.isfinite(audio).all():
        raise ConfigError("audio with NaN or infinite samples: use finite numbers")
    return resample(audio, rate, RATE)


def _windows(x: Array) -> Iterator[Array]:
    """Windows of 43,844 samples that start half an overlap early; zeros around the sound."""
    before = TRIMMED * HOP
    for start in range(-before, len(x) - before, STRIDE):
        window = np.zeros(WINDOW, np.float32)
        part = x[max(start, 0) : start + WINDOW]
        window[max(-start, 0) :][: len(part)] = part
        yield window


# ---- From posteriors to notes (basic-pitch's note_creation.output_to_notes_polyphonic)


def infer_onsets(posteriors: Posteriors, width: int = 2) -> Array:
    """Onsets [88, frames], raised where the posterior of a key rises within `width` frames."""
    notes, onsets = posteriors.notes, posteriors.onsets
    if notes.shape[1] <= width:
        return onsets
    rises = [notes[:, width:] - notes[:, width - n : -n] for n in range(1, width + 1)]
    rise = np.zeros_like(notes)
    rise[:, width:] = np.maximum(np.minimum.reduce(rises), 0)
    steepest = float(rise.max())
    return np.maximum(onsets, rise * (onsets.max() / steepest)) if steepest > 0 else onsets


def read_notes(
    posteriors: Posteriors,
    onset_threshold: float = 0.5,
    frame_threshold: float = 0.3,
    shortest: int = SHORTEST,
) -> list[Note]:
    """Read posteriors as notes, each with its mean posterior as velocity (1..127).

    A note starts at a peak of the onsets over `onset_threshold` (the last peaks first) and ends
    when its key has been under `frame_threshold` for 11 frames. The posteriors of its key and of
    the two neighbours are then set to 0 for that time. Notes without an onset (basic-pitch's
    "melodia trick") are left out, because a struck string has an onset.

    Parameters
    ----------
    posteriors : from `Transcriber.posteriors`
    onset_threshold, frame_threshold : between 0 and 1
    shortest : frames; notes are longer

    Returns
    -------
    list of Note
        In the order of their starts; times in seconds.
    """
    for name, value in (("onset", onset_threshold), ("frame", frame_threshold)):
        if not 0 < value < 1:
            raise ConfigError(f"{name}_threshold {value!r}: use a number between 0 and 1")
    onsets = infer_onsets(posteriors)
    left = posteriors.notes.copy()
    peak = np.zeros(onsets.shape, bool)
    middle = onsets[:, 1:-1]
    # >= on the left: the steepest rise is scaled to the highest onset, often its neighbour.
    peak[:, 1:-1] = (middle >= onsets[:, :-2]) & (middle > onsets[:, 2:])
    frames, rows = np.nonzero((peak & (onsets >= onset_threshold)).T)
    notes: list[Note] = []
    for start, row in zip(frames[::-1].tolist(), rows[::-1].tolist(), strict=True):
        active = np.flatnonzero(left[row, start + 1 : start + _LONGEST] >= frame_threshold)
        silent = np.flatnonzero(np.diff(active, prepend=-1) > TOLERANCE)
        active = active[: silent[0]] if len(silent) else active
        end = start + 2 + int(active[-1]) if len(active) else start
        if end - start <= shortest:
            continue
        left[max(row - 1, 0) : row + 2, start:end] = 0
        velocity = max(1, round(127 * float(posteriors.notes[row, start:end].mean())))
        since = max(0.0, float(posteriors.times[start]) - _LATE)
        until = float(posteriors.times[min(end, len(posteriors.times) - 1)])
        notes.append(Note(row + LOWEST, velocity, since, until))
    return sorted(notes, key=lambda n: (n.start, n.pitch))
