"""Notes on a grid of beats: one onset with its place and length per cell, read back as notes.

A frame is a token, a quarter of a beat in the shipped recipes: ndarray [shape=(4 * keys, tokens)]
float32, four groups of one row per key, the lowest key first. Tokens are centred on the grid: token
t covers t - 1/2 .. t + 1/2, so that a note on the grid lies in the middle of its token. Group by
group:

    onset      -1 where the key is not struck, else 0.5 + velocity / 127, within 0.51 and 1.5
    place      -2, -1, 0, 1: half a token early, a third early, on the grid, a third late
               (thirty-second, triplet, grid, triplet); 0 without an onset
    length     log2(beats) / 3.5, within -1 and 1.2; 0 without an onset; the pedal is included
    sounding   1 in every token from the onset on in which the string sounds, else 0

The first three groups are sampled. *Sounding* follows from them: a note ends after its length, or
when its key is struck again, so no string can stick.

Times of notes are beats, as are those of `past` and `phrase`; times of events are tokens, so beat b
is event time b * per_beat. The generator's thread owns readers and projections.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.notes.note import Note
from engine.representations.keyboard import Keyboard
from engine.representations.protocol import Array, Decoder, Event, State
from engine.representations.signals import Signal
from engine.representations.state import taken
from engine.sampling.replace import Replace

__all__ = ["BeatRoll", "BeatRollProjection", "encode", "sounding"]

GROUPS, SAMPLED = 4, 3
ONSET, PLACE, LENGTH, SOUNDING = range(GROUPS)
TOKEN = 6  # ticks; every place is a whole number of them
PLACES = np.array([-3, -2, 0, 2])  # ticks from the grid
_VALUES = np.array([-2.0, -1.0, 0.0, 1.0])  # of PLACES in the place group
_SOFTEST, _LOUDEST = 0.51, 1.5  # values of the onset group
_SHORTEST = 1 / 16  # beats
_OCTAVES = 3.5  # of length to a unit
_LEAST, _MOST = -1.0, 1.2  # values of the length group
_AGAIN = 2.0  # beats after which a held key is struck again, as it drowns among others
_JUST = 1.0  # beats after which a key that is pressed is struck, though it sounds already
_HELD_VELOCITY = 88
NEVER = np.int64(-(1 << 62))  # the end of a string that does not sound

Ticks = NDArray[np.int64]


def silence(tokens: int, keys: int) -> Array:
    """Cells in which nothing sounds: [4, keys, tokens]."""
    cells = np.zeros((GROUPS, keys, tokens), np.float32)
    cells[ONSET] = -1
    return cells


def length_value(beats: NDArray[np.floating[Any]] | float) -> NDArray[np.floating[Any]]:
    """The length group for lengths in beats."""
    return np.clip(np.log2(np.maximum(beats, _SHORTEST)) / _OCTAVES, _LEAST, _MOST)


def length_ticks(value: Array, beat: int) -> Ticks:
    """Whole ticks, at least 1, for values of the length group; `beat` is in ticks."""
    beats = 2 ** (_OCTAVES * np.clip(value.astype(np.float64), _LEAST, _MOST))
    return np.maximum(np.round(beats * beat), 1).astype(np.int64)


def sounding(cells: Array, until: Ticks, beat: int) -> tuple[Array, Ticks]:
    """The sounding group of onsets, places and lengths.

    Parameters
    ----------
    cells : ndarray [shape=(3 or more, keys, tokens)]
    until : ndarray [shape=(keys,)] int64
        The token before which strings that were struck earlier stop.
    beat : ticks in a beat.

    Returns
    -------
    group : ndarray [shape=(keys, tokens)]
    until : for the tokens that follow.
    """
    keys, tokens = cells.shape[1:]
    group = np.zeros((keys, tokens), np.float32)
    now = until.copy()
    struck = cells[ONSET] > 0
    ends = np.arange(tokens) * TOKEN + TOKEN // 2 + _places(cells[PLACE])
    ends = np.maximum((ends + length_ticks(cells[LENGTH], beat)) // TOKEN, np.arange(tokens) + 1)
    for t in range(tokens):
        now = np.where(struck[:, t], ends[:, t], now)
        group[:, t] = now > t
    return group, np.maximum(now - tokens, 0)


def _places(group: Array) -> Ticks:
    """Ticks from the grid for values of the place group; the nearest of PLACES."""
    return PLACES[np.round(np.clip(group, _VALUES[0], _VALUES[-1])).astype(np.int64) + 2]


def encode(
    notes: Iterable[Note], start: float, tokens: int, per_beat: int, keyboard: Keyboard
) -> Array:
    """Write the notes of `tokens` tokens, the first of which is centred on beat `start`.

    Of two onsets of a key in one token the last is kept. A note that began before has its sounding
    part written, and no onset. Notes beyond the keyboard are left out.

    Returns
    -------
    ndarray [shape=(4 * keys, tokens)]
    """
    cells = silence(tokens, keyboard.keys)
    notes = sorted(notes, key=lambda n: n.start)
    for n in notes:
        row = keyboard.row(n.pitch)
        token, offset = divmod(_tick(n.start - start, per_beat) + TOKEN // 2, TOKEN)
        if row is None or n.end <= n.start or not 0 <= token < tokens:
            continue
        cells[ONSET, row, token] = np.clip(0.5 + n.velocity / 127, _SOFTEST, _LOUDEST)
        cells[PLACE, row, token] = _VALUES[np.argmin(np.abs(PLACES + TOKEN // 2 - offset))]
        cells[LENGTH, row, token] = length_value(n.end - n.start)
    _, ends = earlier(notes, start, per_beat, keyboard)
    until = np.maximum((ends + TOKEN // 2) // TOKEN, 0)
    cells[SOUNDING], _ = sounding(cells, until, per_beat * TOKEN)
    return cells.reshape(GROUPS * keyboard.keys, tokens)


def earlier(
    notes: Iterable[Note], start: float, per_beat: int, keyboard: Keyboard
) -> tuple[Ticks, Ticks]:
    """When the strings that sound as the token on beat `start` begins were struck, and end.

    Returns
    -------
    since, ends : ndarray [shape=(keys,)] int64
        Ticks from `start`; ends is `NEVER` where nothing sounds.
    """
    since, ends = np.zeros(keyboard.keys, np.int64), np.full(keyboard.keys, NEVER)
    begin = -TOKEN // 2  # of the first token
    for n in sorted(notes, key=lambda n: n.start):
        row, at = keyboard.row(n.pitch), _tick(n.start - start, per_beat)
        end = at + _tick(n.end - n.start, per_beat)
        if row is not None and at < begin < end:
            since[row], ends[row] = at, end
    return since, ends


def _tick(beats: float, per_beat: int) -> int:
    return round(beats * per_beat * TOKEN)


@dataclass(frozen=True)
class Strike:
    """A key that is struck: when, and for how long, in ticks."""

    pitch: int
    velocity: int
    tick: int
    length: int


def strikes(cells: Array, first: int, per_beat: int, keyboard: Keyboard) -> list[Strike]:
    """What is struck in clean tokens [4 * keys, tokens], of which the first is token `first`."""
    groups = cells.reshape(GROUPS, keyboard.keys, -1)
    places, lengths = _places(groups[PLACE]), length_ticks(groups[LENGTH], per_beat * TOKEN)
    found = [
        Strike(
            int(row) + keyboard.lowest, _velocity(groups[ONSET, row, t]),
            (first + int(t)) * TOKEN + int(places[row, t]), int(lengths[row, t]),
        )
        for row, t in np.argwhere(groups[ONSET] > 0)
    ]  # fmt: skip
    return sorted(found, key=lambda strike: strike.tick)


def _velocity(onset: np.floating[Any]) -> int:
    """MIDI velocity for a value of the onset group."""
    return int(np.clip(round((float(onset) - 0.5) * 127), 1, 127))


class BeatRollProjection:
    """Reads blocks as notes, writes them cleanly with their sounding group, and strikes held keys.

    Parameters
    ----------
    per_beat : tokens in a beat.
    keyboard : of the roll.
    """

    def __init__(self, per_beat: int, keyboard: Keyboard) -> None:
        self._per_beat, self._keyboard = per_beat, keyboard
        self._held: frozenset[int] = frozenset()  # keys that were held in the last block
        self.reset()

    @property
    def now(self) -> int:
        """Tokens committed since the stream began, those of a past included."""
        return self._now

    def reset(self) -> None:
        """Begin a new stream, in which nothing sounds yet. Held keys are still held."""
        keys = self._keyboard.keys
        self._now = 0
        self._until = np.zeros(keys, np.int64)  # tokens from now on in which strings sound
        # Absolute ticks: when each string was struck, and ends if it sounds.
        self._since = np.zeros(keys, np.int64)
        self._ends = np.full(keys, NEVER)
        self._ups: list[int] = []  # pitches that come up with the next block

    def past(self, notes: Iterable[Note], end: float, frames: int) -> Array:
        """Take notes as what was just played: the cells of `frames` tokens that end at beat `end`.

        Notes that sound beyond the end come up when their length is over. Keys that are down and
        not in these notes come up with the next block.
        """
        notes, start = list(notes), end - frames / self._per_beat
        roll = encode(notes, start, frames, self._per_beat, self._keyboard)
        before = {p for p, _ in self._sounding()}
        self.reset()
        self._since, self._ends = earlier(notes, start, self._per_beat, self._keyboard)
        self._until = np.maximum((self._ends + TOKEN // 2) // TOKEN, 0)
        clean, _ = self.project(roll, frames)
        self._ups = sorted(before - {p for p, _ in self._sounding()})
        return clean

    def phrase(self, notes: Iterable[Note], block: int) -> list[Array]:
        """Write notes as whole blocks of `block` tokens, in place of what would be sampled.

        The first block begins with beat 0 and the silence that fills up stands at the end, so that
        the phrase keeps its place in the bar. No blocks without a note.
        """
        notes = list(notes)
        length = max((n.end for n in notes), default=0.0)
        if length <= 0:
            return []
        blocks = int(np.ceil(length * self._per_beat / block))
        roll = encode(notes, 0.0, blocks * block, self._per_beat, self._keyboard)
        return list(np.split(roll, blocks, axis=1))

    def known(self, keys: tuple[int, ...], block: int) -> Replace | None:
        """The cells that held keys fix in the next block: an onset in its first token, when due.

        Due is a key that does not sound, that was not held in the last block unless it was struck
        just now, or that was struck so long ago that it can no longer be heard among others. Its
        length reaches to the next time that it is due. Only the sampled groups are fixed.
        """
        held = frozenset(keys)
        new, self._held = held - self._held, held
        values = np.zeros((SAMPLED, self._keyboard.keys, block), np.float32)
        mask = np.zeros(values.shape, bool)
        beat = self._per_beat * TOKEN
        since = {p: (self._now * TOKEN - at) / beat for p, at in self._sounding()}
        wait = max(_AGAIN, block / self._per_beat)
        for pitch in held:
            row = self._keyboard.row(pitch)
            if row is None:
                continue
            age = since.get(pitch, np.inf)
            if age < (_JUST if pitch in new else wait):
                continue
            values[ONSET, row, 0] = 0.5 + _HELD_VELOCITY / 127
            values[LENGTH, row, 0] = length_value(wait + block / self._per_beat)
            mask[:, row, 0] = True
        if not mask.any():
            return None
        rows = SAMPLED * self._keyboard.keys
        return Replace(values.reshape(rows, block), mask=mask.reshape(rows, block))

    def project(self, block: Array, keep: int) -> tuple[Array, tuple[Event, ...]]:
        """Read a block of which `keep` tokens are committed.

        Parameters
        ----------
        block : ndarray [shape=(3 * keys or 4 * keys, tokens)]
            As sampled, or with a sounding group, which is computed again.
        keep : tokens.

        Returns
        -------
        cells : ndarray [shape=(4 * keys, tokens)]
            The block as clean notes, the tokens beyond `keep` included.
        events : of the tokens that are committed, in the order of their times, ups before downs.
        """
        events = [Event(self._now - 0.5, pitch, 0) for pitch in self._ups]
        self._ups = []
        clean, read = self._read(block[:, :keep])
        if keep < block.shape[1]:
            rest, _ = copy.deepcopy(self)._read(block[:, keep:])
            clean = np.concatenate([clean, rest], axis=1)
        return clean, (*events, *read)

    def _read(self, block: Array) -> tuple[Array, list[Event]]:
        keys, tokens, beat = self._keyboard.keys, block.shape[1], self._per_beat * TOKEN
        given = np.nan_to_num(block[: SAMPLED * keys], nan=-1.0).reshape(SAMPLED, keys, tokens)
        cells = silence(tokens, keys)
        struck = given[ONSET] > 0
        places = _places(given[PLACE])
        cells[ONSET][struck] = np.clip(given[ONSET][struck], _SOFTEST, _LOUDEST)
        cells[PLACE][struck] = _VALUES[np.searchsorted(PLACES, places[struck])]
        cells[LENGTH][struck] = np.clip(given[LENGTH][struck], _LEAST, _MOST)
        lengths = length_ticks(cells[LENGTH], beat)
        cells[SOUNDING], self._until = sounding(cells, self._until, beat)
        ticks: list[tuple[int, int, int]] = []  # time, velocity, row
        for t in range(tokens):
            closes = (self._now + t) * TOKEN + TOKEN // 2
            for row in np.flatnonzero(struck[:, t]):
                at = (self._now + t) * TOKEN + int(places[row, t])
                if self._ends[row] != NEVER:
                    ticks.append((min(int(self._ends[row]), at), 0, int(row)))
                ticks.append((at, _velocity(cells[ONSET, row, t]), int(row)))
                self._since[row], self._ends[row] = at, at + lengths[row, t]
            for row in np.flatnonzero((self._ends != NEVER) & (self._ends < closes)):
                ticks.append((int(self._ends[row]), 0, int(row)))
                self._ends[row] = NEVER
        self._now += tokens
        ticks.sort(key=lambda e: e[:2])
        lowest = self._keyboard.lowest
        events = [Event(at / TOKEN, row + lowest, velocity) for at, velocity, row in ticks]
        return cells.reshape(GROUPS * keys, tokens), events

    def _sounding(self) -> list[tuple[int, int]]:
        """Pitches that sound, and the ticks at which they were struck."""
        rows = np.flatnonzero(self._ends != NEVER)
        return [(int(row) + self._keyboard.lowest, int(self._since[row])) for row in rows]

    def state(self) -> dict[str, NDArray[Any]]:
        """Tokens read, the strings that sound, keys that come up next, keys that were held."""
        return {
            "now": np.array(self._now, np.int64),
            "until": self._until.copy(),
            "since": self._since.copy(),
            "ends": self._ends.copy(),
            "ups": np.array(self._ups, np.int64),
            "held": np.array(sorted(self._held), np.int64),
        }

    def restore(self, state: State) -> None:
        """Continue from a state."""
        keys = (self._keyboard.keys,)
        now, ups = taken(state, "now", (), "i8"), taken(state, "ups", (None,), "i8")
        until, since = taken(state, "until", keys, "i8"), taken(state, "since", keys, "i8")
        ends, held = taken(state, "ends", keys, "i8"), taken(state, "held", (None,), "i8")
        self._now, self._until, self._since, self._ends = int(now), until, since, ends
        self._ups, self._held = ups.tolist(), frozenset(held.tolist())


class BeatRoll:
    """The roll of a beat grid as a representation.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : unused.
    load : unused.

    Raises
    ------
    ConfigError
        If the rows are not those of a keyboard, or the grid is none of whole tokens per beat.
    """

    has_notes = True

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        per_beat = signal.grid.per_beat
        if per_beat is None or per_beat.denominator != 1 or per_beat < 1:
            raise ConfigError(
                f"signal {signal.name!r}: a roll of this layout needs a grid of whole frames per "
                "beat, such as grid = { per_beat = 4 }"
            )
        if signal.rows % GROUPS or signal.rows < GROUPS:
            raise ConfigError(
                f"signal {signal.name!r}: {signal.rows} rows; a roll has {GROUPS} for each key"
            )
        self.rows, self.channels = signal.rows, signal.channels
        self.keyboard = Keyboard(signal.options["lowest"], signal.rows // GROUPS)
        self.sampled_rows = SAMPLED * self.keyboard.keys
        self.per_beat = int(per_beat)
        self.empty: Array = silence(1, self.keyboard.keys).reshape(-1, 1)

    def encode(self, samples: Array) -> Array:
        """Refuse: notes are not read from sound here."""
        raise ConfigError("sound cannot be written as a roll; transcribe it to notes first")

    def decoder(self) -> Decoder:
        """Refuse: notes are not sound."""
        raise ConfigError("a roll cannot be played by itself; a stage has to make sound of it")

    def projection(self) -> BeatRollProjection:
        """A new projection."""
        return BeatRollProjection(self.per_beat, self.keyboard)
