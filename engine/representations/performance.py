"""The transform `perform`: converts a roll on beats to a roll on seconds with the tempo map.

Positions are exact: onsets and ends of notes are whole ticks of the beat roll, and ticks are
converted to samples in rational arithmetic. A chunk of tokens determines time up to the end of its
last token, half a token after the grid; frames that end before it are final. Ends of notes stay in
ticks until then, so that a later change of tempo moves them too. Owned by the generator's thread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.notes.note import Note
from engine.representations import beat_roll
from engine.representations.beat_roll import TOKEN, BeatRoll, Strike
from engine.representations.protocol import Array, Event, Representation, State
from engine.representations.roll import Roll, encode
from engine.representations.state import array_of
from engine.time.tempo_map import TempoMap

__all__ = ["Performance"]

_STRUCK = -(1 << 62)  # in place of the tick of an onset that is written


@dataclass(frozen=True)
class _Sounding:
    """A note that is not completely written: its strike, and the tick of its end."""

    strike: Strike
    end: int


class Performance:
    """Performs a roll on beats.

    Parameters
    ----------
    source : on beats.
    output : on seconds. Keys that it does not have are left out of its frames.

    Raises
    ------
    ConfigError
        Another kind of signal.
    """

    clipped = 0

    def __init__(self, source: Representation, output: Representation) -> None:
        if not isinstance(source, BeatRoll) or not isinstance(output, Roll):
            raise ConfigError("perform: use a roll on beats as input, one on samples as output")
        self._per_beat, self._keys = source.per_beat, source.keyboard
        self._frame, self._keyboard = output.frame, output.keyboard
        self.reset()

    def reset(self) -> None:
        """Start a new piece."""
        self._done = 0  # frames written
        self._notes: list[_Sounding] = []

    def prime(self, samples: Array, frames: int) -> None:
        """None: a roll on beats cannot be encoded from sound."""
        return

    def push(self, frames: Array, first: int, tempo: TempoMap) -> tuple[Array, tuple[Event, ...]]:
        """Frames of the output up to the end of these tokens, and the notes in them."""
        for strike in beat_roll.strikes(frames, first, self._per_beat, self._keys):
            self._take(strike)
        fixed = (first + frames.shape[1]) * TOKEN - TOKEN // 2
        end = max(self._done, math.floor(self._position(fixed, tempo)))
        chunk, events = self._written(fixed, end, tempo)
        self._done = end
        return chunk, tuple(sorted(events, key=lambda e: (e.frame, e.velocity)))

    def _position(self, tick: int, tempo: TempoMap) -> Fraction:
        """Frames of the output at a tick."""
        return tempo.sample_of(Fraction(tick, self._per_beat * TOKEN)) / self._frame

    def _take(self, strike: Strike) -> None:
        """A string that is struck again ends there."""
        self._notes = [
            replace(n, end=min(n.end, strike.tick)) if n.strike.pitch == strike.pitch else n
            for n in self._notes
        ]
        self._notes.append(_Sounding(strike, strike.tick + strike.length))

    def _written(self, fixed: int, end: int, tempo: TempoMap) -> tuple[Array, list[Event]]:
        """The frames from `_done` to before `end`, with the notes that start and end in them."""
        begin = self._done
        notes: list[Note] = []
        events: list[Event] = []
        left: list[_Sounding] = []
        for n in self._notes:
            pitch, velocity, tick = n.strike.pitch, n.strike.velocity, n.strike.tick
            # Before the piece nothing sounds: an early first note starts with the piece.
            on = max(self._position(tick, tempo), Fraction(begin)) if tick != _STRUCK else None
            off = self._position(n.end, tempo) if n.end <= fixed else Fraction(end + 1)
            if on is not None and off <= on:
                continue  # it ended before the piece
            at = Fraction(-1) if on is None else on - begin
            notes.append(Note(pitch, velocity, float(at), float(off - begin)))
            if on is not None and on < end:
                events.append(Event(float(on), pitch, velocity))
                n = replace(n, strike=replace(n.strike, tick=_STRUCK))
            if off < end:
                events.append(Event(float(off), pitch, 0))
            else:
                left.append(n)
        self._notes = left
        return encode(notes, 0.0, end - begin, 1.0, self._keyboard), events

    def state(self) -> dict[str, NDArray[Any]]:
        """Frames written, and the notes that are not completely written."""
        notes = [(n.strike.pitch, n.strike.velocity, n.strike.tick, n.end) for n in self._notes]
        return {
            "done": np.array(self._done, np.int64),
            "notes": np.array(notes, np.int64).reshape(-1, 4),
        }

    def restore(self, state: State) -> None:
        """Continue from a state."""
        done, notes = array_of(state, "done", (), "i8"), array_of(state, "notes", (None, 4), "i8")
        self._done = int(done)
        self._notes = [
            _Sounding(Strike(pitch, velocity, tick, 0), end)
            for pitch, velocity, tick, end in notes.tolist()
        ]
