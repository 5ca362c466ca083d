"""Runs of notes that stand in two sets of music: how much of a piece is taken from another.

A piece is a run of symbols: from note to note the interval in semitones and the time in five coarse
classes, so a phrase is recognised in another key or tempo. Notes within 30 ms are a chord, read
from the lowest up. Notes are arrays [notes, 4] (pitch, velocity, start, end) or lists of `Note`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.notes.note import Note

CHORD_S = 0.03
TIMES_S = (0.001, 0.12, 0.25, 0.5)  # bounds of the classes of time
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no digit is lost modulo 2^64
_INVERSE = np.uint64(pow(int(_BASE), -1, 2**64))
_WIDEST = 88

Piece = Sequence[Note] | NDArray[Any]


@dataclass(frozen=True)
class Shared:
    """`longest` run in common, in notes; `share_of_8`: of all runs of 8, how many are common."""

    longest: int
    share_of_8: float


def symbols(piece: Piece) -> NDArray[np.uint64]:
    """One number for each note but the first."""
    if not isinstance(piece, np.ndarray):
        piece = np.array([(n.pitch, n.velocity, n.start, n.end) for n in piece]).reshape(-1, 4)
    if len(piece) < 2:
        return np.zeros(0, np.uint64)
    piece = piece[np.argsort(piece[:, 2], kind="stable")]
    start = piece[:, 2].astype(np.float64)
    chord = np.concatenate([[0], np.cumsum(np.diff(start) > CHORD_S)])
    order = np.lexsort((piece[:, 0], chord))
    begins = start[np.searchsorted(chord, chord)]  # of the chord
    pitch, when = piece[order, 0].astype(int), begins[order]
    interval = np.clip(np.diff(pitch), -_WIDEST, _WIDEST) + _WIDEST
    time = np.digitize(np.diff(when), TIMES_S)
    # Scattered over 64 bits, so that sums of powers do not meet by chance.
    mixed = (interval * 8 + time + 1).astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(29))


def pieces_of(folder: Path, split: str) -> list[NDArray[np.float32]]:
    """Notes of the pieces of one split of a dataset folder with `notes.npy` and `index.json`."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    notes = np.load(folder / "notes.npy", mmap_mode="r")
    return [
        np.asarray(notes[p["offset"] : p["offset"] + p["count"]])
        for p in index["pieces"]
        if p["split"] == split
    ]


class Phrases:
    """All runs of notes in a set of pieces, of any length."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = [symbols(p) for p in pieces]
        self._known: dict[int, NDArray[np.uint64]] = {}

    def runs(self, n: int) -> NDArray[np.uint64]:
        """Hashes of all runs of `n` symbols, sorted."""
        if n not in self._known:
            self._known[n] = np.unique(_all_runs(self._pieces, n))
        return self._known[n]

    def shared(self, pieces: Iterable[Piece]) -> Shared:
        """The runs that other pieces have in common with these."""
        others = [symbols(p) for p in pieces]
        low, high = 0, 1  # a run of `low` is common, one of `high` is not
        while self._common(others, high).any():
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._common(others, middle).any() else (low, middle)
        of_8 = self._common(others, 7)  # eight notes have seven steps
        return Shared(low + 1 if low else 0, float(of_8.mean()) if of_8.size else 0.0)

    def _common(self, others: list[NDArray[np.uint64]], n: int) -> NDArray[np.bool_]:
        wanted, known = _all_runs(others, n), self.runs(n)
        if not known.size:
            return np.zeros(len(wanted), bool)
        return known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted


def _all_runs(pieces: list[NDArray[np.uint64]], n: int) -> NDArray[np.uint64]:
    """Polynomial hashes modulo 2^64 of every run of `n`, piece by piece.

    The sum of p[i + k] B^(i + k) over a run, by differences of one running sum, times B^-i.
    """
    longest = max((len(p) for p in pieces), default=0)
    powers, inverses = (np.cumprod(np.full(longest, b)) for b in (_BASE, _INVERSE))
    found = [np.zeros(0, np.uint64)]
    for p in pieces:
        if len(p) >= n:
            sums = np.concatenate([[np.uint64(0)], np.cumsum(p * powers[: len(p)])])
            found.append((sums[n:] - sums[:-n]) * inverses[: len(p) - n + 1])
    return np.concatenate(found)
