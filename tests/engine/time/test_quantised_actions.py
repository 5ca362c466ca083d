"""Actions that wait for the beat: when they fall, what replaces them, what a jump does to them."""

from __future__ import annotations

import pytest
from bare_controls import TempoDesk
from virtual_clock import VirtualClock

from engine.errors import ConfigError
from engine.time.quantised_actions import Part, QuantisedActions


class Stage(TempoDesk):
    """A beat of 200 to the minute, bars of 4, and what was carried out when."""

    def __init__(self, quantise: str = "beat", bpm: float = 200.0) -> None:
        self.clock = VirtualClock(50.0)
        super().__init__(self.clock.now, quantise=quantise, tempo=bpm)
        self.actions = QuantisedActions(
            self.tempo, lambda: self.settings["quantise"], self.say, self.clock
        )
        self.done: list[tuple[str, float]] = []

    def action(self, name: str):
        return lambda: self.done.append((name, self.clock.now()))

    def press(self, key: str, name: str = "", delay=lambda: 0.0) -> float:
        return self.actions.at(key, Part(self.action(name or key), delay))

    def wait(self, seconds: float = 20.0) -> None:
        self.clock.sleep(seconds)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.done]


def test_without_quantising_an_action_is_carried_out_at_once_by_the_caller():
    stage = Stage("off")
    assert stage.press("x") == 0.0
    assert len(stage.done) == 1
    assert not stage.actions.waiting()


@pytest.mark.parametrize(("quantise", "beats"), [("beat", 1), ("bar", 4)])
def test_an_action_falls_on_the_beat_and_returns_when(quantise, beats):
    stage = Stage(quantise)
    stage.wait(0.05)
    left = stage.press("x")
    assert left == pytest.approx(beats * 0.3 - 0.05)
    assert stage.actions.waiting()["x"] == pytest.approx(left)
    stage.wait()
    assert stage.done == [("x", pytest.approx(50.0 + beats * 0.3))]
    assert not stage.actions.waiting()


def test_a_press_just_after_the_beat_is_meant_to_be_on_it():
    stage = Stage("bar", bpm=60.0)
    stage.wait(0.005)
    assert stage.press("x") == 0.0
    stage.wait(0.02)
    assert stage.names == ["x"]


def test_a_second_press_replaces_the_first_and_others_are_left_alone():
    stage = Stage("bar")
    stage.wait(0.05)
    stage.press("recall", "verse")
    stage.press("record")
    stage.press("recall", "chorus")
    stage.wait()
    assert sorted(stage.names) == ["chorus", "record"]


def test_what_is_cancelled_never_happens():
    stage = Stage("beat")
    stage.wait(0.05)
    stage.press("x")
    assert stage.actions.cancel("x")
    assert not stage.actions.cancel("x")
    stage.wait()
    assert not stage.done


def test_the_parts_of_one_action_aim_at_one_bar_and_a_second_press_drops_what_is_left():
    stage = Stage("bar", bpm=240.0)  # a bar a second
    dropped: list[str] = []

    def parts(name: str) -> tuple[Part, Part]:
        return (
            Part(stage.action(name + " early"), lambda: 0.6),
            Part(stage.action(name + " late")),
        )

    left = stage.actions.at("recall", *parts("first"), on_dropped=lambda: dropped.append("first"))
    assert left == pytest.approx(1.0)  # 0.6 s of it can be reached
    stage.wait(0.5)
    assert stage.done == [("first early", pytest.approx(50.4))]
    assert stage.actions.at("recall", *parts("second")) == pytest.approx(1.5)
    stage.wait()
    assert stage.done[1:] == [
        ("second early", pytest.approx(51.4)),
        ("second late", pytest.approx(52.0)),
    ]
    assert dropped == ["first"]


def test_quantising_turned_off_lets_what_waits_go():
    stage = Stage("bar", bpm=20.0)
    stage.wait(0.1)
    assert stage.press("x") > 1.0
    stage.set(quantise="off")
    stage.wait(0.05)
    assert stage.names == ["x"]


def test_a_faster_tempo_and_a_new_downbeat_are_followed_by_what_waits():
    stage = Stage("bar", bpm=20.0)
    stage.wait(0.1)
    assert stage.press("x") == pytest.approx(11.9)
    stage.set(tempo=300.0)
    stage.wait(0.85)  # a bar lasts 0.8 s now
    assert stage.names == ["x"]
    stage.set(tempo=20.0)
    stage.wait(0.1)
    assert stage.press("y") > 2
    stage.tempo.start()  # the bar begins now
    stage.wait(0.05)
    assert stage.names == ["x", "y"]


def test_an_action_is_carried_out_so_long_before_the_beat_as_its_delay():
    stage = Stage("bar", bpm=120.0)
    stage.wait(0.2)
    assert stage.press("x", delay=lambda: 0.5) == pytest.approx(1.8)
    stage.wait()
    assert stage.done == [("x", pytest.approx(51.5))]


def test_a_delay_that_changes_moves_the_action():
    stage = Stage("bar", bpm=120.0)
    stage.wait(0.2)
    delay = 0.5
    stage.press("x", delay=lambda: delay)
    stage.wait(0.5)
    delay = 0.25
    stage.wait()
    assert stage.done == [("x", pytest.approx(51.75))]


def test_the_beat_aimed_at_is_the_first_that_can_still_be_reached():
    stage = Stage("bar", bpm=240.0)  # a bar a second
    stage.wait(0.1)
    assert stage.press("x", delay=lambda: 2.5) == pytest.approx(2.9)


def test_an_action_that_fails_is_reported_and_others_still_come():
    stage = Stage("beat")

    def refused() -> None:
        raise ConfigError("nothing is playing")

    def broken() -> None:
        raise RuntimeError("a defect")

    stage.wait(0.05)
    stage.actions.at("a", Part(refused))
    stage.actions.at("b", Part(broken))
    stage.press("c")
    stage.wait()
    assert stage.said == ["nothing is playing"]
    assert stage.actions.faults == 1
    stage.press("d")  # its thread has ended meanwhile
    stage.wait()
    assert stage.names == ["c", "d"]
