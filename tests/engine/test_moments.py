"""Snapshots, going back and forking, as a performer hears them: with a real generator process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate
from virtual_clock import VirtualClock

from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.stream.snapshot import read_snapshot, write_snapshot
from engine.time.timeline import Timeline

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"
RATE = 48_000  # of the output


class Performance:
    """An instrument that plays into nothing on virtual time; what goes to the output is kept."""

    def __init__(self, **controls):
        self.clock = VirtualClock()
        # One step: there is nothing for the governor to ease.
        controls = {"gain": -6.0, "steps": 1, **controls}
        self.instrument = Instrument(TINY, latency=1.0, clock=self.clock, **controls)
        self._parts = []
        self.instrument.tap(lambda period: self._parts.append(period.copy()))
        self.instrument.play(device=None)
        self.instrument.wait_for_sound()
        self.clock.sleep(0.5)

    def heard(self, seconds):
        """What goes to the output in the next seconds."""
        self._parts.clear()
        self.clock.sleep(seconds)
        return np.concatenate(self._parts)

    def close(self):
        self.instrument.close()


@pytest.fixture
def performance():
    made = []

    def make(**controls):
        made.append(Performance(**controls))
        return made[-1]

    yield make
    for one in made:
        one.close()


def correlation(pattern, sound):
    """Of a pattern with each part of a sound: 1 where the sound has it."""
    pattern, sound = pattern[:, 0].astype(float), sound[:, 0].astype(float)
    products = correlate(sound, pattern, "valid")
    energy = correlate(sound**2, np.ones(len(pattern)), "valid")
    return products / np.sqrt(np.maximum(energy, 1e-9) * (pattern @ pattern))


def likeness(pattern, sound):
    return float(correlation(pattern, sound).max())


def place_of(pattern, sound):
    """Frame of a sound at which it has a pattern."""
    found = correlation(pattern, sound)
    assert found.max() > 0.98
    return int(found.argmax())


def test_going_back_repeats_what_was_heard_without_a_gap(performance):
    one = performance()
    first = one.heard(3.0)
    gaps = one.instrument.status().lead.gaps
    one.instrument.go_back(2.0)
    again = one.heard(3.0)
    pattern = first[-RATE // 2 : -RATE // 4]
    assert likeness(pattern, again) > 0.99
    assert likeness(pattern, first[: 2 * RATE]) < 0.9  # it is not just what the music does anyway
    assert one.instrument.status().lead.gaps == gaps


def test_a_fork_goes_elsewhere_and_says_which_seed(performance):
    one = performance(seed=5)
    one.heard(2.0)
    gaps = one.instrument.status().lead.gaps
    assert one.instrument.fork() == 6
    assert one.instrument.settings["seed"] == 6
    assert one.instrument.fork(seed=77) == 77
    one.heard(1.0)
    assert one.instrument.status().lead.gaps == gaps


def test_a_snapshot_holds_the_controls_and_never_the_transport(performance, tmp_path):
    one = performance(temperature=0.8)
    one.heard(1.0)
    snapshot = one.instrument.take_snapshot()
    path = tmp_path / "moment.attacca-snapshot"
    write_snapshot(snapshot, path)
    one.instrument.set(temperature=1.2, pause=True)
    one.instrument.recall(read_snapshot(path))
    assert one.instrument.settings["temperature"] == 0.8
    assert one.instrument.settings["pause"] is True
    assert "pause" not in snapshot.controls


def test_a_snapshot_is_a_moment_that_can_be_heard_again(performance):
    one = performance()
    one.heard(1.0)
    snapshot = one.instrument.take_snapshot()
    after = one.heard(2.0)
    one.heard(2.0)
    one.instrument.recall(snapshot)
    again = one.heard(2.0)
    pattern = after[RATE // 2 : 3 * RATE // 4]
    assert likeness(pattern, again) > 0.99


def test_what_lies_too_far_back_is_refused_in_one_line_and_the_music_goes_on(performance):
    one = performance()
    one.heard(1.0)
    with pytest.raises(ConfigError, match=r"500 s is too far; the history reaches back [\d.]+ s"):
        one.instrument.go_back(500.0)
    for odd in ({"seconds": -1.0}, {"seconds": float("nan")}, {"blocks": -1}, {"beats": "x"}):
        with pytest.raises(ConfigError):
            one.instrument.go_back(**odd)
    assert np.abs(one.heard(0.5)).max() > 0
    assert 0.5 < one.instrument.history_seconds() < 10


def test_nothing_to_return_to_while_nothing_plays():
    with Instrument(TINY) as instrument:
        assert instrument.history_seconds() == 0
        for action in (instrument.take_snapshot, instrument.go_back, instrument.fork):
            with pytest.raises(ConfigError, match="nothing is playing"):
                action()


def test_one_measure_of_going_back_at_a_time(performance):
    one = performance()
    one.heard(2.0)
    with pytest.raises(ConfigError, match="use one of seconds, beats and blocks"):
        one.instrument.go_back(1.0, beats=2)


def test_a_shorter_history_is_refused_sooner_and_the_status_says_how_far_it_reaches(performance):
    one = performance(history=1.0)
    one.heard(5.0)
    reach = one.instrument.status().history
    assert 0.8 <= reach < 2.5
    assert reach == pytest.approx(one.instrument.history_seconds(), abs=0.1)
    with pytest.raises(ConfigError, match="too far"):
        one.instrument.go_back(reach + 1.0)
    with pytest.raises(ConfigError, match="history"):
        Instrument(TINY, history=-1.0)


def test_going_back_by_beats_leaves_the_music_on_its_beats(performance):
    """Whatever time it takes to get ready, the music is a whole number of beats earlier."""
    one = performance()
    first = one.heard(3.0)
    one.instrument.go_back(beats=4)  # 2 s at 120 BPM
    again = one.heard(2.5)
    pattern = again[RATE : RATE + RATE // 4]
    at = place_of(pattern, first)
    assert at + 2 * RATE == pytest.approx(3 * RATE + RATE, abs=2)


def test_pending_controls_are_named_in_a_snapshot(performance):
    one = performance()
    one.heard(1.0)
    assert one.instrument.take_snapshot().pending == ()
    one.instrument.set(temperature=0.6, seed=9, gain=-9.0)
    assert set(one.instrument.take_snapshot().pending) == {"temperature", "seed"}


@pytest.mark.parametrize(("line", "beats"), [("beat", 1), ("bar", 3)])
def test_a_recall_on_a_line_puts_the_line_of_the_snapshot_on_that_of_the_clock(
    performance, line, beats
):
    one = performance(tempo=100.0, beats=3)
    clock, tempo = one.clock, one.instrument.tempo
    one.heard(2.3)
    snapshot, taken = one.instrument.take_snapshot(), clock.now()
    timeline = tempo.timeline()
    before = timeline.phase(taken) % beats  # beats since the line
    after = one.heard(2.0)
    one.heard(1.37)
    done = []
    left = one.instrument.recall(snapshot, line, done=lambda: done.append(clock.now()))
    began = clock.now()
    assert tempo.timeline().beat_at(began + left) % beats == pytest.approx(0, abs=1e-6)
    again = one.heard(left + 2.5)
    assert done == pytest.approx([began + left], abs=0.02)
    pattern = after[RATE // 2 : 3 * RATE // 4]
    expected = left + before * 60 / 100 + 0.5
    assert place_of(pattern, again) / RATE == pytest.approx(expected, abs=0.003)
    assert tempo.timeline().time_of(0.0) == pytest.approx(
        began + left - (0 if line == "bar" else int(snapshot.bars.phase) * 0.6), abs=1e-6
    )
    assert one.instrument.status().lead.gaps == 0


def test_a_recall_brings_the_tempo_back_but_not_that_of_another_clock(performance):
    one = performance(tempo=96.0, beats=5)
    one.heard(1.2)
    snapshot = one.instrument.take_snapshot()
    phase = one.instrument.tempo.timeline().phase(one.clock.now())
    assert (snapshot.bars.bpm, snapshot.bars.beats) == (96.0, 5)
    assert snapshot.bars.phase == pytest.approx(phase)
    one.instrument.set(tempo=140.0, beats=4)
    one.heard(1.0)
    one.instrument.recall(snapshot)
    one.heard(1.0)
    timeline = one.instrument.tempo.timeline()
    assert (timeline.bpm, timeline.quantum) == (96.0, 5)
    assert (one.instrument.settings["tempo"], one.instrument.settings["beats"]) == (96.0, 5)
    one.instrument.tempo.attach("midi", SteadyClock())
    one.instrument.set(tempo_source="midi")
    one.heard(0.1)
    one.instrument.recall(snapshot)
    one.heard(1.0)
    assert one.instrument.tempo.timeline().bpm == 77.0


class SteadyClock:
    """A tempo source of 77 BPM."""

    peers = 1

    def open(self, timeline):
        pass

    def close(self):
        pass

    def timeline(self, now, quantum):
        return Timeline(0.0, 0.0, 77.0, quantum)

    def set_bpm(self, bpm, now):
        return False

    def start(self, now, quantum):
        return False


def test_a_second_recall_takes_the_place_of_the_first(performance):
    one = performance()
    one.heard(1.0)
    snapshot, said = one.instrument.take_snapshot(), []
    one.instrument.recall(snapshot, "bar", done=lambda: said.append("done 1"),
                          dropped=lambda: said.append("dropped 1"))  # fmt: skip
    one.instrument.recall(snapshot, "bar", done=lambda: said.append("done 2"))
    one.heard(5.0)
    assert said == ["dropped 1", "done 2"]
    with pytest.raises(ConfigError, match="'later' is no time; use now, beat or bar"):
        one.instrument.recall(snapshot, "later")


CONTINUE = """
import sys
import numpy as np
from engine.instrument import Instrument
from engine.stream.snapshot import read_snapshot
pack, file, out = sys.argv[1:]
with Instrument(pack, seed=99) as one, one.blocks() as blocks:
    next(blocks)
    one.recall(read_snapshot(file))
    np.save(out, np.concatenate([next(blocks).samples for _ in range(4)]))
"""


def test_a_snapshot_taken_in_one_process_plays_the_same_samples_in_another(tmp_path):
    file, out = tmp_path / "moment.attacca-snapshot", tmp_path / "sound.npy"
    with Instrument(TINY, seed=5, temperature=0.8) as one, one.blocks() as blocks:
        for _ in range(3):
            next(blocks)
        write_snapshot(one.take_snapshot(), file)
        expected = np.concatenate([next(blocks).samples for _ in range(4)])
    subprocess.run([sys.executable, "-c", CONTINUE, TINY, file, out], check=True, timeout=60)
    sound = np.load(out)
    count = min(len(sound), len(expected))
    assert count > len(expected) // 2
    np.testing.assert_array_equal(sound[:count], expected[:count])
