"""Notes that are generated but not yet audible. The lead's lock guards all but `publish`.

The feeder calls `add`, `withdraw`, `drop` and `end`; the mixer calls `advance` and `publish`.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from engine.notes.timed_note import TimedNote

_MOST = 100_000  # notes in the queue; only a defective pack has more


class PendingNotes:
    """A queue of notes by time. Every key that goes down comes up, whatever is dropped.

    Parameters
    ----------
    on_notes : called with the notes that became due.
    """

    def __init__(self, on_notes: Callable[[tuple[TimedNote, ...]], None] | None) -> None:
        self._on_notes = on_notes
        self._queue: list[tuple[int, int, int]] = []  # frame, velocity, pitch: releases come first
        self._now = 0
        self._down: set[int] = set()
        self._dropped = False

    def add(self, notes: tuple[TimedNote, ...], after: int) -> None:
        """Queue notes timed from `after` frames past the pulled ones."""
        for n in notes:
            if len(self._queue) < _MOST:
                heappush(self._queue, (self._now + after + n.offset, n.velocity, n.pitch))

    def withdraw(self, after: int) -> None:
        """Remove notes from `after` frames past the pulled ones: another block replaces them."""
        begin = self._now + after
        self._queue = [n for n in self._queue if n[0] < begin or not n[1]]
        heapify(self._queue)

    def drop(self) -> None:
        """Remove all notes; keys that are down are released by the next `advance`."""
        self._queue.clear()
        self._dropped = True

    def end(self, after: int) -> None:
        """Remove notes beyond `after` frames past the pulled ones, and release all keys there."""
        end = self._now + after
        self._queue = [note for note in self._queue if note[0] < end]
        struck = {pitch for _, velocity, pitch in self._queue if velocity}
        self._queue += [(end, 0, pitch) for pitch in sorted(self._down | struck)]
        heapify(self._queue)

    def advance(self, frames: int) -> tuple[TimedNote, ...]:
        """Go on by `frames`; returns the notes due in them, timed from the first frame."""
        due: list[TimedNote] = []
        if self._dropped:
            self._dropped = False
            due += [TimedNote(0, pitch, 0) for pitch in sorted(self._down)]
            self._down.clear()
        end = self._now + frames
        while self._queue and self._queue[0][0] < end:
            frame, velocity, pitch = heappop(self._queue)
            at = max(0, frame - self._now)
            if velocity:
                if pitch in self._down:
                    due.append(TimedNote(at, pitch, 0))
                self._down.add(pitch)
            elif pitch in self._down:
                self._down.discard(pitch)
            else:
                continue  # its onset was dropped
            due.append(TimedNote(at, pitch, velocity))
        self._now = end
        return tuple(due)

    def publish(self, due: tuple[TimedNote, ...]) -> None:
        """Send on the notes that became due; call it without the lock."""
        if due and self._on_notes is not None:
            self._on_notes(due)
