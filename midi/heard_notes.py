"""The notes that the engine plays, as messages at the moment they are heard.

Every key that goes down comes up: before it is struck again, at the end, and on panic. `note` may
be called from any thread and does not wait; everything else belongs to the desk's thread. Times are
seconds of the clock that is passed in; notes are told with their own, exact to a frame of the
output, and early by the output's latency (`Instrument.listen_notes`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import cast

import mido

from engine.notes.note import NoteEvent
from midi.message import Message

__all__ = ["HeardNotes"]

_MOST = 1024  # notes that wait
_FOLLOW = 0.05  # of a note's deviation that the clock follows
_JUMP = 0.02  # seconds: further off, it is set anew (another device, a gap)
_ALL_OFF = 123


class HeardNotes:
    """Notes in, messages out when due.

    Parameters
    ----------
    now : seconds of a clock that only goes on.
    live : answers with the seconds until what is told now is heard.
    """

    def __init__(self, now: Callable[[], float], live: Callable[[], float]) -> None:
        self._now, self._live = now, live
        self._told: deque[tuple[float, NoteEvent]] = deque(maxlen=_MOST)
        self._soon: deque[tuple[float, NoteEvent]] = deque()
        self._offset: float | None = None  # from a note's own seconds to `now`'s, when heard
        self._last = -math.inf
        self._down: set[int] = set()

    def note(self, note: NoteEvent) -> None:
        """Any thread: a note that goes to the output now."""
        self._told.append((self._now(), note))

    def due(self) -> list[Message]:
        """What is heard by now, on channel 1."""
        self._time()
        now, messages = self._now(), []
        while self._soon and (self._soon[0][0] <= now or len(self._soon) > _MOST):
            messages += self._message(self._soon.popleft()[1])
        return messages

    @property
    def next_due(self) -> float | None:
        """When `due` has something."""
        self._time()
        return self._soon[0][0] if self._soon else None

    def _time(self) -> None:
        """Give the notes that were told their times.

        They are told a period of the mixer at a time, so they are timed by their own clock, which
        follows ours slowly.
        """
        if not self._told:
            return
        live = self._live()
        while self._told:
            at, note = self._told.popleft()
            offset = at + live - note.seconds
            if self._offset is None or abs(offset - self._offset) > _JUMP:
                self._offset = offset
            else:
                self._offset += _FOLLOW * (offset - self._offset)
            # Never before what was told earlier: a key would come up before it goes down.
            self._last = max(self._last, note.seconds + self._offset)
            self._soon.append((self._last, note))

    def _message(self, note: NoteEvent) -> list[Message]:
        up = _key(note.pitch, 0)
        was_down = note.pitch in self._down
        if not note.velocity:
            self._down.discard(note.pitch)
            return [up] if was_down else []
        self._down.add(note.pitch)
        down = _key(note.pitch, note.velocity)
        return [up, down] if was_down else [down]

    def let_go(self) -> list[Message]:
        """Drop what waits and let every key go that is down."""
        self._told.clear()
        self._soon.clear()
        down, self._down = sorted(self._down), set()
        ups = [_key(pitch, 0) for pitch in down]
        return [*ups, cast(Message, mido.Message("control_change", control=_ALL_OFF, value=0))]


def _key(pitch: int, velocity: int) -> Message:
    """A key that goes down, or with velocity 0 up."""
    kind = "note_on" if velocity else "note_off"
    return cast(Message, mido.Message(kind, note=pitch, velocity=velocity))
