"""MIDI clock as a tempo source: 24 messages per beat, smoothed by a delay-locked loop.

`take` is called with every real-time message and its arrival time, in the thread of the MIDI ports;
`engine.time.tempo.Tempo` calls the rest, in any thread. They share one immutable value.
Times are seconds of the instrument's clock, periods seconds a message.

The loop is that of F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005: the
error e of a predicted arrival corrects the time by sqrt(2) w e and the period by w^2 e, where
w = 2 pi bandwidth / rate. Here w begins wide and narrows, so that the tempo is there within half a
beat and steady within some.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from engine.time.timeline import Timeline
from midi.message import Message

__all__ = ["LOST", "Leader", "MidiClock"]

LOST = 2.0  # seconds without a message: the clock is gone
_PER_BEAT = 24  # clock messages
_PER_SIXTEENTH = 6  # song positions count sixteenths
_NARROWEST = 0.02  # w: 0.15 Hz at 120 BPM, a time constant of about two beats
_SURE = 12  # messages until the tempo is known
_STRAY = 0.04  # seconds: a larger deviation is not jitter
_STRAYS = 3  # so many of these in a row are another tempo
_SHORTEST, _LONGEST = 60 / (999 * _PER_BEAT), 60 / (15 * _PER_BEAT)


class _Loop:
    """The delay-locked loop: filtered times of what comes at a steady pace."""

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque(maxlen=_STRAYS + 1)
        self._strays = 0
        self.count = 0  # messages since the start or restart
        self.time = 0.0  # of the last message, filtered
        self.period = 0.0

    def arrived(self, at: float) -> None:
        """Process the arrival time of the next message."""
        self._arrivals.append(at)
        self.count += 1
        if self.count == 1:
            self.time = at
            return
        if self.count == 2:
            self.period, self.time = _bounded(at - self.time), at
            return
        predicted = self.time + self.period
        error = at - predicted
        if abs(error) > max(_STRAY, 1.5 * self.period):
            self._strays += 1
            if self._strays < _STRAYS:
                self.time = predicted  # a single delayed message
                return
            self._restart()
            return
        self._strays = 0
        w = max(_NARROWEST, 1.0 / self.count)
        self.time = predicted + math.sqrt(2.0) * w * error
        self.period = _bounded(self.period + w * w * error)

    def _restart(self) -> None:
        first, last = self._arrivals[0], self._arrivals[-1]
        self.period = _bounded((last - first) / (len(self._arrivals) - 1))
        self.time, self.count, self._strays = last, 2, 0


class Leader:
    """Chooses the port whose clock is followed: the first one, until it is silent for 2 s.

    Two clocks at once would double the tempo, and one program may reach Attacca on two paths:
    through its own port, and through Attacca's.
    """

    def __init__(self) -> None:
        self._port: str | None = None
        self._at = -math.inf

    def leads(self, port: str, kind: str, at: float) -> bool:
        """Whether to follow a message of that kind from that port at that time."""
        if port != self._port and at - self._at <= LOST:
            return False
        if kind == "clock":
            self._port, self._at = port, at
        return True


@dataclass(frozen=True)
class _State:
    """The shared value: the last message, its time, and the period."""

    tick: int
    at: float
    period: float
    arrived: float
    sure: bool


class MidiClock:
    """Follows the clock messages passed to `take`.

    Parameters
    ----------
    now : the instrument's clock in seconds, also used for arrival times.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._loop = _Loop()
        self._tick = -1  # number of the last clock message since the start of the song
        self._next: int | None = None  # number of the next one, after a start or a song position
        self._stopped: int | None = None  # where to continue after a stop
        self._state: _State | None = None

    # ------------------------------------------------------------------ the ports' thread

    def take(self, message: Message, at: float) -> None:
        """Handle a real-time message or song position that arrived at `at`; ignore others."""
        kind = message.type
        if kind == "clock":
            self._clock(at)
        elif kind == "start":
            self._next = 0
        elif kind == "songpos":
            self._next = int(message.pos) * _PER_SIXTEENTH
        elif kind == "stop":
            self._stopped = self._tick + 1
        elif kind == "continue" and self._next is None:
            self._next = self._stopped

    def _clock(self, at: float) -> None:
        state = self._state
        if state is not None and not 0 <= at - state.arrived <= LOST:
            self._loop = _Loop()
        self._loop.arrived(at)
        self._tick = self._tick + 1 if self._next is None else self._next
        self._next = None
        loop = self._loop
        self._state = _State(
            self._tick, loop.time, loop.period, at,
            loop.count >= _SURE or (state is not None and state.sure and loop.count >= 2),
        )  # fmt: skip

    # ------------------------------------------------------------------ a source of Tempo

    def open(self, timeline: Timeline) -> None:
        """Do nothing: the clock is always received."""

    def close(self) -> None:
        """Do nothing."""

    def timeline(self, now: float, quantum: int) -> Timeline | None:
        """The clock's timeline; None until it is stable, and after 2 s of silence."""
        state = self._state
        if state is None or not state.sure or now - state.arrived > LOST:
            return None
        bpm = 60.0 / (_PER_BEAT * state.period)
        return Timeline(state.tick / _PER_BEAT, state.at, bpm, quantum)

    def set_bpm(self, bpm: float, now: float) -> bool:
        """Refuse: an external clock sets its own tempo."""
        return False

    def start(self, now: float, quantum: int) -> bool:
        """Refuse: an external clock sets its own bars."""
        return False

    @property
    def peers(self) -> int:
        """1 while a clock is received."""
        return int(self.timeline(self._now(), 1) is not None)


def _bounded(period: float) -> float:
    return min(max(period, _SHORTEST), _LONGEST)
