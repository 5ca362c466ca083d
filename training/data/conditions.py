"""The conditions of the notes stage on beats: one table, and their values for an excerpt.

`CONDITIONS` names each condition with its number of inputs, in order; every block (a beat) has one
row of all of them. Free, as a performer leaves a control, is all zeros: each condition carries a
flag or a one-hot of its own.

    chord     of this beat and the 8 after it: 12 pitch classes (C first), 12 for the bass, known
    key       12 for the tonic, 1 major or -1 minor, known
    density   log2(notes per second + 0.5) / 3 over the next bar, known
    register  (mean pitch - 60) / 24 of the onsets in the next bar, known
    loudness  (mean velocity - 64) / 32, the same
    style     one-hot: pop, song, solo
    part      one-hot: all parts, accompaniment alone, melody alone
    phrase    beats since it began / 16, beats until the next / 16, each at most 2, known
    ending    beats until the end / 64 (at most 1), exp(-beats / 4), known
    held      88 keys that sound through the block and are known beforehand
"""

from __future__ import annotations

import numpy as np

from training.data.cells import KEYS, ONSET, SOUNDING
from training.data.notes import LOWEST
from training.data.scores import BEAT, LONGEST_BAR

HORIZON = 8  # beats after its own of which a block knows the chords
CHORD = 12 + 12 + 1
CONDITIONS: dict[str, int] = {
    "chord": (1 + HORIZON) * CHORD, "key": 14, "density": 2, "register": 2, "loudness": 2,
    "style": 3, "part": 3, "phrase": 3, "ending": 3, "held": KEYS,
}  # fmt: skip
WIDTH = sum(CONDITIONS.values())
SLICES: dict[str, slice] = {
    name: slice(end - n, end)
    for (name, n), end in zip(
        CONDITIONS.items(), np.cumsum(list(CONDITIONS.values())).tolist(), strict=True
    )
}
WHEN = LONGEST_BAR + 2  # place in the bar (one-hot), the bar's length, tempo
STYLES = ("pop", "song", "solo")
PARTS = ("all", "accompaniment", "melody")
BLOCK = 4  # tokens


def when(
    bars: np.ndarray, start: int, tokens: int, tempo: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Place in the bar, length of the bar and tempo of each token.

    Parameters
    ----------
    bars : bar lines in ticks, in order, from `start` or before to the last token or later.
    tempo : BPM [tokens].

    Returns
    -------
    [tokens, 50] and the length of each token's bar in tokens, int [tokens].
    """
    at = start + np.arange(tokens) * BEAT // 4
    bar = np.clip(np.searchsorted(bars, at, "right") - 1, 0, len(bars) - 2)
    length = (np.diff(bars)[bar] * 4 // BEAT).astype(np.int64)
    place = ((at - bars[bar]) * 4 // BEAT) % length
    out = np.zeros((tokens, WHEN), np.float32)
    out[np.arange(tokens), place] = 1
    out[:, LONGEST_BAR] = (length - 16) / 16
    out[:, LONGEST_BAR + 1] = np.log(tempo / 90)
    return out, length


def chord_rows(chords: np.ndarray) -> np.ndarray:
    """Chords [n, 2] (mask and bass, -1 unknown) as inputs [n, 25]."""
    out = np.zeros((len(chords), CHORD), np.float32)
    known = chords[:, 0] >= 0
    out[:, :12] = (chords[:, :1].astype(int) >> np.arange(12)) & 1
    bass = known & (chords[:, 1] >= 0)
    out[np.flatnonzero(bass), 12 + chords[bass, 1]] = 1
    out[:, 24] = 1
    out[~known] = 0
    return out


def ahead(rows: np.ndarray, blocks: int) -> np.ndarray:
    """Each block's own chord and those of the beats after it. [blocks + 8, 25] -> [blocks, 225]."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, 1 + HORIZON, axis=0)
    return windows[:blocks].transpose(0, 2, 1).reshape(blocks, -1)


def key_rows(keys: np.ndarray) -> np.ndarray:
    """Keys [n] as inputs [n, 14]."""
    out = np.zeros((len(keys), 14), np.float32)
    known = np.flatnonzero(keys >= 0)
    out[known, keys[known] % 12] = 1
    out[known, 12] = np.where(keys[known] < 12, 1, -1)
    out[known, 13] = 1
    return out


def density_value(notes_a_second: np.ndarray | float) -> np.ndarray:
    """The density input of notes per second."""
    return np.log2(np.asarray(notes_a_second) + 0.5) / 3


def measured(cells: np.ndarray, bar: np.ndarray, tempo: np.ndarray) -> dict[str, np.ndarray]:
    """Density, register, loudness and held keys of every block, read off the cells themselves.

    `cells` [tokens, 4, 88]; `bar` the bar's length [tokens]; `tempo` BPM [tokens].
    """
    tokens = len(cells)
    blocks = tokens // BLOCK
    struck = cells[:, ONSET] > 0
    total = np.zeros((3, tokens + 1))
    total[0, 1:] = np.cumsum(struck.sum(1))
    total[1, 1:] = np.cumsum((struck * (np.arange(KEYS) + LOWEST)).sum(1))
    total[2, 1:] = np.cumsum((struck * (cells[:, ONSET] - 0.5) * 127).sum(1))
    begin = np.arange(blocks) * BLOCK
    end = np.minimum(begin + bar[begin], tokens)
    count, pitch, velocity = total[:, end] - total[:, begin]
    seconds = (end - begin) / 4 * 60 / tempo[begin]
    some = (count > 0).astype(np.float32)
    n = np.maximum(count, 1)
    held = cells[:, SOUNDING].reshape(blocks, BLOCK, KEYS).all(axis=1)
    return {
        "density": np.stack([density_value(count / seconds), np.ones(blocks)], 1),
        "register": np.stack([(pitch / n - 60) / 24 * some, some], 1),
        "loudness": np.stack([(velocity / n - 64) / 32 * some, some], 1),
        "held": np.asarray(held, np.float32),
    }


def phrase_rows(phrases: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Where blocks that begin at ticks `at` stand in the phrase. Returns [blocks, 3]."""
    out = np.zeros((len(at), 3), np.float32)
    if len(phrases) < 2:
        return out
    i = np.searchsorted(phrases, at, "right")
    known = (i > 0) & (i < len(phrases))
    since = at - phrases[np.clip(i - 1, 0, None)]
    until = phrases[np.clip(i, None, len(phrases) - 1)] - at
    out[:, 0] = np.clip(since / BEAT / 16, 0, 2)
    out[:, 1] = np.clip(until / BEAT / 16, 0, 2)
    out[:, 2] = 1
    return out * known[:, None]


def ending_rows(beats: np.ndarray) -> np.ndarray:
    """Beats until the end [blocks] as inputs [blocks, 3]; after the end they are 0."""
    left = np.maximum(beats, 0)
    return np.stack([np.minimum(left / 64, 1), np.exp(-left / 4), np.ones(len(left))], 1)


def joined(values: dict[str, np.ndarray], blocks: int) -> np.ndarray:
    """One row per block, [blocks, WIDTH]; what `values` does not name is free."""
    out = np.zeros((blocks, WIDTH), np.float32)
    for name, rows in values.items():
        out[:, SLICES[name]] = rows
    return out


def left_free(rows: np.ndarray, rng: np.random.Generator, kept: tuple[str, ...] = ()) -> np.ndarray:
    """Leave conditions free at random, as a performer does. [blocks, WIDTH].

    Each is free half of the time, all are a quarter of the time, except those named in `kept`.
    Chords are known a random number of beats ahead, and now and then not for some beats; held
    keys are some of those of some blocks.
    """
    rows = rows.copy()
    blocks = len(rows)
    all_free = rng.random() < 0.25
    for name, part in SLICES.items():
        if name not in kept and (all_free or rng.random() < 0.5):
            rows[:, part] = 0
    chords = rows[:, SLICES["chord"]].reshape(blocks, 1 + HORIZON, CHORD)
    if rng.random() < 0.5:
        chords[:, 1 + rng.integers(0, HORIZON + 1) :] = 0
    if rng.random() < 0.3:  # a chart with free bars
        unknown = np.repeat(rng.random(blocks // 4 + 4) < 0.3, 4)
        at = np.arange(blocks)[:, None] + np.arange(1 + HORIZON)
        chords[unknown[at]] = 0
    if rng.random() < 0.3:  # pitch classes without a bass
        chords[:, :, 12:24] = 0
    held = rows[:, SLICES["held"]]
    held *= (rng.random(held.shape) < rng.uniform(0, 1)) * (rng.random((blocks, 1)) < 0.3)
    return rows
