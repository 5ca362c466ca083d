"""The notes of the last seconds made, so that a new generator can go on from them.

The feeder's own. In: notes timed in samples from their block's first one; out: notes in seconds.
"""

from __future__ import annotations

from engine.signal.roll import Note
from engine.stream.timed_note import TimedNote

_REMEMBERED = 20.0  # seconds; more than any pack's context


class RecentNotes:
    """Collects notes block by block.

    Parameters
    ----------
    rate : samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.forget()

    def forget(self) -> None:
        """Nothing was played."""
        self._made = 0  # samples
        self._done: list[tuple[int, int, int, int]] = []  # pitch, velocity, start, end
        self._down: dict[int, tuple[int, int]] = {}  # pitch: velocity, start

    def add(self, notes: tuple[TimedNote, ...], samples: int, rewind: int) -> None:
        """Take the notes of a block of so many samples."""
        begin = self._made - rewind
        if rewind:  # what began there is made anew
            self._done = [n for n in self._done if n[2] < begin]
            self._down = {p: n for p, n in self._down.items() if n[1] < begin}
        for n in notes:
            at = begin + n.offset
            if n.pitch in self._down:
                velocity, start = self._down.pop(n.pitch)
                self._done.append((n.pitch, velocity, start, at))
            if n.velocity:
                self._down[n.pitch] = (n.velocity, at)
        self._made = begin + samples
        oldest = self._made - _REMEMBERED * self._rate
        self._done = [n for n in self._done if n[3] > oldest]

    def notes(self, length: int) -> list[Note]:
        """The notes of the last `length` samples, timed in seconds from the first of them."""
        first, rate = self._made - length, self._rate
        down = [(p, v, start, self._made + rate) for p, (v, start) in self._down.items()]
        return [
            Note(p, v, (start - first) / rate, (end - first) / rate)
            for p, v, start, end in sorted(self._done + down, key=lambda n: n[2])
            if end > first and start < self._made
        ]
