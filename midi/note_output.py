"""The engine's notes as MIDI messages, at the moment they are audible.

Every note-on gets a note-off: before it is struck again, at the end, and on panic. `note` may be
called from any thread and does not wait; everything else belongs to the desk's thread. Times are
seconds of the clock `now`; notes carry their own time, exact to a frame of the output, and arrive
early by the output's latency (`Instrument.listen_notes`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import cast

import mido

from engine.notes.note import NoteEvent
from midi.message import Message

__all__ = ["NoteOutput"]

_MOST = 1024  # notes that wait
_FOLLOW = 0.05  # share of a note's deviation that the clock follows
_JUMP = 0.02  # seconds: a larger deviation sets it again (another device, a gap)
_ALL_OFF = 123


class NoteOutput:
    """Takes notes, and returns messages when they are due.

    Parameters
    ----------
    now : monotonic clock in seconds.
    live : returns the seconds until a note that arrives now is audible.
    """

    def __init__(self, now: Callable[[], float], live: Callable[[], float]) -> None:
        self._now, self._live = now, live
        self._arrived: deque[tuple[float, NoteEvent]] = deque(maxlen=_MOST)
        self._soon: deque[tuple[float, NoteEvent]] = deque()
        self._offset: float | None = None  # from a note's own time to `now`, when audible
        self._last = -math.inf
        self._down: set[int] = set()

    def note(self, note: NoteEvent) -> None:
        """Any thread: queue a note that goes to the output now."""
        self._arrived.append((self._now(), note))

    def due(self) -> list[Message]:
        """The messages due by now, on channel 1."""
        self._time()
        now, messages = self._now(), []
        while self._soon and (self._soon[0][0] <= now or len(self._soon) > _MOST):
            messages += self._message(self._soon.popleft()[1])
        return messages

    @property
    def next_due(self) -> float | None:
        """The time of the next message."""
        self._time()
        return self._soon[0][0] if self._soon else None

    def _time(self) -> None:
        """Set the times of the notes that arrived.

        They arrive once per period of the mixer, so their own clock sets their times, which follows
        ours slowly.
        """
        if not self._arrived:
            return
        live = self._live()
        while self._arrived:
            at, note = self._arrived.popleft()
            offset = at + live - note.seconds
            if self._offset is None or abs(offset - self._offset) > _JUMP:
                self._offset = offset
            else:
                self._offset += _FOLLOW * (offset - self._offset)
            # Never before an earlier note: a note-off would come before its note-on.
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

    def all_notes_off(self) -> list[Message]:
        """Drop waiting notes, and return note-offs for all that sound."""
        self._arrived.clear()
        self._soon.clear()
        down, self._down = sorted(self._down), set()
        ups = [_key(pitch, 0) for pitch in down]
        return [*ups, cast(Message, mido.Message("control_change", control=_ALL_OFF, value=0))]


def _key(pitch: int, velocity: int) -> Message:
    """A note-on, or with velocity 0 a note-off."""
    kind = "note_on" if velocity else "note_off"
    return cast(Message, mido.Message(kind, note=pitch, velocity=velocity))
