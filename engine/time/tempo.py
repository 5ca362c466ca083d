"""The beat: a timeline of beats, and whom it follows: itself, a MIDI clock, or a Link session.

A `Timeline` is immutable and says which beat it is at any time of `time.monotonic`. `Tempo` holds
the present one; any thread may call it. Changes of the controls `tempo`, `beats` and `tempo_source`
arrive from the control bus and wait in a queue; nothing here runs by itself: whoever asks for the
timeline applies them, and shows in the controls what is followed. Beats are counted from 0; times
are in seconds, tempi in beats per minute.
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

OWN = "own"  # what the control tempo_source says when nothing is followed
_SHOWN = 0.05  # BPM: a session's tempo that differs by less is not told anew
_LONGEST_TAP = 3.0  # seconds: the tempo is 20 at least
_TAPS = 8
_CONTROLS = frozenset({"tempo", "beats", "tempo_source"})


class Source(Protocol):
    """A beat that comes from elsewhere. Called by `Tempo` only, under its lock; must not wait."""

    def open(self, timeline: Timeline) -> None:
        """It is followed from now on; `timeline` is what was so far.

        Raises
        ------
        AttaccaError
            It cannot be; in one line.
        """
        ...

    def close(self) -> None:
        """It is followed no longer."""
        ...

    def timeline(self, now: float, quantum: int) -> Timeline | None:
        """Where it is; None while there is nothing to follow."""
        ...

    def set_bpm(self, bpm: float, now: float) -> bool:
        """Change its tempo; False where it takes none from us."""
        ...

    def start(self, now: float, quantum: int) -> bool:
        """Ask for a bar to begin at `now`; False where it takes none from us."""
        ...

    @property
    def peers(self) -> int:
        """Others who take part."""
        ...


@dataclass(frozen=True)
class TempoStatus:
    """What is shown: the tempo, whom it comes from, others in the session, whether it is heard."""

    bpm: float
    source: str
    peers: int
    locked: bool


class Tempo:
    """The beat of one instrument.

    Parameters
    ----------
    settings : the controls at the start.
    show : sets controls to what is followed: values by name, and the settings that they replace,
        or None to replace any.
    on_event : tells a performer, by kind and text.
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
            wanted = {"tempo_source": settings["tempo_source"]}
            self._changes.append(Change(PYTHON, {}, wanted, settings))
        self._taps: deque[float] = deque(maxlen=_TAPS)

    def attach(self, name: str, source: Source) -> None:
        """Have `tempo_source` take `name` (`midi` or `link`)."""
        with self._lock:
            self._sources[name] = source

    def take_change(self, change: Change) -> None:
        """A change of controls, from the bus; it is applied when the timeline is asked for."""
        if not _CONTROLS.isdisjoint(change.new):
            self._changes.append(change)

    def close(self) -> None:
        """Follow nothing any longer."""
        with self._lock:
            self._leave()
            self._following = OWN

    # ------------------------------------------------------------------ asked

    def timeline(self, now: float | None = None) -> Timeline:
        """The timeline as of now, brought up to date."""
        events: list[str] = []
        with self._lock:
            shown = self._look(self._now() if now is None else now, events)
            found, settings = self._timeline, self._settings
        # Outside of the lock: both call back into the instrument.
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
        """A snapshot."""
        bpm = self.timeline().bpm
        with self._lock:
            source = self._source
            return TempoStatus(
                bpm, self._following, source.peers if source is not None else 0,
                source is None or self._locked,
            )  # fmt: skip

    # ------------------------------------------------------------------ told

    def tap(self, now: float | None = None) -> float | None:
        """A tap of a beat. From the second on in a row it sets the tempo, which is returned.

        Where nothing is followed, the tap is on a beat from then on.

        Raises
        ------
        ConfigError
            The tempo is a MIDI clock's.
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
        """A bar begins now. A Link session with others in it keeps its own bars.

        Raises
        ------
        ConfigError
            The beat is a MIDI clock's.
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
        """Go on by this timeline; False where the beat is another's, which stays as it is."""
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

    def _look(self, now: float, events: list[str]) -> Mapping[str, Value]:
        """Apply the changes that wait; returns what the controls should show instead."""
        shown: dict[str, Value] = {}
        while self._changes:
            change = self._changes.popleft()
            self._settings = change.settings
            if change.origin != TEMPO:
                self._turn(change.new, now, events, shown)
        if self._source is not None:
            self._hear(self._source, now, self._timeline.quantum, events)
            if self._locked and abs(self._timeline.bpm - self._shown) > _SHOWN:
                self._shown = self._in_range(round(self._timeline.bpm, 1))
                if self._shown != self._settings.number("tempo"):
                    shown["tempo"] = self._shown
        return shown

    def _turn(
        self, new: Mapping[str, Value], now: float, events: list[str], shown: dict[str, Value]
    ) -> None:
        """Somebody changed controls."""
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
                self._timeline = self._timeline.turned(bpm, now)
            if self._source is not None:
                self._source.set_bpm(bpm, now)

    def _hear(self, source: Source, now: float, quantum: int, events: list[str]) -> None:
        heard = source.timeline(now, quantum)
        if heard is not None:
            self._timeline = heard
            if not self._locked:
                events.append(f"following {self._following} at {heard.bpm:.1f} BPM")
        elif self._locked:
            events.append(
                f"{self._following} went silent: going on at {self._timeline.bpm:.1f} BPM"
            )
        self._locked = heard is not None

    def _follow(self, name: str, now: float) -> str:
        """Follow another source. Returns why not, or nothing."""
        self._leave()
        self._following = OWN
        if name == OWN:
            return ""
        source = self._sources.get(name)
        if source is None:
            return f"tempo_source: {name} is not set up here"
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
