"""When a generator counts as hung: by the measured time of its own work, with an injected clock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.representations.kinds import TRANSFORMS
from engine.stream.heartbeat import ALLOWANCES, Heartbeat

ROOT = Path(__file__).resolve().parents[3]


class Time:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def block(heartbeat: Heartbeat, time: Time, step: float, rows: int = 4) -> None:
    heartbeat.began("answer")
    for _ in range(rows):
        heartbeat.began("step a")
        time.now += step
    heartbeat.began("decode")
    time.now += 0.02
    heartbeat.finished()


def late_after(heartbeat: Heartbeat, part: str) -> float:
    """Seconds of waiting until the part counts as hung, to 10 ms."""
    heartbeat.began(part)
    waited = 0.0
    while not heartbeat.late:
        heartbeat.waited(0.01)
        waited += 0.01
        assert waited < 1000
    return waited


def test_the_limit_is_several_times_the_measured_time_of_a_step(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=0.3)
    assert late_after(heartbeat, "step a") == pytest.approx(8 * 0.3, abs=0.02)


def test_quick_steps_have_a_floor_that_a_busy_machine_may_take(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=0.001)
    assert late_after(heartbeat, "step a") == pytest.approx(0.5, abs=0.02)


def test_the_slowest_of_the_last_runs_counts(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=1.0, rows=1)
    block(heartbeat, time, step=0.2, rows=8)
    assert heartbeat.limit("step a") == pytest.approx(8.0)
    for _ in range(10):
        block(heartbeat, time, step=0.2, rows=8)
    assert heartbeat.limit("step a") == pytest.approx(1.6)


def test_parts_are_measured_apart(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=0.5)
    assert heartbeat.limit("step a") == pytest.approx(4.0)
    assert heartbeat.limit("step b") == ALLOWANCES["step"].first
    assert heartbeat.limit("decode") == pytest.approx(0.5)


def test_what_was_never_measured_has_time_for_a_cold_disk(time):
    heartbeat = Heartbeat(time)
    assert late_after(heartbeat, "open") > 50
    assert late_after(heartbeat, "step a") > 9


def test_the_wait_begins_again_for_each_part(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=0.01)
    for _ in range(100):
        heartbeat.began("step a")
        heartbeat.waited(0.4)
        assert not heartbeat.late


def test_time_that_this_process_did_not_wait_does_not_count(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=0.01)
    heartbeat.began("step a")
    time.now += 3600  # the whole program was stopped, or the machine slept
    heartbeat.waited(0.1)
    assert not heartbeat.late


def test_one_that_was_ended_too_soon_gets_more_time_until_it_has_proved_itself(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=0.001)
    limits = []
    for _ in range(4):
        limits.append(late_after(heartbeat, "step a"))
        heartbeat.double_patience()
        heartbeat.started()
    assert limits == pytest.approx([0.5, 1.0, 2.0, 4.0], abs=0.05)
    heartbeat.reset_patience()
    assert late_after(heartbeat, "step a") == pytest.approx(0.5, abs=0.02)


def test_idle_time_is_measured_as_nothing(time):
    heartbeat = Heartbeat(time)
    block(heartbeat, time, step=0.01)
    time.now += 500  # paused: the lead is full and nothing is requested
    block(heartbeat, time, step=0.01)
    assert heartbeat.limit("answer") == ALLOWANCES["answer"].least


def test_rendering_is_patient(time):
    heartbeat = Heartbeat(time, patience=100.0)
    block(heartbeat, time, step=0.01)
    assert heartbeat.limit("step a") == pytest.approx(50.0)


def test_the_message_names_the_part_and_the_time(time):
    heartbeat = Heartbeat(time)
    late_after(heartbeat, "step sound")
    assert re.fullmatch(r"no progress for 10\.\d s \(step sound\)", heartbeat.late)


def test_every_part_that_is_announced_has_an_allowance():
    announced = set()
    for path in (ROOT / "engine").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        announced |= set(re.findall(r"announce\(f?\"([a-z-]+)", text))
    assert {"open", "warm-up", "check", "context", "continue", "listen"} <= announced
    assert announced | set(TRANSFORMS) <= set(ALLOWANCES)
