"""Notes as a roll: the representation that a notes stage diffuses, and the way back to notes.

A roll is ndarray [shape=(352, tokens)] float32: four channels of 88 pitches (A0 first), one column
a token. A token lasts `seconds`, 85 ms in the shipped pack. Channel by channel:

    onset      -1 where no key goes down in the token, else 0.5 + velocity / 127
    position   where in the token the onset lies, -1 its start, 1 its end; 0 without an onset
    middle     1 where the key sounds in the middle of the token, else -1
    end        1 where it sounds at the token's end, else -1

Onset and position are written to the sample, ends of notes to half a token. "Sounds" means that
the damper is up: by the key or by the pedal. Pure data: any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHANNELS", "LOWEST", "PITCHES", "ROWS", "Note", "NoteEvent", "RollReader", "encode"]

Array = NDArray[np.float32]

LOWEST = 21  # A0
PITCHES = 88
CHANNELS = 4
ROWS = CHANNELS * PITCHES
ONSET, POSITION, MIDDLE, END = range(CHANNELS)
_SOFTEST, _LOUDEST = 0.5 + 1 / 127, 1.5  # values of the onset channel
_LONGEST = 12.0  # seconds; nobody hears more of a struck string, and nothing may stick
_GAP = 2  # half tokens in which a string that sounds before and after is not seen to
_DOUBT = 2  # the same at the end of what is known
_LAST = 0.998  # the largest position: an onset belongs to the token that it is written in


@dataclass(frozen=True)
class Note:
    """One key: `pitch` (MIDI number), `velocity` 1..127, `start` and `end` in seconds."""

    pitch: int
    velocity: int
    start: float
    end: float


@dataclass(frozen=True)
class NoteEvent:
    """A key goes down, or with velocity 0 comes up, `seconds` after the stream's beginning."""

    seconds: float
    pitch: int
    velocity: int


def encode(notes: Iterable[Note], start: float, tokens: int, seconds: float) -> Array:
    """Write the notes of `tokens` tokens from `start` on. Returns [352, tokens].

    Of two onsets of a key in one token the first is kept. A note that began before `start` has
    its sounding part written, and no onset.
    """
    roll = silence(tokens)
    for n in notes:
        row = n.pitch - LOWEST
        if not 0 <= row < PITCHES:
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
    return roll.reshape(ROWS, tokens)


def _between(low: float, high: float, tokens: int) -> slice:
    """Whole numbers n with low <= n < high, among 0..tokens - 1."""
    first, last = int(np.ceil(low)), int(np.ceil(high))
    return slice(min(max(first, 0), tokens), min(max(last, 0), tokens))


def silence(tokens: int) -> Array:
    """A roll in which nothing sounds: [4, 88, tokens]."""
    roll = np.full((CHANNELS, PITCHES, tokens), -1, np.float32)
    roll[POSITION] = 0
    return roll


def _sounds_on(given: Array, half: int, gap: int) -> bool:
    """Whether a string sounds at a half token, or is seen to soon after it and not struck anew.

    `gap` half tokens went before in which it was not seen. What comes after the block is not known:
    there a string has the benefit of the doubt for `_DOUBT` half tokens.
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
    velocity: int
    start: float  # in tokens
    heard: float  # the last moment at which it was taken to sound
    gap: int = 0  # half tokens since it was seen to


@dataclass
class RollReader:
    """Reads a stream of rolls as notes, and writes each block anew as what it was read as.

    That projection is what keeps an endless stream from wandering: whatever a network answered,
    the next block's past is a roll that some notes would give. Used by one thread.

    Parameters
    ----------
    seconds : length of a token.
    """

    seconds: float
    now: int = 0  # tokens read
    _keys: dict[int, _Sounding] = field(default_factory=dict[int, _Sounding])

    @property
    def sounding(self) -> Mapping[int, float]:
        """Pitches that sound at the end of what was read, and for how many seconds they have."""
        return {p: (self.now - k.start) * self.seconds for p, k in self._keys.items()}

    def read(self, block: NDArray[np.floating[Any]]) -> tuple[Array, list[NoteEvent]]:
        """Read [352, tokens], clean or nearly so.

        A string that was struck sounds on over gaps of up to `_GAP` half tokens, as nothing that
        was damped sounds again without being struck: a network decides cell by cell, and a note
        that ended at its first doubtful one would leave the music more and more clipped.

        Returns
        -------
        roll : ndarray [shape=(352, tokens)]
            The same written cleanly: keys sound from an onset on, and none for over 12 s.
        events : list of NoteEvent
            In the order of their times, ups before downs at the same time.
        """
        tokens = block.shape[-1]
        given = np.nan_to_num(block, nan=-1.0).reshape(CHANNELS, PITCHES, tokens)
        clean = silence(tokens)
        events: list[NoteEvent] = []
        struck = set(np.flatnonzero((given[ONSET] > 0).any(axis=1)).tolist())
        for row in sorted(struck | {p - LOWEST for p in self._keys}):
            self._string(given[:, row], clean[:, row], row + LOWEST, events)
        self.now += tokens
        return clean.reshape(ROWS, tokens), sorted(events, key=lambda e: (e.seconds, e.velocity))

    def _string(self, given: Array, clean: Array, pitch: int, out: list[NoteEvent]) -> None:
        """Read one pitch of a block, half token by half token: [4, tokens]."""
        key, tokens = self._keys.get(pitch), given.shape[1]
        for half in range(2 * tokens):
            t, late = divmod(half, 2)
            at = self.now + (half + 1) / 2
            if given[ONSET, t] > 0 and not clean[ONSET, t] > 0:
                place = _place(given[:, t])
                if place <= (late + 1) / 2:
                    if key is not None:
                        self._up(pitch, min(key.heard + 0.25, self.now + t + place), out)
                    key = self._down(pitch, given[:, t], clean[:, t], self.now + t, place, out)
            if key is None:
                continue
            if (at - key.start) * self.seconds <= _LONGEST and _sounds_on(given, half, key.gap):
                clean[MIDDLE + late, t] = 1
                key.gap = 0 if given[MIDDLE + late, t] > 0 else key.gap + 1
                key.heard = at
            else:
                self._up(pitch, max(key.heard, key.start) + 0.25, out)
                key = None

    def _down(
        self, pitch: int, given: Array, clean: Array, token: int, place: float, out: list[NoteEvent]
    ) -> _Sounding:
        clean[ONSET] = np.clip(given[ONSET], _SOFTEST, _LOUDEST)
        clean[POSITION] = 2 * place - 1
        velocity = int(np.clip(round((float(clean[ONSET]) - 0.5) * 127), 1, 127))
        start = token + place
        out.append(NoteEvent(start * self.seconds, pitch, velocity))
        self._keys[pitch] = key = _Sounding(velocity, start, start)
        return key

    def _up(self, pitch: int, at: float, out: list[NoteEvent]) -> None:
        out.append(NoteEvent(at * self.seconds, pitch, 0))
        del self._keys[pitch]

    def silence(self) -> list[NoteEvent]:
        """Let every key go, now."""
        events: list[NoteEvent] = []
        for pitch in list(self._keys):
            self._up(pitch, float(self.now), events)
        return events
