"""Punches: actions that wait for the beat or the bar, when the control `quantise` asks for it.

Whoever has an action to carry out (OSC, MIDI) hands it over with `Punches.at`. What waits is
looked after by one small thread, which is there only while something waits: no caller has a loop
that is as exact, and MIDI and OSC must be able to replace each other's punches. Actions run in that
thread, or at once in the caller's when nothing is to be waited for; they must not wait.

A punch aims at when it is *heard*. Each of its parts tells with `ahead` the seconds from acting to
hearing, and is carried out so long before the beat: `until_block` for what enters with the next
block, `until_output` for what enters in the mixer. The beat is the first that all parts can still
reach. Times are seconds of `time.monotonic`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from engine.errors import AttaccaError
from engine.tempo import Quantise, Tempo, Timeline

if TYPE_CHECKING:
    from engine.instrument import Instrument

__all__ = [
    "RECALL",
    "RECORD",
    "RESET",
    "Part",
    "Punches",
    "until_block",
    "until_output",
    "until_recorded",
]

# Keys that OSC and MIDI share, so that a press on one replaces that on the other.
RECALL, RESET, RECORD = "recall", "reset", "record"

_ON_IT = 0.03  # seconds: pressed so little after the beat, it is meant to be on it
_LEAP = 0.125  # beats: a timeline that leaps further is another one, and aimed at anew
_LOOK = 0.01  # seconds between two looks at the timeline and at what is ahead
_log = logging.getLogger("attacca.punches")


def until_block(instrument: Instrument) -> float:
    """Seconds until what is set now is heard, of what enters with a block.

    A block that begins up to 30 ms before the beat counts as on it.
    """
    played, begins = instrument.horizon()
    return max(0.0, begins - played) + until_output(instrument) + _ON_IT


def until_output(instrument: Instrument) -> float:
    """Seconds until what the mixer does now is heard."""
    try:
        return instrument.latencies().live
    except AttaccaError:  # it has been closed
        return 0.0


def until_recorded(instrument: Instrument) -> float:
    """Seconds until what goes into a recording now is heard."""
    try:
        parts = instrument.latencies()
    except AttaccaError:
        return 0.0
    return parts.device + parts.ring


@dataclass(frozen=True)
class Part:
    """What is carried out, and how long before it is heard."""

    action: Callable[[], object]
    ahead: Callable[[], float] = lambda: 0.0


@dataclass(eq=False)
class _Punch:
    """`beat` is aimed at, on a timeline as it was looked at last."""

    parts: list[Part]
    quantise: Quantise
    timeline: Timeline
    dropped: Callable[[], object]
    beat: float = field(init=False)

    def aim(self, now: float) -> None:
        lead = max(part.ahead() for part in self.parts)
        self.beat = self.timeline.next_beat(self.quantise, now + lead - _ON_IT)

    def looked(self, timeline: Timeline, now: float) -> float:
        """Take a newer timeline; returns seconds until it is to be heard."""
        leap = abs(timeline.beat_at(now) - self.timeline.beat_at(now))
        turned = leap > _LEAP or timeline.quantum != self.timeline.quantum
        self.timeline = timeline
        if turned:
            self.aim(now)
        return self.left(now)

    def left(self, now: float) -> float:
        return self.timeline.time_of(self.beat) - now


class Punches:
    """What waits for the beat of one instrument.

    Parameters
    ----------
    tempo : tells the beat.
    quantise : tells what is waited for: "off", "beat" or "bar".
    say : tells a performer, by kind and text, why an action could not be carried out.
    now : seconds of `time.monotonic`.
    """

    def __init__(
        self,
        tempo: Tempo,
        quantise: Callable[[], object],
        say: Callable[[str, str], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tempo, self._quantise, self._say, self._now = tempo, quantise, say, now
        self._waiting: dict[str, _Punch] = {}
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self.faults = 0  # actions that ended in a defect; they are in the log

    def at(self, key: str, *parts: Part, dropped: Callable[[], object] = lambda: None) -> float:
        """Carry out `parts` so that they are heard on the next beat or bar; with "off" at once.

        What waits under the same `key` is replaced: its `dropped` is called, and what of it was not
        yet carried out never is.

        Returns
        -------
        seconds until it is heard; 0 with "off".

        Raises
        ------
        AttaccaError
            With "off", of the action. Of one that waited it is said.
        """
        quantise = cast(Quantise, self._quantise())
        self.cancel(key)
        if quantise == "off":
            for part in parts:
                part.action()
            return 0.0
        now = self._now()
        punch = _Punch(list(parts), quantise, self._tempo.timeline(now), dropped)
        punch.aim(now)
        with self._turn:
            self._waiting[key] = punch
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="attacca-punches", daemon=True
                )
                self._thread.start()
            else:
                self._turn.notify()
        return max(0.0, punch.left(now))

    def cancel(self, key: str) -> bool:
        """Drop what waits under `key`. Returns whether anything did."""
        with self._turn:
            punch = self._waiting.pop(key, None)
        if punch is not None:
            punch.dropped()
        return punch is not None

    def clear(self) -> None:
        """Drop everything that waits."""
        for key in list(self._waiting):
            self.cancel(key)

    def waiting(self) -> Mapping[str, float]:
        """What waits, and the seconds until it is heard."""
        now = self._now()
        with self._turn:
            return {key: punch.left(now) for key, punch in self._waiting.items()}

    def _run(self) -> None:
        while True:
            # None of these may be asked under the lock: they take the instrument's.
            now = self._now()
            timeline, off = self._tempo.timeline(now), self._quantise() == "off"
            with self._turn:
                waiting = dict(self._waiting)
                if not waiting:
                    self._thread = None
                    return
            sleep = _LOOK
            for key, punch in waiting.items():
                left = punch.looked(timeline, now)
                for part in list(punch.parts):
                    wait = left - part.ahead()
                    if wait <= 0 or off:
                        self._carry_out(key, punch, part)
                    else:
                        sleep = min(sleep, wait)
            with self._turn:
                if self._waiting:
                    self._turn.wait(sleep)

    def _carry_out(self, key: str, punch: _Punch, part: Part) -> None:
        with self._turn:
            if self._waiting.get(key) is not punch:  # replaced meanwhile
                return
            punch.parts.remove(part)
            if not punch.parts:
                del self._waiting[key]
        try:
            part.action()
        except AttaccaError as error:
            self._say("punch", str(error))
        except Exception:  # a defect of ours: counted, and what else waits goes on
            self.faults += 1
            _log.exception("punch: %s", key)
