"""The notes of a stream: what is forced into a block, how it is read, what goes out of it.

Owned by the generator's thread. Times of the stream are samples at the pack's rate; tokens are
frames of the notes stage.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.sampling.replace import Replace
from engine.signal.roll import (
    CHANNELS,
    END,
    LOWEST,
    MIDDLE,
    ONSET,
    PITCHES,
    POSITION,
    Note,
    NoteEvent,
    RollReader,
    encode,
)

Array = NDArray[np.float32]
_AGAIN = 1.0  # seconds after which a held key is struck again, as it drowns among others
_JUST = 0.6  # seconds after which one that is newly held is struck, though it sounds already
_HELD_VELOCITY = 88
_STILL = 0.05  # seconds: a note that ends as close to the end of a past goes on


@dataclass(frozen=True)
class TimedNote:
    """A key goes down, or with velocity 0 up, `offset` samples after a block's first sample."""

    offset: int
    pitch: int
    velocity: int


class NotesTrack:
    """Reads blocks of one stream as notes.

    Parameters
    ----------
    hop : samples of a token.
    rate : samples a second.
    tokens : of a block.
    """

    def __init__(self, hop: int, rate: int, tokens: int) -> None:
        self._hop, self._rate, self._tokens = hop, rate, tokens
        self._seconds = hop / rate
        self._reader = RollReader(self._seconds)
        self._phrase: list[Array] = []
        self._ups: list[int] = []  # pitches to be let go with the next block
        self._held: frozenset[int] = frozenset()  # keys that were held in the last block

    def forget(self) -> None:
        """A new stream, in which nothing sounds yet."""
        self._reader = RollReader(self._seconds)
        self._phrase = []
        self._ups = []

    # --------------------------------------------------------------------- in

    def past(self, notes: Iterable[Note], end: float, tokens: int) -> Array:
        """Take notes as what was just played: the roll of `tokens` tokens that end at `end` s.

        Notes that sound up to the end of what is known go on sounding in the roll's last token.
        Keys that are down and not in these notes come up with the next block.
        """
        going_on = end - self._seconds - _STILL
        notes = [
            Note(n.pitch, n.velocity, n.start, n.end if n.end < going_on else end + _STILL)
            for n in notes
        ]
        roll = encode(notes, end - tokens * self._seconds, tokens, self._seconds)
        before = set(self._reader.sounding)
        self.forget()
        clean, _ = self._reader.read(roll)
        self._ups = sorted(before - set(self._reader.sounding))
        return clean

    def play(self, notes: list[Note]) -> None:
        """Have these notes made next, as they are, in place of what would have been sampled."""
        length = max((n.end for n in notes), default=0.0)
        if length <= 0:
            return
        blocks = int(np.ceil(length / self._seconds / self._tokens))
        start = length - blocks * self._tokens * self._seconds  # the music goes on as it ends
        roll = encode(notes, start, blocks * self._tokens, self._seconds)
        self._phrase = list(np.split(roll, blocks, axis=1))

    @property
    def in_phrase(self) -> bool:
        """Whether the next block is a phrase's."""
        return bool(self._phrase)

    def given(self) -> Array | None:
        """The next block of a phrase, or None when the network's own is due."""
        return self._phrase.pop(0) if self._phrase else None

    def held(self, keys: Iterable[int]) -> Replace | None:
        """The cells that held keys ask for in the next block: sounding, and struck when due.

        Due is a key that was not held in the last block, unless it was struck just now, and one
        that has sounded for so long that it is no longer heard among others.
        """
        keys = frozenset(keys)
        new, self._held = keys - self._held, keys
        values = np.zeros((CHANNELS, PITCHES, self._tokens), np.float32)
        mask = np.zeros(values.shape, bool)
        for pitch in keys:
            row = pitch - LOWEST
            if not 0 <= row < PITCHES:
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
        rows = CHANNELS * PITCHES
        return Replace(values.reshape(rows, -1), mask=mask.reshape(rows, -1))

    # -------------------------------------------------------------------- out

    @property
    def now(self) -> int:
        """Samples of the tokens read so far."""
        return self._reader.now * self._hop

    def read(self, block: Array, kept: int, origin: int) -> tuple[Array, tuple[TimedNote, ...]]:
        """Read a block of which `kept` tokens stay.

        Returns
        -------
        roll : ndarray [shape=(352, tokens)]
            The block as clean notes, the tokens that do not stay included.
        notes : of the tokens that stay, timed from `origin`, in samples of this track's time.
        """
        let_go = [NoteEvent(self._reader.now * self._seconds, pitch, 0) for pitch in self._ups]
        self._ups = []
        clean, events = self._reader.read(block[:, :kept])
        if kept < block.shape[1]:
            rest, _ = copy.deepcopy(self._reader).read(block[:, kept:])
            clean = np.concatenate([clean, rest], axis=1)
        return clean, tuple(self._timed(e, origin) for e in [*let_go, *events])

    def _timed(self, event: NoteEvent, origin: int) -> TimedNote:
        at = round(event.seconds * self._rate) - origin
        return TimedNote(at, event.pitch, event.velocity)
