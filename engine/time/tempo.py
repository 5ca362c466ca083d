"""The tempo: a timeline of beats and its source: internal, a MIDI clock, or a Link session.

A `Timeline` is immutable and gives the beat at any time of the instrument's clock. `Tempo` has the
present one; any thread may call it. The control bus puts changes of the controls `tempo`, `beats`
and `tempo_source` into a queue. There is no thread: reading the timeline applies the queued
changes, and updates the controls from the source. Beats count from 0; times are in seconds, tempi
in beats per minute.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from engine.controls.bus import PYTHON, TEMPO, Change
from engine.controls.control import Value, as_number
from engine.controls.settings import Settings
from engine.errors import AttaccaError, ConfigError
from engine.time.tempo_map import FASTEST, SLOWEST, Pace
from engine.time.timeline import Quantise, Timeline

__all__ = ["OWN", "Source", "Tempo", "TempoStatus"]

OWN = "own"  # the value of the control tempo_source for the internal tempo
_SHOWN = 0.05  # BPM: smaller differences do not update the control
_LONGEST_TAP = 3.0  # seconds: the slowest tempo is 20 BPM
_TAPS = 8
_CONTROLS = frozenset({"tempo", "beats", "tempo_source"})


class Source(Protocol):
    """An external source of beats. Only `Tempo` calls it, under its lock; it must not wait."""

    def open(self, timeline: Timeline) -> None:
        """Start to follow the source; `timeline` is the present one.

        Raises
        ------
        AttaccaError
            The source is not available.
        """
        ...

    def close(self) -> None:
        """Stop following the source."""
        ...

    def timeline(self, now: float, quantum: int) -> Timeline | None:
        """The timeline of the source; None while it is silent."""
        ...

    def set_bpm(self, bpm: float, now: float) -> bool:
        """Change the tempo of the source; False if it does not allow that."""
        ...

    def start(self, now: float, quantum: int) -> bool:
        """Start a bar at `now`; False if the source does not allow that."""
        ...

    @property
    def peers(self) -> int:
        """The number of other participants."""
        ...


@dataclass(frozen=True)
class TempoStatus:
    """The tempo, its source, the other participants, and whether the source is received."""

    bpm: float
    source: str
    peers: int
    locked: bool


class Tempo:
    """The tempo of one instrument.

    Parameters
    ----------
    settings : the initial controls.
    show : updates controls from the source: called with values by name, and with the settings that
        they replace, or None to replace any.
    on_event : called with (kind, text) for the performer.
    now : seconds of the instrument's clock.
    """

    def __init__(
        self,
        settings: Settings,
        show: Callable[[Mapping[str, Value], Settings | None], object],
        on_event: Callable[[str, str], object],
        now: Callable[[], float],
    ) -> None:
        self._settings, self._show, self._on_event, self._now = settings, show, on_event, now
        self._changes: deque[Change] = deque()
        self._lock = threading.RLock()
        self._sources: dict[str, Source] = {}
        self._source: Source | None = None
        self._following = OWN
        self._locked = False
        self._shown = settings.number("tempo")  # what the control shows
        self._timeline = Timeline(0.0, now(), self._shown, int(settings.number("beats")))
        if settings["tempo_source"] != OWN:
            values = {"tempo_source": settings["tempo_source"]}
            self._changes.append(Change(PYTHON, {}, values, settings))
        self._taps: deque[float] = deque(maxlen=_TAPS)

    def attach(self, name: str, source: Source) -> None:
        """Add the source `name` (`midi` or `link`) of the control `tempo_source`."""
        with self._lock:
            self._sources[name] = source

    def add_change(self, change: Change) -> None:
        """Queue a change of controls; reading the timeline applies it."""
        if not _CONTROLS.isdisjoint(change.new):
            self._changes.append(change)

    def close(self) -> None:
        """Stop following a source."""
        with self._lock:
            self._leave()
            self._following = OWN

    # ------------------------------------------------------------------ reading

    def timeline(self, now: float | None = None) -> Timeline:
        """The present timeline, after applying queued changes."""
        events: list[str] = []
        with self._lock:
            shown = self._update(self._now() if now is None else now, events)
            found, settings = self._timeline, self._settings
        # Without the lock: both call the instrument.
        for text in events:
            self._on_event("tempo", text)
        if shown:
            self._show(shown, settings)
        return found

    def pace(self) -> Pace:
        """Tempo and metre as of now, for the beats that a block is the first to need."""
        now = self.timeline()
        return Pace(min(max(now.bpm, SLOWEST), FASTEST), now.quantum)

    def seconds_until(self, quantise: Quantise, now: float | None = None) -> float:
        """Seconds until the next beat or bar."""
        now = self._now() if now is None else now
        return self.timeline(now).seconds_until(quantise, now)

    def status(self) -> TempoStatus:
        """The present values."""
        bpm = self.timeline().bpm
        with self._lock:
            source = self._source
            return TempoStatus(
                bpm, self._following, source.peers if source is not None else 0,
                source is None or self._locked,
            )  # fmt: skip

    # ------------------------------------------------------------------ changing

    def tap(self, now: float | None = None) -> float | None:
        """Tap a beat. From the second tap on it sets the tempo, and returns it.

        With the internal tempo, the tap is also on a beat from then on.

        Raises
        ------
        ConfigError
            The tempo comes from a MIDI clock.
        """
        now = self._now() if now is None else now
        self.timeline(now)
        with self._lock:
            if self._taps and not 0 < now - self._taps[-1] <= _LONGEST_TAP:
                self._taps.clear()
            self._taps.append(now)
            if len(self._taps) < 2:
                return None
            mean = (now - self._taps[0]) / (len(self._taps) - 1)
            bpm = self._in_range(round(60.0 / mean, 1))
            if self._source is None or not self._locked:
                self._timeline = Timeline(
                    float(round(self._timeline.beat_at(now))), now, bpm, self._timeline.quantum
                )
                self._shown = bpm
            elif self._source.set_bpm(bpm, now):
                self._shown = bpm
            else:
                raise ConfigError("tap: the tempo comes from the MIDI clock; turn it there")
        self._show({"tempo": bpm}, None)
        return bpm

    def start(self, now: float | None = None) -> None:
        """Start a bar now. A Link session with other participants keeps its bars.

        Raises
        ------
        ConfigError
            The beat comes from a MIDI clock.
        """
        now = self._now() if now is None else now
        self.timeline(now)
        with self._lock:
            quantum = self._timeline.quantum
            if self._source is None or not self._locked:
                self._timeline = replace(self._timeline, beat=0.0, at=now)
            elif not self._source.start(now, quantum):
                raise ConfigError("downbeat: the beat comes from the MIDI clock; start it there")

    def go_to(self, timeline: Timeline) -> bool:
        """Continue by this timeline; False if the tempo follows another source, which stays."""
        self.timeline()
        with self._lock:
            if self._source is not None:
                return False
            bpm = self._in_range(timeline.bpm)
            self._timeline = replace(timeline, bpm=bpm)
            self._shown = bpm
        self._show({"tempo": bpm, "beats": timeline.quantum}, None)
        return True

    # ------------------------------------------------------------------ inside the lock

    def _in_range(self, bpm: float) -> float:
        control = self._settings.table["tempo"]
        return min(max(bpm, control.low), control.high)

    def _update(self, now: float, events: list[str]) -> Mapping[str, Value]:
        """Apply queued changes; returns the values that the controls should show."""
        shown: dict[str, Value] = {}
        while self._changes:
            change = self._changes.popleft()
            self._settings = change.settings
            if change.origin != TEMPO:
                self._apply(change.new, now, events, shown)
        if self._source is not None:
            self._read_source(self._source, now, self._timeline.quantum, events)
            if self._locked and abs(self._timeline.bpm - self._shown) > _SHOWN:
                self._shown = self._in_range(round(self._timeline.bpm, 1))
                if self._shown != self._settings.number("tempo"):
                    shown["tempo"] = self._shown
        return shown

    def _apply(
        self, new: Mapping[str, Value], now: float, events: list[str], shown: dict[str, Value]
    ) -> None:
        """Apply one change of controls."""
        if "tempo_source" in new:
            shown.pop("tempo_source", None)
            problem = self._follow(str(new["tempo_source"]), now)
            if problem:
                events.append(f"{problem}; the tempo stays internal")
                shown["tempo_source"] = OWN
        if "beats" in new:
            self._timeline = replace(self._timeline, quantum=int(as_number(new["beats"])))
        if "tempo" in new:
            self._shown = bpm = as_number(new["tempo"])
            if self._source is None or not self._locked:
                self._timeline = self._timeline.with_tempo(bpm, now)
            if self._source is not None:
                self._source.set_bpm(bpm, now)

    def _read_source(self, source: Source, now: float, quantum: int, events: list[str]) -> None:
        timeline = source.timeline(now, quantum)
        if timeline is not None:
            self._timeline = timeline
            if not self._locked:
                events.append(f"following {self._following} at {timeline.bpm:.1f} BPM")
        elif self._locked:
            events.append(
                f"{self._following} is silent; the tempo stays at {self._timeline.bpm:.1f} BPM"
            )
        self._locked = timeline is not None

    def _follow(self, name: str, now: float) -> str:
        """Follow another source. Returns an error message, or nothing."""
        self._leave()
        self._following = OWN
        if name == OWN:
            return ""
        source = self._sources.get(name)
        if source is None:
            return f"tempo_source: {name} is not available; choose another source"
        try:
            source.open(replace(self._timeline, beat=self._timeline.beat_at(now), at=now))
        except AttaccaError as error:
            return str(error)
        self._source, self._following = source, name
        return ""

    def _leave(self) -> None:
        source, self._source = self._source, None
        self._locked = False
        if source is not None:
            source.close()
