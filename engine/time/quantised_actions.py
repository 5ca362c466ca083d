"""Quantised actions: they wait for the beat or the bar when the control `quantise` asks for it.

OSC and MIDI hand an action over with `QuantisedActions.at`. One small thread, which exists only
while something waits, carries actions out; so OSC and MIDI can replace each other's actions, and
neither needs a loop that is as exact. Without quantising, actions run at once in the caller's
thread. They must not wait.

An action aims at when it is *audible*. Each of its parts has a `delay`, the seconds from carrying
it out to when it is audible, and is carried out so long before the beat: `until_block` for what
enters with the next block, `until_output` for what enters in the mixer. The beat is the first that
all parts can still reach. Times are seconds of the instrument's clock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from engine.errors import AttaccaError
from engine.time.clock import Clock
from engine.time.latencies import Latencies
from engine.time.tempo import Quantise, Tempo
from engine.time.timeline import Timeline

__all__ = [
    "ON_THE_BEAT",
    "RECALL",
    "RECORD",
    "RESET",
    "SNAPSHOT",
    "AimedPart",
    "Delays",
    "Part",
    "QuantisedActions",
    "until_block",
    "until_output",
    "until_recorded",
]

# Keys that OSC and MIDI share, so that a press on one replaces that on the other.
RECALL, RESET, RECORD, SNAPSHOT = "recall", "reset", "record", "snapshot"

ON_THE_BEAT = 0.03  # seconds: an action this little after the beat is meant to be on it
_JUMP = 0.125  # beats: a timeline that jumps further is another one; actions aim again
_LOOK = 0.01  # seconds between looks at the timeline and at the delays
_log = logging.getLogger("attacca.quantised_actions")


class Delays(Protocol):
    """What an instrument knows of its own delays."""

    def horizon(self) -> tuple[float, float]:
        """Seconds of music played, and from where on what is set now will sound."""
        ...

    def latencies(self) -> Latencies:
        """Output latency by parts."""
        ...


def until_block(instrument: Delays) -> float:
    """Seconds until what is set now is audible, if it enters with a block.

    A block that begins up to 30 ms before the beat counts as on it.
    """
    played, begins = instrument.horizon()
    return max(0.0, begins - played) + until_output(instrument) + ON_THE_BEAT


def until_output(instrument: Delays) -> float:
    """Seconds until what the mixer does now is audible."""
    try:
        return instrument.latencies().live
    except AttaccaError:  # it has been closed
        return 0.0


def until_recorded(instrument: Delays) -> float:
    """Seconds until what goes into a recording now is audible."""
    try:
        parts = instrument.latencies()
    except AttaccaError:
        return 0.0
    return parts.device + parts.ring


@dataclass(frozen=True)
class Part:
    """What is carried out, and the seconds from then until it is audible."""

    action: Callable[[], object]
    delay: Callable[[], float] = lambda: 0.0

    def carry_out(self, at: float) -> None:
        """Carry it out; it should be audible `at`."""
        self.action()


@dataclass(frozen=True)
class AimedPart:
    """The same for an action that takes the time at which it should be audible."""

    action: Callable[[float], object]
    delay: Callable[[], float] = lambda: 0.0

    def carry_out(self, at: float) -> None:
        """Carry it out; it should be audible `at`."""
        self.action(at)


@dataclass(eq=False)
class _Waiting:
    """An action that aims at `beat`, on the timeline of the last look."""

    parts: list[Part | AimedPart]
    quantise: Quantise
    timeline: Timeline
    dropped: Callable[[], object]
    is_own: bool  # it waits for what it says, not for what the control says
    beat: float = field(init=False)

    def aim(self, now: float) -> None:
        delay = max(part.delay() for part in self.parts)
        self.beat = self.timeline.next_beat(self.quantise, now + delay - ON_THE_BEAT)

    def looked(self, timeline: Timeline, now: float) -> float:
        """Take a newer timeline; returns seconds until the action should be audible."""
        jump = abs(timeline.beat_at(now) - self.timeline.beat_at(now))
        another = jump > _JUMP or timeline.quantum != self.timeline.quantum
        self.timeline = timeline
        if another:
            self.aim(now)
        return self.left(now)

    def left(self, now: float) -> float:
        return self.timeline.time_of(self.beat) - now


class QuantisedActions:
    """The actions of one instrument that wait for the beat.

    Parameters
    ----------
    tempo : of the beat.
    quantise : returns what actions wait for: "off", "beat" or "bar".
    on_event : called with kind and text when an action could not be carried out.
    clock : of the tempo.

    Attributes
    ----------
    faults : actions that ended in a defect; the log has them.
    """

    def __init__(
        self,
        tempo: Tempo,
        quantise: Callable[[], object],
        on_event: Callable[[str, str], object],
        clock: Clock,
    ) -> None:
        self._tempo, self._quantise, self._on_event, self._clock = tempo, quantise, on_event, clock
        self._waiting: dict[str, _Waiting] = {}
        self._changed = clock.condition()
        self._thread: threading.Thread | None = None
        self.faults = 0

    def at(
        self,
        key: str,
        *parts: Part | AimedPart,
        dropped: Callable[[], object] = lambda: None,
        quantise: Quantise | None = None,
    ) -> float:
        """Carry out `parts` so that they are audible on the next beat or bar; with "off" at once.

        An action that waits under the same `key` is replaced: its `dropped` is called, and those
        of its parts that were not carried out yet never are.

        Parameters
        ----------
        quantise : what it waits for; by default what the control says.

        Returns
        -------
        Seconds until it is audible; 0 with "off".

        Raises
        ------
        AttaccaError
            Of the action, with "off". An action that waited reports it through `on_event`.
        """
        until = cast(Quantise, self._quantise()) if quantise is None else quantise
        self.cancel(key)
        if until == "off":
            for part in parts:
                part.carry_out(self._clock.now())
            return 0.0
        now = self._clock.now()
        timeline = self._tempo.timeline(now)
        waiting = _Waiting(list(parts), until, timeline, dropped, quantise is not None)
        waiting.aim(now)
        with self._changed:
            self._waiting[key] = waiting
            if self._thread is None:
                self._thread = self._clock.thread(self._run, "attacca-quantised-actions")
                self._thread.start()
            else:
                self._changed.notify_all()
        return max(0.0, waiting.left(now))

    def cancel(self, key: str) -> bool:
        """Drop the action that waits under `key`. Returns whether one did."""
        with self._changed:
            waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.dropped()
        return waiting is not None

    def clear(self) -> None:
        """Drop everything that waits."""
        for key in list(self._waiting):
            self.cancel(key)

    def waiting(self) -> Mapping[str, float]:
        """The keys of the actions that wait, and the seconds until each is audible."""
        now = self._clock.now()
        with self._changed:
            return {key: action.left(now) for key, action in self._waiting.items()}

    def _run(self) -> None:
        while True:
            # Not under the lock: these take the instrument's.
            now = self._clock.now()
            timeline, off = self._tempo.timeline(now), self._quantise() == "off"
            with self._changed:
                waiting = dict(self._waiting)
                if not waiting:
                    self._thread = None
                    return
            pause = _LOOK
            for key, action in waiting.items():
                left = action.looked(timeline, now)
                for part in list(action.parts):
                    early = left - part.delay()
                    if early <= 0 or (off and not action.is_own):
                        self._carry_out(key, action, part, now + left)
                    else:
                        pause = min(pause, early)
            with self._changed:
                if self._waiting:
                    self._changed.wait(pause)

    def _carry_out(
        self, key: str, waiting: _Waiting, part: Part | AimedPart, at: float
    ) -> None:  # fmt: skip
        with self._changed:
            if self._waiting.get(key) is not waiting:  # replaced meanwhile
                return
            waiting.parts.remove(part)
            if not waiting.parts:
                del self._waiting[key]
        try:
            part.carry_out(at)
        except AttaccaError as error:
            self._on_event("quantised action", str(error))
        except Exception:  # a defect of ours: counted, and what else waits goes on
            self.faults += 1
            _log.exception("quantised action: %s", key)
