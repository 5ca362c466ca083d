"""Snapshots, going back and forking, as a performer hears them: with a real generator process."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate
from virtual_clock import VirtualClock

from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.stream.snapshot import read_snapshot, write_snapshot

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


def likeness(pattern, sound):
    """The greatest correlation of a pattern with any part of a sound: 1 where it is in it."""
    pattern, sound = pattern[:, 0].astype(float), sound[:, 0].astype(float)
    products = correlate(sound, pattern, "valid")
    energy = correlate(sound**2, np.ones(len(pattern)), "valid")
    return float((products / np.sqrt(np.maximum(energy, 1e-9) * (pattern @ pattern))).max())


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
