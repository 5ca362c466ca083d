"""Notes on a grid of seconds: written as frames, read back as notes, cleaned block by block.

A frame is a token, 85 ms in the shipped pack: ndarray [shape=(4 * keys, tokens)] float32, four
groups of one row per key, the lowest key first (88 keys from A0 in the shipped pack). Group by
group:

    onset      -1 where no key goes down in the token, else 0.5 + velocity / 127
    position   where in the token the onset lies, -1 its start, 1 its end; 0 without an onset
    middle     1 where the key sounds in the middle of the token, else -1
    end        1 where it sounds at the token's end, else -1

Onset and position are exact to the sample, ends of notes to half a token. "Sounds" means that
the damper is up: by the key or by the pedal. The generator's thread owns readers and projections.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.notes.note import PITCHES, Note
from engine.representations.keyboard import PIANO, Keyboard
from engine.representations.protocol import Array, Decoder, Event, State
from engine.representations.signals import Signal
from engine.representations.state import taken
from engine.sampling.replace import Replace

__all__ = ["CHANNELS", "ROWS", "Roll", "RollProjection", "RollReader", "encode"]

CHANNELS = 4
ROWS = CHANNELS * PITCHES
ONSET, POSITION, MIDDLE, END = range(CHANNELS)
_SOFTEST, _LOUDEST = 0.5 + 1 / 127, 1.5  # values of the onset channel
_LONGEST = 12.0  # seconds; a struck string is inaudible by then, and no key may stick
_GAP = 2  # half tokens in which a string that sounds before and after need not be seen to
_DOUBT = 2  # the same at the end of what is known
_LAST = 0.998  # the largest position: an onset belongs to the token that it is written in
_AGAIN = 1.0  # seconds after which a held key is struck again, as it drowns among others
_JUST = 0.6  # seconds after which a key that is pressed is struck, though it sounds already
_HELD_VELOCITY = 88
_STILL = 0.05  # seconds: a note that ends this close to the end of a past continues


def encode(
    notes: Iterable[Note], start: float, tokens: int, seconds: float, keyboard: Keyboard = PIANO
) -> Array:
    """Write the notes of `tokens` tokens of `seconds` each from `start` on.

    Of two onsets of a key in one token the first is kept. A note that began before `start` has
    its sounding part written, and no onset. Notes beyond the keyboard are left out.

    Returns
    -------
    ndarray [shape=(4 * keys, tokens)]
    """
    roll = silence(tokens, keyboard)
    for n in notes:
        row = keyboard.row(n.pitch)
        if row is None:
            continue
        on, off = (n.start - start) / seconds, (n.end - start) / seconds
        if off <= 0 or on >= tokens:
            continue
        first = int(np.floor(on))
        if first >= 0:
            if roll[ONSET, row, first] > 0:
                continue
            roll[ONSET, row, first] = np.clip(0.5 + n.velocity / 127, _SOFTEST, _LOUDEST)
            roll[POSITION, row, first] = min(2 * (on - first) - 1, _LAST)
        # token t is looked at in its middle, t + 0.5, and at its end, t + 1
        roll[MIDDLE, row, _between(on - 0.5, off - 0.5, tokens)] = 1
        roll[END, row, _between(on - 1, off - 1, tokens)] = 1
    return roll.reshape(CHANNELS * keyboard.keys, tokens)


def _between(low: float, high: float, tokens: int) -> slice:
    """Whole numbers n with low <= n < high, among 0..tokens - 1."""
    first, last = int(np.ceil(low)), int(np.ceil(high))
    return slice(min(max(first, 0), tokens), min(max(last, 0), tokens))


def silence(tokens: int, keyboard: Keyboard = PIANO) -> Array:
    """A roll in which nothing sounds: [4, keys, tokens]."""
    roll = np.full((CHANNELS, keyboard.keys, tokens), -1, np.float32)
    roll[POSITION] = 0
    return roll


def _sounds_on(given: Array, half: int, gap: int) -> bool:
    """Whether a string sounds at a half token, or is seen to soon after it without a new onset.

    `gap` half tokens went before in which it was not seen to. What comes after the block is not
    known: there a string has the benefit of the doubt for `_DOUBT` half tokens.
    """
    for ahead in range(half, half + _GAP + 1 - gap):
        t, late = divmod(ahead, 2)
        if t >= given.shape[1]:
            return ahead - half + gap < _DOUBT
        if given[ONSET, t] > 0 and (half + 1) / 2 < t + _place(given[:, t]) <= (ahead + 1) / 2:
            return False
        if given[MIDDLE + late, t] > 0:
            return True
    return False


def _place(cell: Array) -> float:
    """Where in its token an onset lies, 0 to nearly 1."""
    return float(np.clip((cell[POSITION] + 1) / 2, 0, (_LAST + 1) / 2))


@dataclass
class _Sounding:
    start: float  # in tokens
    last: float  # the last moment at which it was taken to sound
    gap: int = 0  # half tokens since it was seen to


class RollReader:
    """Reads a stream of rolls as notes, and writes each block again as what it was read as.

    That projection keeps an endless stream from wandering: whatever a network answered, the next
    block's past is a roll that some notes would produce.

    Parameters
    ----------
    seconds : length of a token.
    keyboard : of the roll.

    Attributes
    ----------
    now : int
        Tokens read.
    """

    def __init__(self, seconds: float, keyboard: Keyboard = PIANO) -> None:
        self.seconds, self.keyboard = seconds, keyboard
        self.now = 0
        self._keys: dict[int, _Sounding] = {}

    @property
    def sounding(self) -> Mapping[int, float]:
        """Pitches that sound at the end of what was read, and for how many seconds they have."""
        return {p: (self.now - k.start) * self.seconds for p, k in self._keys.items()}

    def read(self, block: NDArray[np.floating[Any]]) -> tuple[Array, list[Event]]:
        """Read [4 * keys, tokens], clean or nearly so.

        A string that was struck sounds on over gaps of up to `_GAP` half tokens, as nothing that
        was damped sounds again without being struck: a network decides cell by cell, and a note
        that ended at its first doubtful one would leave the music more and more clipped.

        Returns
        -------
        roll : ndarray [shape=(4 * keys, tokens)]
            The same written cleanly: keys sound from an onset on, and none for over 12 s.
        events : list of Event
            In the order of their times, ups before downs at the same time.
        """
        tokens, keys = block.shape[-1], self.keyboard.keys
        given = np.nan_to_num(block, nan=-1.0).reshape(CHANNELS, keys, tokens)
        clean = silence(tokens, self.keyboard)
        events: list[Event] = []
        lowest = self.keyboard.lowest
        struck = set(np.flatnonzero((given[ONSET] > 0).any(axis=1)).tolist())
        for row in sorted(struck | {p - lowest for p in self._keys}):
            self._string(given[:, row], clean[:, row], row + lowest, events)
        self.now += tokens
        return clean.reshape(block.shape), sorted(events, key=lambda e: (e.frame, e.velocity))

    def _string(self, given: Array, clean: Array, pitch: int, out: list[Event]) -> None:
        """Read one pitch of a block, half token by half token: [4, tokens]."""
        key, tokens = self._keys.get(pitch), given.shape[1]
        for half in range(2 * tokens):
            t, late = divmod(half, 2)
            at = self.now + (half + 1) / 2
            if given[ONSET, t] > 0 and not clean[ONSET, t] > 0:
                place = _place(given[:, t])
                if place <= (late + 1) / 2:
                    if key is not None:
                        self._up(pitch, min(key.last + 0.25, self.now + t + place), out)
                    key = self._down(pitch, given[:, t], clean[:, t], self.now + t, place, out)
            if key is None:
                continue
            if (at - key.start) * self.seconds <= _LONGEST and _sounds_on(given, half, key.gap):
                clean[MIDDLE + late, t] = 1
                key.gap = 0 if given[MIDDLE + late, t] > 0 else key.gap + 1
                key.last = at
            else:
                self._up(pitch, max(key.last, key.start) + 0.25, out)
                key = None

    def _down(
        self, pitch: int, given: Array, clean: Array, token: int, place: float, out: list[Event]
    ) -> _Sounding:
        clean[ONSET] = np.clip(given[ONSET], _SOFTEST, _LOUDEST)
        clean[POSITION] = 2 * place - 1
        velocity = int(np.clip(round((float(clean[ONSET]) - 0.5) * 127), 1, 127))
        start = token + place
        out.append(Event(start, pitch, velocity))
        self._keys[pitch] = key = _Sounding(start, start)
        return key

    def _up(self, pitch: int, at: float, out: list[Event]) -> None:
        out.append(Event(at, pitch, 0))
        del self._keys[pitch]

    def state(self) -> dict[str, NDArray[Any]]:
        """Tokens read, and the keys that sound as rows of (pitch, start, last, gap)."""
        keys = [(p, k.start, k.last, k.gap) for p, k in self._keys.items()]
        return {
            "now": np.array(self.now, np.int64),
            "sounding": np.array(keys, np.float64).reshape(-1, 4),
        }

    def restore(self, state: State) -> None:
        """Continue from a state."""
        now, keys = taken(state, "now", (), np.int64), taken(state, "sounding", (None, 4), float)
        self.now = int(now)
        self._keys = {
            int(pitch): _Sounding(float(start), float(last), int(gap))
            for pitch, start, last, gap in keys
        }


class RollProjection:
    """Reads blocks as notes, and fixes the cells of held keys.

    Parameters
    ----------
    seconds : length of a token.
    keyboard : of the roll.
    """

    def __init__(self, seconds: float, keyboard: Keyboard = PIANO) -> None:
        self._seconds, self._keyboard = seconds, keyboard
        self._reader = RollReader(seconds, keyboard)
        self._ups: list[int] = []  # pitches that come up with the next block
        self._held: frozenset[int] = frozenset()  # keys that were held in the last block

    @property
    def now(self) -> int:
        """Tokens committed since the stream began, those of a past included."""
        return self._reader.now

    def reset(self) -> None:
        """Begin a new stream, in which nothing sounds yet. Held keys are still held."""
        self._reader = RollReader(self._seconds, self._keyboard)
        self._ups = []

    def past(self, notes: Iterable[Note], end: float, frames: int) -> Array:
        """Take notes as what was just played: the roll of `frames` tokens that end at `end` s.

        Notes that sound up to the end of what is known continue to sound in the last token. Keys
        that are down and not in these notes come up with the next block.
        """
        continues = end - self._seconds - _STILL
        notes = [
            Note(n.pitch, n.velocity, n.start, n.end if n.end < continues else end + _STILL)
            for n in notes
        ]
        start = end - frames * self._seconds
        roll = encode(notes, start, frames, self._seconds, self._keyboard)
        before = set(self._reader.sounding)
        self.reset()
        clean, _ = self._reader.read(roll)
        self._ups = sorted(before - set(self._reader.sounding))
        return clean

    def phrase(self, notes: Iterable[Note], block: int) -> list[Array]:
        """Write notes as whole blocks of `block` tokens, in place of what would be sampled.

        The last block ends where the last note does, so that the music continues in time; the
        silence that fills up stands at the beginning. Notes in seconds from any start at or
        after 0; no blocks without a note.
        """
        notes = list(notes)
        length = max((n.end for n in notes), default=0.0)
        if length <= 0:
            return []
        blocks = int(np.ceil(length / self._seconds / block))
        start = length - blocks * block * self._seconds
        roll = encode(notes, start, blocks * block, self._seconds, self._keyboard)
        return list(np.split(roll, blocks, axis=1))

    def known(self, keys: tuple[int, ...], block: int) -> Replace | None:
        """The cells that held keys fix in the next block: sounding, and struck when due.

        Due is a key that was not held in the last block, unless it was struck just now, and one
        that has sounded for so long that it can no longer be heard among others.
        """
        held = frozenset(keys)
        new, self._held = held - self._held, held
        values = np.zeros((CHANNELS, self._keyboard.keys, block), np.float32)
        mask = np.zeros(values.shape, bool)
        for pitch in held:
            row = self._keyboard.row(pitch)
            if row is None:
                continue
            values[MIDDLE : END + 1, row] = 1
            mask[MIDDLE : END + 1, row] = True
            since = self._reader.sounding.get(pitch, np.inf)
            fades = np.inf if pitch in new and since > _JUST else since
            first = 0 if fades >= _AGAIN else int(np.ceil((_AGAIN - fades) / self._seconds))
            struck = slice(first, None, int(np.ceil(_AGAIN / self._seconds)))
            values[ONSET, row, struck] = 0.5 + _HELD_VELOCITY / 127
            values[POSITION, row, struck] = -1
            mask[: POSITION + 1, row, struck] = True
        if not mask.any():
            return None
        return Replace(values.reshape(-1, block), mask=mask.reshape(-1, block))

    def project(self, block: Array, keep: int) -> tuple[Array, tuple[Event, ...]]:
        """Read a block of which `keep` tokens are committed.

        Returns
        -------
        roll : ndarray [shape=(4 * keys, tokens)]
            The block as clean notes, the tokens beyond `keep` included.
        events : of the tokens that are committed.
        """
        let_go = [Event(float(self._reader.now), pitch, 0) for pitch in self._ups]
        self._ups = []
        clean, events = self._reader.read(block[:, :keep])
        if keep < block.shape[1]:
            rest, _ = copy.deepcopy(self._reader).read(block[:, keep:])
            clean = np.concatenate([clean, rest], axis=1)
        return clean, (*let_go, *events)

    def state(self) -> dict[str, NDArray[Any]]:
        """What the reader knows, keys that come up next, keys that were held."""
        return {
            **self._reader.state(),
            "ups": np.array(self._ups, np.int64),
            "held": np.array(sorted(self._held), np.int64),
        }

    def restore(self, state: State) -> None:
        """Continue from a state."""
        ups, held = taken(state, "ups", (None,), np.int64), taken(state, "held", (None,), np.int64)
        self._reader.restore(state)
        self._ups, self._held = ups.tolist(), frozenset(held.tolist())


class Roll:
    """The roll as a representation: no sound is read into it or written from it without a network.

    Parameters
    ----------
    signal : with the options of `engine.representations.kinds`.
    rate : samples per second of the pack.
    load : unused.

    Raises
    ------
    ConfigError
        If the rows are not those of a keyboard, or the grid is one of beats.
    """

    has_notes = True

    def __init__(self, signal: Signal, rate: int, load: Callable[[str], NDArray[Any]]) -> None:
        if signal.grid.samples is None:
            raise ConfigError(f"signal {signal.name!r}: a roll on seconds needs grid.samples")
        if signal.rows % CHANNELS or signal.rows < CHANNELS:
            raise ConfigError(
                f"signal {signal.name!r}: {signal.rows} rows; a roll has {CHANNELS} for each key"
            )
        self.rows = self.sampled_rows = signal.rows
        self.channels = signal.channels
        self.keyboard = Keyboard(signal.options["lowest"], signal.rows // CHANNELS)
        self.frame = signal.grid.samples
        self.seconds = float(self.frame / rate)
        self.empty: Array = silence(1, self.keyboard).reshape(-1, 1)

    def encode(self, samples: Array) -> Array:
        """Refuse: notes are not read from sound here."""
        raise ConfigError("sound cannot be written as a roll; transcribe it to notes first")

    def decoder(self) -> Decoder:
        """Refuse: notes are not sound."""
        raise ConfigError("a roll cannot be played by itself; a stage has to make sound of it")

    def projection(self) -> RollProjection:
        """A new projection."""
        return RollProjection(self.seconds, self.keyboard)
