"""Actions that wait for the beat: when they fall, what replaces them, what a leap does to them."""

from __future__ import annotations

import threading
import time

import pytest
from bare_controls import TempoDesk

from engine.errors import ConfigError
from engine.punches import Part, Punches


class Stage(TempoDesk):
    """A beat of 200 to the minute, bars of 4, and what was carried out when."""

    def __init__(self, quantise: str = "beat", bpm: float = 200.0) -> None:
        super().__init__(quantise=quantise, tempo=bpm)
        self.punches = Punches(self.tempo, lambda: self.settings["quantise"], self.say)
        self.done: list[tuple[str, float]] = []
        self._turn = threading.Condition()

    def press(self, key: str, name: str = "", ahead=lambda: 0.0) -> float:
        def action() -> None:
            with self._turn:
                self.done.append((name or key, time.monotonic()))
                self._turn.notify_all()

        return self.punches.at(key, Part(action, ahead))

    def wait(self, count: int = 1, timeout: float = 10.0) -> None:
        with self._turn:
            assert self._turn.wait_for(lambda: len(self.done) >= count, timeout), self.done

    def into_the_beat(self, seconds: float = 0.05) -> None:
        """Sleep until a little after a beat."""
        time.sleep(self.tempo.seconds_until("beat") + seconds)


def test_without_quantising_an_action_is_carried_out_at_once_by_who_asks():
    stage = Stage("off")
    assert stage.press("x") == 0.0
    assert len(stage.done) == 1
    assert not stage.punches.waiting()


@pytest.mark.parametrize("quantise", ["beat", "bar"])
def test_an_action_falls_on_the_beat_and_it_was_said_when(quantise):
    stage = Stage(quantise)
    stage.into_the_beat()
    pressed = time.monotonic()
    left = stage.press("x")
    assert 0.05 < left < (0.3 if quantise == "beat" else 1.2)
    assert stage.punches.waiting()["x"] == pytest.approx(left, abs=0.1)
    stage.wait()
    fell = stage.done[0][1]
    assert -0.001 < fell - (pressed + left) < 0.15  # never before it; after it as machines are busy
    phase = stage.tempo.timeline().phase(fell)
    assert phase % (1 if quantise == "beat" else 4) < 0.5


def test_a_press_just_after_the_beat_is_meant_to_be_on_it():
    stage = Stage("bar", bpm=60.0)
    stage.tempo.start(time.monotonic() - 0.005)
    assert stage.press("x") == 0.0
    stage.wait(timeout=2.0)


def test_a_second_press_replaces_the_first_and_others_are_left_alone():
    stage = Stage("bar")
    stage.into_the_beat()
    stage.press("recall", "verse")
    stage.press("record")
    stage.press("recall", "chorus")
    stage.wait(2)
    time.sleep(0.1)
    assert sorted(name for name, _ in stage.done) == ["chorus", "record"]


def test_what_is_cancelled_never_happens():
    stage = Stage("beat")
    stage.into_the_beat()
    stage.press("x")
    assert stage.punches.cancel("x")
    assert not stage.punches.cancel("x")
    time.sleep(0.5)
    assert not stage.done


def test_the_parts_of_one_punch_aim_at_one_bar_and_a_second_press_drops_what_is_left():
    stage = Stage("bar", bpm=240.0)
    times: list[tuple[str, float]] = []
    dropped: list[str] = []

    def parts(name):
        return (
            Part(lambda: times.append((name + " early", time.monotonic())), lambda: 0.6),
            Part(lambda: times.append((name + " late", time.monotonic()))),
        )

    stage.tempo.start()
    pressed = time.monotonic()
    left = stage.punches.at("recall", *parts("first"), dropped=lambda: dropped.append("first"))
    assert 0.9 < left <= 1.01  # a bar a second, and 0.6 s of it can be reached
    while not times:
        time.sleep(0.01)
        assert time.monotonic() < pressed + 5
    assert times[0][0] == "first early"
    assert times[0][1] - pressed == pytest.approx(left - 0.6, abs=0.15)
    stage.punches.at("recall", *parts("second"))
    while len(times) < 3:
        time.sleep(0.01)
        assert time.monotonic() < pressed + 10
    assert [name for name, _ in times] == ["first early", "second early", "second late"]
    assert times[2][1] - times[1][1] == pytest.approx(0.6, abs=0.2)
    assert dropped == ["first"]


def test_quantising_turned_off_lets_what_waits_go():
    stage = Stage("bar", bpm=20.0)
    time.sleep(0.1)
    assert stage.press("x") > 1.0
    stage.set(quantise="off")
    stage.wait(timeout=2.0)


def test_a_faster_tempo_and_a_new_downbeat_are_followed_by_what_waits():
    stage = Stage("bar", bpm=20.0)
    time.sleep(0.1)
    assert stage.press("x") > 10
    stage.set(tempo=300.0)
    stage.wait(timeout=4.0)  # a bar lasts 0.8 s now
    stage.set(tempo=20.0)
    stage.into_the_beat()
    assert stage.press("y") > 2
    stage.tempo.start()  # the bar begins now
    stage.wait(2, timeout=2.0)


def test_an_action_is_carried_out_so_long_before_the_beat_as_it_takes_to_be_heard():
    stage = Stage("bar", bpm=120.0)
    stage.tempo.start()
    time.sleep(0.2)
    pressed = time.monotonic()
    left = stage.press("x", ahead=lambda: 0.5)
    assert 1.0 < left < 2.0
    stage.wait()
    assert 0.45 < left - (stage.done[0][1] - pressed) <= 0.505


def test_the_beat_aimed_at_is_the_first_that_can_still_be_reached():
    stage = Stage("bar", bpm=240.0)  # a bar a second
    left = stage.press("x", ahead=lambda: 2.5)
    assert 2.4 < left < 3.6


def test_an_action_that_fails_is_told_and_others_still_come():
    stage = Stage("beat")

    def refused() -> None:
        raise ConfigError("nothing is playing")

    def broken() -> None:
        raise RuntimeError("a defect")

    stage.into_the_beat()
    stage.punches.at("a", Part(refused))
    stage.punches.at("b", Part(broken))
    stage.press("c")
    stage.wait()
    end = time.monotonic() + 5
    while not (stage.said and stage.punches.faults) and time.monotonic() < end:
        time.sleep(0.01)
    assert stage.said == ["nothing is playing"]
    assert stage.punches.faults == 1
    stage.into_the_beat()
    stage.press("d")  # its thread had ended, or not
    stage.wait(2)
