"""Notes that are made and not yet heard. Guarded by the lead's lock, but for `tell`.

`add` and `drop` are called for the feeder, `passed` and `tell` by the mixer.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from engine.notes.timed_note import TimedNote

_MOST = 100_000  # notes in the queue; more are a pack gone astray


class PendingNotes:
    """A queue by time, which lets no key stick: what goes down comes up, whatever is dropped.

    Parameters
    ----------
    heard : called with the notes that have become due.
    """

    def __init__(self, heard: Callable[[tuple[TimedNote, ...]], None] | None) -> None:
        self._heard = heard
        self._queue: list[tuple[int, int, int]] = []  # frame, velocity, pitch: ups come first
        self._now = 0
        self._down: set[int] = set()
        self._dropped = False

    def add(self, notes: tuple[TimedNote, ...], after: int) -> None:
        """Queue notes timed from `after` frames past what has been pulled."""
        for n in notes:
            if len(self._queue) < _MOST:
                heappush(self._queue, (self._now + after + n.offset, n.velocity, n.pitch))

    def take_back(self, after: int) -> None:
        """Forget what begins from `after` frames past what has been pulled: it is made anew."""
        begin = self._now + after
        self._queue = [n for n in self._queue if n[0] < begin or not n[1]]
        heapify(self._queue)

    def drop(self) -> None:
        """Forget what is unheard; what sounds is let go with the next `passed`."""
        self._queue.clear()
        self._dropped = True

    def end(self, after: int) -> None:
        """Drop what lies beyond `after` frames past what has been pulled; keys come up there."""
        end = self._now + after
        self._queue = [note for note in self._queue if note[0] < end]
        struck = {pitch for _, velocity, pitch in self._queue if velocity}
        self._queue += [(end, 0, pitch) for pitch in sorted(self._down | struck)]
        heapify(self._queue)

    def passed(self, frames: int) -> tuple[TimedNote, ...]:
        """Go on by `frames`; returns what became due in them, timed from their first."""
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
                continue  # its beginning was dropped, or never heard
            due.append(TimedNote(at, pitch, velocity))
        self._now = end
        return tuple(due)

    def tell(self, due: tuple[TimedNote, ...]) -> None:
        """Hand on what became due, outside of the lock."""
        if due and self._heard is not None:
            self._heard(due)
