"""Notes as cells of a beat grid, and back.

Cells are float32 [shape=(tokens, 4, 88)], a token a quarter of a beat, shifted by half a token, so
that a note on the sixteenth grid lies in the middle of its token. Of each key, rows:

    0 onset     -1 where the key is not struck, else 0.5 + velocity / 127, within 0.51 and 1.5
    1 place     -2, -1, 0, 1: one of PLACES (thirty-second, triplet, grid, triplet); 0 without onset
    2 length    log2(beats) / 3.5, within -1 and 1.2; 0 without an onset
    3 sounding  1 in every token from the onset on in which the string sounds, else 0

The first three are diffused. *Sounding* follows from onsets and lengths: a note ends after its
length, or when its key is struck again, so no string can stick.

Notes are int [notes, 4 or more]: onset and length in ticks (a 24th of a beat), pitch, velocity.
"""

from __future__ import annotations

import numpy as np

from training.data.notes import LOWEST
from training.data.scores import BEAT, PLACES, TOKEN, cut_where_struck_again

KEYS = 88
DIFFUSED = 3  # rows
ROWS = 4
ONSET, PLACE, LENGTH, SOUNDING = range(ROWS)
PLACE_VALUES = (-2.0, -1.0, 0.0, 1.0)  # of PLACES, in the same order
_SHORTEST = 1 / 16  # beats
_OCTAVES = 3.5  # of length to a unit
_VALUE_OF_OFFSET = np.array(  # of ticks since a token's start; a place between two is the nearer
    [PLACE_VALUES[int(np.argmin(np.abs(np.array(PLACES) + TOKEN // 2 - i)))] for i in range(TOKEN)]
)


def length_value(ticks: np.ndarray) -> np.ndarray:
    """The length row for lengths in ticks."""
    beats = np.maximum(np.asarray(ticks) / BEAT, _SHORTEST)
    return np.clip(np.log2(beats) / _OCTAVES, -1.0, 1.2)


def length_ticks(value: np.ndarray) -> np.ndarray:
    """Whole ticks, at least 1, for values of the length row."""
    beats = 2 ** (_OCTAVES * np.clip(value, -1.0, 1.2))
    return np.maximum(np.round(beats * BEAT), 1).astype(np.int64)


def encode(notes: np.ndarray, start: int, tokens: int) -> np.ndarray:
    """Write the notes of `tokens` tokens from tick `start` on. Returns [tokens, 4, 88].

    A note that began before has its sounding part written, and no onset.
    """
    cells = np.zeros((tokens, ROWS, KEYS), np.float32)
    cells[:, ONSET] = -1
    at = notes[:, 0] - start + TOKEN // 2
    token, offset = at // TOKEN, at % TOKEN
    key = notes[:, 2] - LOWEST
    inside = (token >= 0) & (token < tokens) & (key >= 0) & (key < KEYS)
    t, k = token[inside], key[inside]
    cells[t, ONSET, k] = np.clip(0.5 + notes[inside, 3] / 127, 0.51, 1.5)
    cells[t, PLACE, k] = _VALUE_OF_OFFSET[offset[inside]]
    cells[t, LENGTH, k] = length_value(notes[inside, 1])
    cells[:, SOUNDING], _ = sounding(cells, carried(notes, start))
    return cells


def carried(notes: np.ndarray, start: int) -> np.ndarray:
    """The token before which each string that was struck before tick `start` stops: int [88]."""
    at = notes[:, 0] - start + TOKEN // 2
    key = notes[:, 2] - LOWEST
    earlier = (at < 0) & (key >= 0) & (key < KEYS)
    until = np.zeros(KEYS, np.int64)
    np.maximum.at(until, key[earlier], (at + notes[:, 1])[earlier] // TOKEN)
    return until


def sounding(cells: np.ndarray, until: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sounding row of onsets and lengths, and which strings sound on after the last token.

    Parameters
    ----------
    cells : [tokens, 3 or more, 88].
    until : int [88], the token before which strings that were struck earlier stop.

    Returns
    -------
    [tokens, 88], and `until` for the tokens that follow.
    """
    tokens = len(cells)
    k, t = np.nonzero(cells[:, ONSET].T > 0)  # in time, key by key
    value = np.round(cells[t, PLACE, k]).astype(int) - round(PLACE_VALUES[0])
    offset = np.array(PLACES)[np.clip(value, 0, len(PLACES) - 1)] + TOKEN // 2
    end = (t * TOKEN + offset + length_ticks(cells[t, LENGTH, k])) // TOKEN
    end = np.maximum(end, t + 1)
    again = np.flatnonzero(k[1:] == k[:-1])
    end[again] = np.minimum(end[again], t[again + 1])
    first = np.full(KEYS, tokens)
    np.minimum.at(first, k, t)
    before = np.clip(np.minimum(until, first), 0, tokens)
    change = np.zeros((tokens + 1, KEYS), np.int64)
    change[0] += before > 0
    np.add.at(change, (before, np.arange(KEYS)), -(before > 0).astype(int))
    np.add.at(change, (t, k), 1)
    np.add.at(change, (np.minimum(end, tokens), k), -1)
    after = until - tokens
    after[k] = end - tokens  # of a key's onsets the last is written last
    return (np.cumsum(change, axis=0)[:tokens] > 0).astype(np.float32), np.maximum(after, 0)


def decode(cells: np.ndarray, start: int = 0) -> np.ndarray:
    """Read notes back: int64 [notes, 4] in the order of onsets. `cells` [tokens, 3 or 4, 88]."""
    t, k = np.nonzero(cells[:, ONSET] > 0)
    value = np.clip(np.round(cells[t, PLACE, k]).astype(int) + 2, 0, 3)
    onset = start + t * TOKEN + np.array(PLACES)[value]
    length = length_ticks(cells[t, LENGTH, k])
    velocity = np.clip(np.round((cells[t, ONSET, k] - 0.5) * 127), 1, 127).astype(np.int64)
    notes = np.stack([onset, length, k + LOWEST, velocity], axis=1)
    return cut_where_struck_again(notes)
