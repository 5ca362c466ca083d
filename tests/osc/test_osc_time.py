"""Time-tagged bundles: at their time, late ones at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osc_program import build
from virtual_clock import VirtualLoop

from engine.errors import ConfigError
from osc.clients import Budget
from osc.schedule import MOST, Schedule


def figure(one, name):
    one.send("/status")
    return one.wait(f"/status/{name}")[1]


def applied_at(instrument, name, value, timeout=3.0):
    """When the instrument had the value, as seconds since 1970."""
    end = time.monotonic() + timeout
    while instrument.settings[name] != value:
        assert time.monotonic() < end, f"{name} never was {value}"
        time.sleep(0.0002)
    return time.time()


def test_a_bundle_is_applied_at_its_time_and_not_before(program, instrument):
    one, late_by = program(), []
    for i in range(12):
        at, gain = time.time() + 0.12, -2.0 - i
        one.send_at(at, build("/gain", gain), build("/seed", 100 + i))
        time.sleep(0.06)
        assert instrument.settings["gain"] != gain
        late_by.append(applied_at(instrument, "gain", gain) - at)
        assert instrument.settings["seed"] == 100 + i
    assert min(late_by) > -0.001
    assert sorted(late_by)[len(late_by) // 2] < 0.01
    assert figure(one, "osc/late") == 0


def test_a_late_bundle_is_applied_at_once_and_counted(program, instrument):
    one = program()
    one.send_at(time.time() - 5, build("/gain", 1.5))
    assert one.wait("/gain") == ("/gain", 1.5)
    one.raw(b"#bundle\0" + b"\0" * 7 + b"\1" + len(build("/gain", 2.5).dgram).to_bytes(4, "big")
            + build("/gain", 2.5).dgram)  # fmt: skip
    assert one.wait("/gain") == ("/gain", 2.5)
    assert figure(one, "osc/late") == 1


def test_bundles_are_applied_in_the_order_of_their_times(program, instrument):
    one = program()
    one.send("/subscribe", "/gain")
    now = time.time()
    for offset, gain in ((0.3, -3.0), (0.1, -1.0), (0.2, -2.0)):
        one.send_at(now + offset, build("/gain", gain))
    assert figure(one, "osc/waiting") == 3
    assert [one.wait("/gain")[1] for _ in range(3)] == [-1.0, -2.0, -3.0]
    assert figure(one, "osc/waiting") == 0


def test_what_is_too_far_ahead_is_refused(program, instrument):
    one = program()
    one.send_at(time.time() + 90_000, build("/gain", -9.0))
    error = one.wait("/error")
    assert error[2] == "limit"
    assert "ahead" in error[3]
    assert instrument.settings["gain"] == 0.0


class Wall:
    """A clock of the day on a loop's time; the test may set it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop, self.ahead = loop, 1000.0

    def __call__(self) -> float:
        return self._loop.time() + self.ahead


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


def test_a_clock_that_is_set_is_followed(loop):
    wall, done = Wall(loop), []
    schedule = Schedule(loop, wall)
    schedule.at(1100.0, lambda: done.append(wall()))
    loop.run_until_complete(asyncio.sleep(50.0))
    wall.ahead -= 3600.0
    loop.run_until_complete(asyncio.sleep(60.0))
    assert done == []  # it is an hour earlier now
    wall.ahead += 3600.0
    loop.run_until_complete(asyncio.sleep(1.0))
    (at,) = done
    assert 1110.0 <= at < 1111.0


def test_what_is_late_is_done_at_once_and_counted_and_the_queue_is_bounded(loop):
    wall, done = Wall(loop), []
    schedule = Schedule(loop, wall)
    schedule.at(999.96, lambda: done.append("late"))
    assert done == ["late"]
    assert schedule.late == 1
    assert schedule.latest == pytest.approx(0.04)
    for _ in range(MOST):
        schedule.at(1001.0, lambda: done.append("x"))
    with pytest.raises(ConfigError, match="wait for their time"):
        schedule.at(1001.0, lambda: None)
    schedule.clear()
    assert len(schedule) == 0


@given(st.lists(st.integers(0, 20_000).map(lambda ms: ms / 1000), max_size=40))
def test_actions_are_carried_out_at_their_times_in_their_order(times):
    loop, done = VirtualLoop(), []
    wall = Wall(loop)
    schedule = Schedule(loop, wall)
    for number, at in enumerate(times):
        schedule.at(1000.0 + at, lambda n=number: done.append((n, wall())))
    loop.run_until_complete(asyncio.sleep(21.0))
    loop.close()
    assert [times[n] for n, _ in done] == sorted(times)
    assert all(times[n] - 1e-6 <= at - 1000.0 <= times[n] + 0.001 for n, at in done)
    assert schedule.late == len(schedule) == 0


def test_a_budget_fills_up_again():
    budget = Budget(10, 0.0)
    assert sum(budget.spend(0.0) for _ in range(100)) == 20
    assert sum(budget.spend(0.5) for _ in range(100)) == 5
    assert sum(budget.spend(100.0) for _ in range(100)) == 20


def test_a_bundle_applies_to_one_block_and_its_queries_are_answered_after(program, instrument):
    one = program()
    seen = []
    remove = instrument.controls.listen(lambda change: seen.append(sorted(change.new)))
    try:
        one.send_at(0, build("/gain", -5.0), build("/seed", 9), build("/gain"), build("/steps", 5))
        assert one.wait("/gain") == ("/gain", -5.0)
        one.wait("/steps")
    finally:
        remove()
    assert seen == [["gain", "seed"], ["steps"]]


def test_one_that_cannot_be_set_does_not_keep_the_bundle_from_the_rest(program, instrument):
    one = program()
    one.send_at(0, build("/gain", -6.0), build("/pack/harmony/c", 1.0), build("/seed", 12))
    assert one.wait("/error")[1:3] == ("/pack/harmony/c", "unknown")
    one.ask("/ping", answer="/pong")
    assert (instrument.settings["gain"], instrument.settings["seed"]) == (-6.0, 12)
