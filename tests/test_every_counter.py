"""No counter is without a reader: each is in the status, in OSC, and before the performer's eyes.

The counters are found by walking the classes that count, so that a new one fails here until it has
a row in engine/counters.py (or stands below, as a level or a setting that counts nothing).
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from virtual_clock import VirtualClock

from attacca.terminal.readout import readout
from engine.audio.mixer import Mixer
from engine.audio.mixer_counters import MixerStats
from engine.audio.recorder import RecorderStatus
from engine.audio.ring import RingStats
from engine.audio.sinks import NullSink
from engine.counters import COUNTERS, Counter, count_of, errors_of
from engine.errors import AttaccaError
from engine.instrument import Instrument
from engine.problems import Problems
from engine.status import Status
from midi.figures import MidiFigures
from osc.desk import _COUNTS
from osc.endpoint import Counts
from osc.fixed_addresses import COUNTED, FIXED
from osc.queries import OscFigures, Queries

ROOT = Path(__file__).resolve().parents[1]

# Numbers of a Status that count nothing: levels, settings and times of this moment.
LEVELS = {
    "seconds", "paused", "meters.peak", "meters.rms", "meters.hold", "meters.reduction",
    "stream.steps", "stream.evaluations", "stream.stride", "stream.eased", "stream.seconds",
    "stream.load", "stream.worst_load", "stream.seed", "stream.pending", "lead.seconds",
    "take.seconds", "take.bytes", "take.free", "mixer.realtime", "history",
    "latencies.device", "latencies.ring", "latencies.mixer", "latencies.lead", "latencies.block",
}  # fmt: skip

BY_PATH = {a.path: a for a in FIXED}


@pytest.fixture(scope="module")
def status(instrument: Instrument) -> Status:
    return instrument.status()


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all numbers below a dataclass."""
    if is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, (int, float)) or (isinstance(value, tuple) and value):
        yield path


def counting(status: Status, counter: Counter, count: int) -> Status:
    """The status with one counter at so much."""
    part, _, field = counter.field.partition(".")
    if not field:
        return replace(status, **{part: count})
    return replace(status, **{part: replace(getattr(status, part), **{field: count})})


# ------------------------------------------------------------------ found by walking


def test_every_number_of_the_status_that_counts_has_a_row(status):
    found = set(leaves(status))
    assert {"mixer.source_errors", "ring.underruns", "stream.faults", "lead.gaps"} <= found
    assert found - LEVELS == {c.field for c in COUNTERS}
    assert found >= LEVELS, "what stands here has gone from the status"


@pytest.mark.parametrize(("counted", "part"), [(MixerStats, "mixer"), (RingStats, "ring")])
def test_the_parts_of_the_status_are_whole(status, counted, part):
    assert type(getattr(status, part)) is counted


def test_what_a_recorder_says_reaches_the_status():
    """RecorderStatus is not in the Status; its fields are, under the names on the right."""
    shown = {"frames": "seconds", "dropped_frames": "dropped", "error": "problem", "size": "bytes",
             "free": "free", "notes": "in the event `recorded`"}  # fmt: skip
    assert {f.name for f in fields(RecorderStatus)} == set(shown)


def test_every_count_of_osc_and_midi_has_an_address():
    for field in fields(OscFigures):
        assert f"/status/osc/{field.name}" in BY_PATH, field.name
    sockets = {"packets": "packets", "sent": "sent", "refused": "refused", "unsent": "dropped",
               "bad_streams": "bad"}  # fmt: skip
    assert {f.name for f in fields(Counts)} == set(sockets)
    assert set(sockets.values()) <= {f.name for f in fields(OscFigures)}
    states = {"learning", "takeover"}
    assert {f.name for f in fields(MidiFigures)} - states == set(_COUNTS.values())
    assert all(f"/status/{name}" in BY_PATH for name in _COUNTS)


# Public attributes that are counted up outside of a dataclass, and who reads each.
READ = {
    "engine/audio/effects.py errors": "MixerStats.effect_errors",
    "engine/listeners.py errors": "Status.listener_errors",
    "engine/time/quantised_actions.py faults": "Status.action_faults",
    "engine/notes/notes_file.py dropped": "what is reported of a take's notes",
    "engine/notes/midi_file.py notes": "a list, not a count",
    "engine/notes/midi_writer.py notes": "how many are in the file, in what is reported of a take",
    "engine/stages/log.py position": "a position, not a count",
    "midi/clock.py count": "a position, not a count",
    "engine/audio/device_watch.py tries": "Status.device_tries",
    "engine/audio/spectrogram.py computed": "tests: each column once",
    "engine/audio/soundfiles.py frames": "RecorderStatus.frames",
    "engine/audio/fifo.py frames": "a fill, not a count",
    "engine/audio/sinks.py frames": "a length, not a count",
    "engine/representations/magnitude_decoder.py clipped": "StreamStats.clipped",
    "engine/representations/mdct.py clipped": "StreamStats.clipped",
    "engine/representations/samples.py clipped": "StreamStats.clipped",
    "osc/clients.py dropped": "OscFigures.dropped",
    "osc/router.py bad": "OscFigures.bad",
    "osc/router.py faults": "OscFigures.faults",
    "osc/schedule.py late": "OscFigures.late",
    "osc/query/server.py unsent": "OscFigures.dropped",
}


def test_no_public_attribute_counts_without_a_known_reader():
    found = {
        f"{path.relative_to(ROOT)} {node.target.attr}"
        for folder in ("engine", "osc", "midi")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)
        if isinstance(node.target, ast.Attribute) and not node.target.attr.startswith("_")
        if ast.unparse(node.target.value) == "self"
    }
    unknown = {f for f in found if f not in READ}
    allowed = {f for f in unknown if f.split()[1] in ("now", "evaluations", "mean")}
    assert unknown - allowed == set()


# ------------------------------------------------------------------ shown


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda c: c.name)
def test_each_counter_reaches_osc(status, instrument, monkeypatch, counter):
    monkeypatch.setattr(instrument, "status", lambda: counting(status, counter, 7))
    own = OscFigures(*[0] * len(fields(OscFigures)))
    figures = Queries(instrument, None, lambda: own, time.monotonic, "").read()
    assert figures[counter.name] == pytest.approx(7 * counter.factor)
    address = BY_PATH[f"/status/{counter.name}"]
    assert address.types == ("i" if counter.is_whole else "f")
    assert address.about == counter.about
    assert counter.name in COUNTED


@pytest.mark.parametrize("counter", [c for c in COUNTERS if c.is_error], ids=lambda c: c.name)
def test_each_error_reaches_the_terminal(status, instrument, counter):
    now = readout(counting(status, counter, 7), instrument.settings, 1.0)
    name = counter.name.removeprefix("errors/")
    assert errors_of(counting(status, counter, 7))[name] == 7
    assert f"errors: {name.replace('_', ' ')} 7" in now.line


def test_restarts_xruns_gaps_and_the_errors_of_others_reach_the_terminal(status, instrument):
    stream, lead = replace(status.stream, restarts=5), replace(status.lead, gaps=4)
    many = replace(status, xruns=3, lead=lead, stream=stream)
    line = readout(
        many, instrument.settings, 1.0, more_errors={"OSC faults": 6, "MIDI bad": 0}
    ).line
    assert "xruns 3  gaps 4  restarts 5  errors: OSC faults 6" in line
    assert "MIDI" not in line


def test_a_stream_in_trouble_does_not_say_that_it_plays(status, instrument):
    well = replace(status, problem="", paused=False, stream=replace(status.stream, blocks=3))
    assert readout(well, instrument.settings, 1.0).state == "playing"
    assert readout(replace(well, problem="it fails"), instrument.settings, 1.0).state == "failing"


# ------------------------------------------------------------------ at once, and once in a while


class Failing:
    """A source that raises, or gives values that are no numbers."""

    error: Exception | None = ValueError("broken")

    def pull(self, frames: int) -> np.ndarray:
        if self.error is not None:
            raise self.error
        return np.full((frames, 1), np.nan, np.float32)


def test_a_source_that_fails_each_period_is_reported_at_once_and_then_once_in_a_while():
    clock, said = VirtualClock(), []
    problems = Problems(lambda kind, text: said.append((kind, text)), clock.now)
    source = Failing()
    mixer = Mixer(
        source, NullSink(48000, 2, clock), rate_in=48000, rate_out=48000, channels_in=1,
        clock=clock, on_problem=problems.report,
    )  # fmt: skip
    mixer.process_once()
    assert said == [("error", "the stream failed, so silence is played: broken")]
    assert problems.current == said[0][1]
    for _ in range(100):
        mixer.process_once()
        clock.sleep(0.05)
    assert len(said) == 1
    clock.sleep(6.0)
    mixer.process_once()
    assert said[1][1].endswith("broken (100 more times)")
    assert mixer.stats.source_errors == 102
    clock.sleep(3.0)
    assert problems.current == "", "it is over when it has stopped"
    source.error = None  # and now it gives what is no number
    mixer.process_once()
    assert said[2][1].startswith("the sound has NaN or infinite samples")
    assert mixer.stats.bad_frames == mixer.period


def test_taps_and_effects_that_fail_are_reported():
    def broken(block: np.ndarray) -> np.ndarray:
        raise OSError("disk full")

    clock, said = VirtualClock(), []
    source = Failing()
    source.error = None
    mixer = Mixer(
        source, NullSink(48000, 2, clock), rate_in=48000, rate_out=48000, channels_in=1,
        clock=clock, on_problem=lambda kind, _: said.append(kind), effects=[broken], taps=[broken],
    )  # fmt: skip
    mixer.process_once()
    assert set(said) == {"effect", "tap", "frames"}


def test_counts_go_on_over_a_change_of_device(instrument):
    before = instrument.status().mixer
    instrument._playing.mixer._count.tap_errors += 5
    try:
        instrument.move(None)
        after = instrument.status().mixer
        assert after.tap_errors == before.tap_errors + 5
        assert after.periods >= before.periods > 0
    except AttaccaError as error:
        pytest.fail(str(error))


def test_whole_counts_are_whole(status):
    for counter in COUNTERS:
        kind = int if counter.is_whole else float
        assert type(count_of(status, counter)) is kind, counter.name
