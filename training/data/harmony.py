"""Harmony on the beat grid: chord labels, chords and keys estimated from notes, bar phase.

A chord is a set of pitch classes and a bass: a 12-bit mask (bit 0 is C) and a pitch class, both -1
where no chord is known. A key is 0..11 for C to B major and 12..23 for minor, -1 where unknown.
"""

from __future__ import annotations

import re

import numpy as np
from scipy.ndimage import uniform_filter1d

UNKNOWN = -1
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DEGREES = {"1": 0, "2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "7": 11, "9": 2, "11": 5, "13": 9}
QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10), "min7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11), "maj6": (0, 4, 7, 9), "min6": (0, 3, 7, 9), "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9), "hdim7": (0, 3, 6, 10), "aug": (0, 4, 8), "minmaj7": (0, 3, 7, 11),
    "sus2": (0, 2, 7), "sus4": (0, 5, 7), "sus4(b7)": (0, 5, 7, 10),
}  # fmt: skip
_ESTIMATED = ("maj", "min", "7", "min7", "dim", "hdim7", "sus4", "aug")
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_CHORD_CHANGE = 0.25  # what a change of chord costs, in cosine similarity summed over eighths
_KEY_CHANGE = 8.0
_LEAST_SIMILAR = 0.6  # a chord that fits less is not named


def pitch_class(name: str) -> int:
    """Read a letter with accidentals, such as `F#` or `Bb`. Returns 0..11.

    Raises
    ------
    ValueError
        When the text is no note name.
    """
    match = re.fullmatch(r"([A-G])([#b]*)", name)
    if not match:
        raise ValueError(f"Unknown note name {name!r}. Use a letter from A to G with # or b.")
    letter, accidentals = match.groups()
    return (_LETTERS[letter] + accidentals.count("#") - accidentals.count("b")) % 12


def mask(classes: tuple[int, ...] | set[int]) -> int:
    """Pitch classes as 12 bits."""
    return sum(1 << c % 12 for c in set(classes))


def transposed_mask(bits: np.ndarray, by: int) -> np.ndarray:
    """Masks, each rotated up by `by` semitones; unknown stays unknown."""
    by %= 12
    turned = ((bits << by) | (bits >> (12 - by))) & 0xFFF
    return np.where(bits < 0, bits, turned)


def parse_chord(label: str) -> tuple[int, int]:
    """Read a label in Harte's notation, such as `F#:min7/b7`. Returns mask and bass.

    `N` and qualities that are not in the table are an unknown chord.
    """
    match = re.fullmatch(r"([A-G][#b]*):?([^/]*)(?:/([b#]*)(\d+))?", label)
    if not match or (match[2] or "maj") not in QUALITIES:
        return UNKNOWN, UNKNOWN
    root = pitch_class(match[1])
    classes = {(root + i) % 12 for i in QUALITIES[match[2] or "maj"]}
    bass = root
    if match[4]:
        shift = match[3].count("#") - match[3].count("b")
        bass = (root + _DEGREES[match[4]] + shift) % 12
    return mask(classes), bass


def parse_key(label: str) -> int:
    """Read a key such as `Eb:min`. Returns 0..23."""
    tonic, _, mode = label.partition(":")
    return pitch_class(tonic) + 12 * (mode == "min")


def chroma(
    onsets: np.ndarray, lengths: np.ndarray, pitches: np.ndarray, steps: int, ticks: int
) -> np.ndarray:
    """How long each pitch class sounds in each step of `ticks` ticks. Returns [steps, 12]."""
    out = np.zeros((steps, 12))
    first = onsets // ticks
    for k in range(16):  # a note counts for 16 steps at most: a struck string decays
        step = first + k
        begin = np.maximum(onsets, step * ticks)
        overlap = np.minimum(onsets + lengths, (step + 1) * ticks) - begin
        used = (overlap > 0) & (step >= 0) & (step < steps)
        np.add.at(out, (step[used], pitches[used] % 12), overlap[used] / ticks)
    return out


def _unit(x: np.ndarray) -> np.ndarray:
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-9)


def _best_path(score: np.ndarray, change: float) -> np.ndarray:
    """Viterbi over states [steps, states] where every change costs the same. Returns [steps]."""
    steps, states = score.shape
    back = np.zeros((steps, states), int)
    total = score[0].copy()
    stay = np.arange(states)
    for t in range(1, steps):
        best = int(total.argmax())
        changes = total[best] - change > total
        back[t] = np.where(changes, best, stay)
        total = np.where(changes, total[best] - change, total) + score[t]
    path = np.zeros(steps, int)
    path[-1] = int(total.argmax())
    for t in range(steps - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path


def _chord_templates() -> tuple[np.ndarray, np.ndarray]:
    """Unit chroma of every chord that is estimated [states, 12], and its mask [states]."""
    rows, bits = [], []
    for quality in _ESTIMATED:
        for root in range(12):
            row = np.zeros(12)
            for place, interval in enumerate(QUALITIES[quality]):
                row[(root + interval) % 12] = 1.0 if place < 3 else 0.7
            row[root] = 1.15
            rows.append(row)
            bits.append(mask({root + i for i in QUALITIES[quality]}))
    return _unit(np.array(rows)), np.array(bits)


def estimate_chords(
    onsets: np.ndarray, lengths: np.ndarray, pitches: np.ndarray, steps: int, ticks: int
) -> np.ndarray:
    """Name a chord for each step. Returns int16 [steps, 2]: mask and bass.

    The bass is the pitch class that the lowest note of the chord's stretch has for longest.
    """
    found = chroma(onsets, lengths, pitches, steps, ticks)
    near = found.copy()
    near[:-1] += 0.5 * found[1:]
    near[1:] += 0.5 * found[:-1]
    templates, bits = _chord_templates()
    score = _unit(near) @ templates.T
    path = _best_path(score, _CHORD_CHANGE)
    out = np.full((steps, 2), UNKNOWN, np.int16)
    lowest = np.full(steps, 999)
    for k in range(8):
        step = onsets // ticks + k
        used = (step >= 0) & (step < steps) & (onsets + lengths > step * ticks)
        np.minimum.at(lowest, step[used], pitches[used])
    edges = np.flatnonzero(np.diff(path)) + 1
    for a, b in zip(np.r_[0, edges], np.r_[edges, steps], strict=True):
        if score[a:b, path[a]].mean() < _LEAST_SIMILAR:
            continue
        low = lowest[a:b][lowest[a:b] < 999]
        values, counts = np.unique(low % 12, return_counts=True)
        out[a:b, 0] = bits[path[a]]
        out[a:b, 1] = values[counts.argmax()] if len(values) else path[a] % 12
    return out


def estimate_keys(found: np.ndarray) -> np.ndarray:
    """Key of each step from its chroma [steps, 12], by the profiles of Krumhansl and Kessler."""
    profiles = np.array([np.roll(m, i) for m in (_MAJOR, _MINOR) for i in range(12)])
    profiles = _unit(profiles - profiles.mean(1, keepdims=True))
    wide = uniform_filter1d(found, 64, axis=0, mode="constant")
    return _best_path(_unit(wide - wide.mean(1, keepdims=True)) @ profiles.T, _KEY_CHANGE)


def bar_phase(
    onsets: np.ndarray, lengths: np.ndarray, pitches: np.ndarray, bar: int, ticks: int
) -> int:
    """Where the first bar line lies, in ticks from 0 up to `bar`: an upbeat comes before it.

    Long notes begin and chords change at bar lines. Tick 0 is preferred unless another place on
    a step of `ticks` shows both clearly more.
    """
    places = bar // ticks
    steps = int(onsets.max() // ticks) + 2
    weight = np.bincount(
        onsets // ticks, weights=np.minimum(lengths, bar) * (onsets % ticks == 0), minlength=steps
    )
    found = chroma(onsets, lengths, pitches, steps, ticks)
    total = np.cumsum(np.vstack([np.zeros(12), found]), axis=0)
    half = max(1, places // 2)
    at = np.arange(steps)
    before = _unit(total[at] - total[np.maximum(at - half, 0)])
    after = _unit(total[np.minimum(at + half, steps)] - total[at])
    change = 1 - (before * after).sum(1)
    strength = [
        weight[p::places].mean() / (weight.mean() + 1e-9)
        + change[p + places :: places].mean() / (change.mean() + 1e-9)
        if len(change[p + places :: places])
        else 0.0
        for p in range(places)
    ]
    best = int(np.argmax(strength))
    return best * ticks if strength[best] > 1.15 * strength[0] else 0
