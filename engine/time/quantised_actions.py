"""Quantised actions: they wait for the beat or the bar, as the control `quantise` says.

OSC and MIDI schedule an action with `QuantisedActions.at`. One thread, which exists only while
actions are scheduled, carries them out; so OSC and MIDI can replace each other's actions. With
`quantise` off, actions run at once in the caller's thread. They must not wait.

An action should become *audible* on the beat. Each of its parts has a `delay`, the seconds until
its effect is audible, and is carried out that long before the beat: `until_block` for the next
block, `until_output` for the mixer. The action uses the first beat that all parts can reach. Times
are seconds of the instrument's clock.
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

ON_THE_BEAT = 0.03  # seconds: an action this soon after a beat belongs to it
_JUMP = 0.125  # beats: after a larger jump of the timeline, actions choose their beat again
_POLL = 0.01  # seconds between checks of the timeline and the delays
_log = logging.getLogger("attacca.quantised_actions")


class Delays(Protocol):
    """The delays of an instrument."""

    def horizon(self) -> tuple[float, float]:
        """Seconds of music played, and where the first block with the present settings starts."""
        ...

    def latencies(self) -> Latencies:
        """The parts of the latency."""
        ...


def until_block(instrument: Delays) -> float:
    """Seconds until a block control that is set now is audible.

    A block that starts up to 30 ms before the beat counts as on it.
    """
    played, begins = instrument.horizon()
    return max(0.0, begins - played) + until_output(instrument) + ON_THE_BEAT


def until_output(instrument: Delays) -> float:
    """Seconds until a live control that is set now is audible."""
    try:
        return instrument.latencies().live
    except AttaccaError:  # the instrument is closed
        return 0.0


def until_recorded(instrument: Delays) -> float:
    """Seconds until a sample that is recorded now is audible."""
    try:
        parts = instrument.latencies()
    except AttaccaError:
        return 0.0
    return parts.device + parts.ring


@dataclass(frozen=True)
class Part:
    """A part of an action, and the seconds until its effect is audible."""

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
class _Scheduled:
    """A scheduled action and its beat, on the timeline of the last check."""

    parts: list[Part | AimedPart]
    quantise: Quantise
    timeline: Timeline
    on_dropped: Callable[[], object]
    is_own: bool  # it has a quantisation of its own, not that of the control
    beat: float = field(init=False)

    def choose_beat(self, now: float) -> None:
        delay = max(part.delay() for part in self.parts)
        self.beat = self.timeline.next_beat(self.quantise, now + delay - ON_THE_BEAT)

    def update(self, timeline: Timeline, now: float) -> float:
        """Use a newer timeline; returns the seconds until the action should be audible."""
        jump = abs(timeline.beat_at(now) - self.timeline.beat_at(now))
        another = jump > _JUMP or timeline.quantum != self.timeline.quantum
        self.timeline = timeline
        if another:
            self.choose_beat(now)
        return self.left(now)

    def left(self, now: float) -> float:
        return self.timeline.time_of(self.beat) - now


class QuantisedActions:
    """The scheduled actions of one instrument.

    Parameters
    ----------
    tempo : of the beat.
    quantise : returns what actions wait for: "off", "beat" or "bar".
    on_event : called with kind and text when an action fails.
    clock : of the tempo.

    Attributes
    ----------
    faults : actions that failed because of a defect; the log describes them.
    """

    def __init__(
        self,
        tempo: Tempo,
        quantise: Callable[[], object],
        on_event: Callable[[str, str], object],
        clock: Clock,
    ) -> None:
        self._tempo, self._quantise, self._on_event, self._clock = tempo, quantise, on_event, clock
        self._waiting: dict[str, _Scheduled] = {}
        self._changed = clock.condition()
        self._thread: threading.Thread | None = None
        self.faults = 0

    def at(
        self,
        key: str,
        *parts: Part | AimedPart,
        on_dropped: Callable[[], object] = lambda: None,
        quantise: Quantise | None = None,
    ) -> float:
        """Carry out `parts` so that they are audible on the next beat or bar; with "off" at once.

        It replaces an action with the same `key`: parts that are not carried out yet are dropped,
        and its `on_dropped` is called.

        Parameters
        ----------
        quantise : what it waits for; by default what the control says.

        Returns
        -------
        Seconds until it is audible; 0 with "off".

        Raises
        ------
        AttaccaError
            From the action, with "off". A scheduled action reports it through `on_event`.
        """
        until = cast(Quantise, self._quantise()) if quantise is None else quantise
        self.cancel(key)
        if until == "off":
            for part in parts:
                part.carry_out(self._clock.now())
            return 0.0
        now = self._clock.now()
        timeline = self._tempo.timeline(now)
        waiting = _Scheduled(list(parts), until, timeline, on_dropped, quantise is not None)
        waiting.choose_beat(now)
        with self._changed:
            self._waiting[key] = waiting
            if self._thread is None:
                self._thread = self._clock.thread(self._run, "attacca-quantised-actions")
                self._thread.start()
            else:
                self._changed.notify_all()
        return max(0.0, waiting.left(now))

    def cancel(self, key: str) -> bool:
        """Drop the action with this `key`. Returns whether there was one."""
        with self._changed:
            waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.on_dropped()
        return waiting is not None

    def clear(self) -> None:
        """Drop all scheduled actions."""
        for key in list(self._waiting):
            self.cancel(key)

    def waiting(self) -> Mapping[str, float]:
        """The keys of the scheduled actions, and the seconds until each is audible."""
        now = self._clock.now()
        with self._changed:
            return {key: action.left(now) for key, action in self._waiting.items()}

    def _run(self) -> None:
        while True:
            # Without the lock: these acquire the instrument's.
            now = self._clock.now()
            timeline, off = self._tempo.timeline(now), self._quantise() == "off"
            with self._changed:
                waiting = dict(self._waiting)
                if not waiting:
                    self._thread = None
                    return
            pause = _POLL
            for key, action in waiting.items():
                left = action.update(timeline, now)
                for part in list(action.parts):
                    early = left - part.delay()
                    if early <= 0 or (off and not action.is_own):
                        self._carry_out(key, action, part, now + left)
                    else:
                        pause = min(pause, early)
            with self._changed:
                if self._waiting:
                    self._changed.wait(pause)

    def _carry_out(self, key: str, waiting: _Scheduled, part: Part | AimedPart, at: float) -> None:
        with self._changed:
            if self._waiting.get(key) is not waiting:  # replaced in the meantime
                return
            waiting.parts.remove(part)
            if not waiting.parts:
                del self._waiting[key]
        try:
            part.carry_out(at)
        except AttaccaError as error:
            self._on_event("quantised action", str(error))
        except Exception:  # a defect: count it, and continue with other actions
            self.faults += 1
            _log.exception("quantised action: %s", key)
