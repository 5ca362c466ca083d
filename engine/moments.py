"""Returning to a moment of the music: where it lies, what a snapshot of it holds, who may use it.

Functions of what plays, used by `Instrument`; any thread. A moment is a sample of the stream's
history (engine/stream/history.py).
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.controls.bus import ControlBus
from engine.controls.settings import Settings
from engine.errors import ConfigError
from engine.onnx_runtime import library
from engine.packs.manifest import MANIFEST, Manifest
from engine.packs.plan import Plan
from engine.playing import LivePlaying, Playing
from engine.stages.request import Request
from engine.stream.history import Place
from engine.stream.requests import request_from
from engine.stream.snapshot import Bars, Line, Snapshot
from engine.time.quantised_actions import ON_THE_BEAT, SNAPSHOT, AimedPart, Part, QuantisedActions
from engine.time.tempo import Tempo
from engine.time.timeline import Timeline

__all__ = [
    "Recall", "When", "check_snapshot", "checked_when", "reach", "snapshot_of",
    "way_back",
]  # fmt: skip

When = Line
_WHEN: tuple[When, ...] = ("now", "beat", "bar")


def checked_when(what: str, when: object) -> When:
    """When a snapshot is to be audible: `now`, or on the next `beat` or `bar`.

    Raises
    ------
    ConfigError
        It is none of them.
    """
    if when not in _WHEN:
        raise ConfigError(f"{what}: {str(when)[:40]!r} is no time; use now, beat or bar")
    return when


@dataclass(frozen=True)
class Way:
    """How to go to a moment: its place, and where in the lead it begins; None for at once."""

    place: Place
    at: int | None

    def go(self, playing: Playing) -> None:
        """Have the feeder go there."""
        at = self.at
        playing.stream.feeder.go_to(self.place, None if at is None else lambda: at)


def way_back(playing: Playing, *, seconds: float = 0.0, blocks: int = 0) -> Way:
    """The way so many seconds, or whole blocks, back.

    The music goes back by exactly so much from where it will be once enough is generated, so that
    it stays on the beat when it goes back by whole beats.

    Raises
    ------
    ConfigError
        The history does not reach back so far.
    """
    stream, position = playing.stream, playing.audible_position
    history, feeder, rate = stream.feeder.history, stream.feeder, stream.manifest.rate

    def way(repeated: int) -> Way:
        at = playing.switch_position(feeder.switch_seconds(repeated))
        wanted: int | None = (position if at is None else at) - round(seconds * rate)
        if blocks:
            wanted = history.blocks_before(position, blocks)
        place = None if wanted is None else history.find(wanted)
        if place is None:
            what = f"{blocks} blocks" if blocks else f"{seconds:g} s"
            reached = reach(playing)
            raise ConfigError(
                f"go back: {what} is too far; the history reaches back {reached:.1f} s"
            )
        return Way(place, at)

    return way(len(way(0).place.before))  # how long it takes depends on the place


def reach(playing: Playing) -> float:
    """Seconds by which the music can go back."""
    stream = playing.stream
    oldest = stream.feeder.history.oldest
    if oldest is None:
        return 0.0
    return max(0.0, (playing.audible_position - oldest) / stream.manifest.rate)


def snapshot_of(
    playing: Playing, settings: Settings, timeline: Timeline, now: float, target: str
) -> Snapshot:
    """A snapshot of what is audible `now`, on a timeline of beats.

    Raises
    ------
    ConfigError
        Nothing is audible yet.
    """
    stream, position = playing.stream, playing.audible_position
    place = stream.feeder.history.find(position)
    if place is None:
        raise ConfigError("snapshot: no music is audible yet; take it while music plays")
    manifest, phase = stream.manifest, timeline.phase(now)
    places: dict[Line, Place] = {"now": place}
    lines: tuple[tuple[Line, float], ...] = (("beat", phase % 1.0), ("bar", phase))
    for line, beats in lines:
        back = round(beats * 60.0 / timeline.bpm * manifest.rate)
        found = stream.feeder.history.find(position - back)
        if found is not None:
            places[line] = found
    about = {
        "target": target, "taken": time.time(), "machine": platform.machine(),
        "onnxruntime": library().__version__,
    }  # fmt: skip
    return Snapshot(
        manifest.name, manifest.version, digest_of(manifest), places, settings.for_presets(),
        pending_of(stream.plan, settings, place.request),
        Bars(timeline.bpm, timeline.quantum, phase), about,
    )  # fmt: skip


def pending_of(plan: Plan, settings: Settings, applied: Request | None) -> tuple[str, ...]:
    """The block controls that are set and were not applied to a block of this request."""
    if applied is None:
        return ()
    new = request_from(plan, settings, applied.index, 1, 1.0, applied.pace)
    names = [
        control.name for control in settings.table.pack
        if _plain(new.controls[control.short]) != _plain(applied.controls.get(control.short))
    ]  # fmt: skip
    of_stages = ("sampler", "temperature", "guidance")
    for name in of_stages:
        pairs = ((new.stages[s], stage) for s, stage in applied.stages.items() if s in new.stages)
        if any(getattr(one, name) != getattr(other, name) for one, other in pairs):
            names.append(name)
    return (*names, "seed") if new.seed != applied.seed else tuple(names)


def _plain(value: object) -> str:
    """A value as it looks in a file, where a tuple is a list."""
    return json.dumps(value)


def check_snapshot(manifest: Manifest, snapshot: Snapshot) -> None:
    """Refuse a snapshot of another pack.

    Raises
    ------
    ConfigError
        In one line, with what to do.
    """
    if snapshot.digest != digest_of(manifest):
        raise ConfigError(
            f"this snapshot is of pack {snapshot.pack!r} {snapshot.version}, and "
            f"{manifest.name!r} {manifest.version} plays; load that pack first, or apply only its "
            "controls"
        )


def digest_of(manifest: Manifest) -> str:
    """SHA-256 of a pack's manifest, which holds the hash of every other file."""
    return hashlib.sha256((manifest.folder / MANIFEST).read_bytes()).hexdigest()


@dataclass(frozen=True)
class Recall:
    """Returns to a snapshot: its controls, its music, its tempo.

    Parameters
    ----------
    snapshot : of the pack that plays.
    playing : what plays.
    controls, tempo, actions : of the instrument.
    now : seconds of the instrument's clock.
    """

    snapshot: Snapshot
    playing: Playing
    controls: ControlBus
    tempo: Tempo
    actions: QuantisedActions
    now: Callable[[], float]

    def at_once(self) -> None:
        """As soon as enough is generated."""
        self.actions.cancel(SNAPSHOT)
        self.controls.restore(self.snapshot.controls)
        place = self.snapshot.places["now"]

        def switched(position: int) -> None:
            live = self.playing
            if isinstance(live, LivePlaying):
                now = self.now()
                ahead = position - live.position_at(now)
                self._bars("now", now + ahead / live.stream.manifest.rate)

        self.playing.stream.feeder.go_to(place, switched=switched)

    def on(
        self,
        line: Literal["beat", "bar"],
        done: Callable[[], object],
        dropped: Callable[[], object],
    ) -> float:
        """So that the snapshot's own beat or bar line falls on the next one that can be reached.

        `done` and `dropped` are called when it is audible, or when another recall has replaced it.
        Returns the seconds until then.

        Raises
        ------
        ConfigError
            Nothing plays that has a beat.
        """
        live = self.playing
        if not isinstance(live, LivePlaying):
            raise ConfigError("recall: only live music has a beat; use when='now' here")
        place, feeder = self.snapshot.place(line), live.stream.feeder

        def prepare(at: float) -> None:
            self.controls.restore(self.snapshot.controls, "block")
            feeder.go_to(place, lambda: live.position_at(at))

        def begin(at: float) -> None:
            self._bars(line, at)
            done()

        def until_ready() -> float:
            return feeder.switch_seconds(len(place.before)) + live.lead_latency + ON_THE_BEAT

        def until_output() -> float:
            return sum(live.output_latency)

        left = self.actions.at(
            SNAPSHOT, AimedPart(prepare, until_ready),
            Part(lambda: self.controls.restore(self.snapshot.controls, "live"), until_output),
            AimedPart(begin), on_dropped=dropped, quantise=line,
        )  # fmt: skip
        return max(left, 0.001)  # 0 stands for now

    def _bars(self, line: Line, at: float) -> None:
        """The moment is audible `at`: the bars are those of the snapshot from then on."""
        bars = self.snapshot.bars
        beat = {"now": bars.phase, "beat": float(int(bars.phase)), "bar": 0.0}[line]
        self.tempo.go_to(Timeline(beat, at, bars.bpm, bars.beats))
