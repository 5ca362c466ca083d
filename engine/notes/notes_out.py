"""Notes when they become audible: sent to listeners, collected for a recording, remembered.

`add` runs in the mixer's thread; listeners are called there and must not wait. Times are frames of
the output that the mixer has rendered.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from engine.notes.note import NoteEvent
from engine.notes.notes_file import CollectedNotes
from engine.notes.timed_note import TimedNote

Listener = Callable[[NoteEvent], None]
_NO_STREAM = object()  # after `close`
_MOST_REMEMBERED = 100_000  # events
_Event = tuple[int, int, int]  # frame, pitch, velocity


class _Memory:
    """The events of the last seconds, and the keys that were down before them."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._events: deque[_Event] = deque()
        self._before: dict[int, int] = {}  # pitch -> velocity

    def add(self, event: _Event) -> None:
        self._events.append(event)
        while self._events[0][0] < event[0] - self._frames or len(self._events) > _MOST_REMEMBERED:
            _apply(self._before, self._events.popleft())

    def copy(self) -> tuple[dict[int, int], list[_Event]]:
        """The keys that were down before the events, and the events."""
        return dict(self._before), list(self._events)


def _apply(down: dict[int, int], event: _Event) -> None:
    _, pitch, velocity = event
    if velocity:
        down[pitch] = velocity
    else:
        down.pop(pitch, None)


class NotesOut:
    """Turns notes timed within the pack's samples into notes timed within the output.

    Parameters
    ----------
    rate : frames per second of the output.
    rendered : returns the frames of the output that are rendered so far.
    latency : frames of the output between the mixer's input and the recorded signal.
    remembered : seconds that `between` can look back.
    """

    def __init__(
        self, rate: int, rendered: Callable[[], int], latency: int, remembered: float = 60.0
    ) -> None:
        self._rate, self._rendered, self._latency = rate, rendered, latency
        self._listeners: tuple[Listener, ...] = ()
        self._collected: CollectedNotes | None = None
        self._collected_from = 0
        self._memory = _Memory(round((remembered + 1.0) * rate))
        self._down: dict[int, int] = {}
        self._stream: object | None = None
        self._lock = threading.Lock()

    @property
    def frames(self) -> int:
        """Frames of the output so far."""
        return self._rendered()

    def set_listeners(self, listeners: tuple[Listener, ...]) -> None:
        """Call these from now on, with times in seconds since the mixer started."""
        self._listeners = listeners

    def follow(self, stream: object | None) -> None:
        """Accept notes from this stream only; release the keys that another one holds."""
        with self._lock:
            if stream is not self._stream:
                self._stream = stream
                self._release()

    def release(self) -> None:
        """Release all keys: the sound that holds them is dropped."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        self._publish(tuple(TimedNote(0, p, 0) for p in sorted(self._down)), self._rate)

    def add(self, notes: tuple[TimedNote, ...], rate: int, stream: object | None = None) -> None:
        """Publish the notes of the period that the mixer renders next, in samples at `rate`.

        Notes of any other stream than the followed one are ignored: its sound may still fade out.
        """
        with self._lock:
            if stream is self._stream:
                self._publish(notes, rate)

    def close(self) -> None:
        """Release all keys, and ignore notes that still arrive."""
        self.follow(_NO_STREAM)

    def _publish(self, notes: tuple[TimedNote, ...], rate: int) -> None:
        begin = self._rendered() + self._latency
        for n in notes:
            event = (begin + n.offset * self._rate // rate, n.pitch, n.velocity)
            _apply(self._down, event)
            self._memory.add(event)
            if self._collected is not None:
                self._collected.put(self._timed(event, self._collected_from))
            timed = self._timed(event, 0)
            for listener in self._listeners:
                listener(timed)

    def _timed(self, event: _Event, begin: int) -> NoteEvent:
        frame, pitch, velocity = event
        return NoteEvent(max(0.0, (frame - begin) / self._rate), pitch, velocity)

    # ------------------------------------------------------------------ into files

    def collect(self, collected: CollectedNotes) -> None:
        """Collect notes from now on, beginning with the keys that are down."""
        with self._lock:
            self._collected, self._collected_from = collected, self._rendered()
            for pitch, velocity in self._down.items():
                collected.put(NoteEvent(0.0, pitch, velocity))

    def stop_collecting(self) -> None:
        """Collect no more notes."""
        with self._lock:
            self._collected = None

    def between(self, begin: int, end: int) -> list[NoteEvent]:
        """The notes between two frames of the last seconds, timed in seconds from the first one.

        Keys that were already down go down at 0.
        """
        with self._lock:  # for a copy only: the mixer waits for it
            down, events = self._memory.copy()
        inside: list[_Event] = []
        for event in sorted(events, key=lambda e: e[0]):
            if event[0] < begin:
                _apply(down, event)
            elif event[0] < end:
                inside.append(event)
        first = [(begin, pitch, velocity) for pitch, velocity in down.items()]
        return [self._timed(event, begin) for event in (*first, *inside)]
