"""Virtual time: it passes only while every thread waits, and runs come out the same each time."""

from __future__ import annotations

import threading

import pytest
from virtual_clock import VirtualClock

from engine.time.clock import Clock, SystemClock


def test_one_thread_alone_sleeps_at_once():
    clock = VirtualClock(100.0)
    clock.sleep(3600.0)
    clock.advance(-1.0)
    assert clock.now() == 3700.0


def test_threads_wake_in_the_order_of_their_deadlines():
    clock, log = VirtualClock(), []

    def sleeper(name: str, seconds: float) -> None:
        for _ in range(3):
            clock.sleep(seconds)
            log.append((clock.now(), name))

    threads = [clock.thread(lambda n=n, s=s: sleeper(n, s), n) for n, s in (("a", 2), ("b", 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry for entry in log if entry[0] != 6] == [(2, "a"), (3, "b"), (4, "a"), (9, "b")]
    assert sorted(entry for entry in log if entry[0] == 6) == [(6, "a"), (6, "b")]


def test_time_stands_still_while_a_thread_runs():
    clock, release, seen = VirtualClock(), threading.Event(), []

    def busy() -> None:
        release.wait(10)
        seen.append(clock.now())

    clock.thread(busy, "busy").start()
    threading.Timer(0.05, release.set).start()
    clock.sleep(1.0)
    assert seen == [0.0]


def test_an_event_ends_a_wait_early_and_a_wait_ends_without_it():
    clock = VirtualClock()
    event = clock.event()
    assert not event.wait(2.0)
    assert clock.now() == 2.0

    def setter() -> None:
        clock.sleep(0.5)
        event.set()

    clock.thread(setter, "setter").start()
    assert event.wait(2.0)
    assert clock.now() == 2.5
    event.clear()
    assert not event.is_set()


def test_a_condition_hands_values_from_thread_to_thread():
    clock, box, taken = VirtualClock(), [], []
    changed = clock.condition()

    def maker() -> None:
        for value in range(5):
            clock.sleep(1.0)
            with changed:
                box.append(value)
                changed.notify_all()

    clock.thread(maker, "maker").start()
    while len(taken) < 5:
        with changed:
            assert changed.wait_for(lambda: box, 10.0)
            taken.append((clock.now(), box.pop()))
    assert taken == [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]
    with changed:
        assert not changed.wait_for(lambda: box, 10.0)
    assert clock.now() == 15.0


def test_joining_waits_on_the_clock_and_gives_up_in_time():
    clock = VirtualClock()
    thread = clock.thread(lambda: clock.sleep(5.0), "slow")
    with pytest.raises(RuntimeError):
        thread.join()
    thread.start()
    thread.join(2.0)
    assert thread.is_alive()
    assert clock.now() == 2.0
    thread.join()
    assert not thread.is_alive()
    assert clock.now() == 5.0


def test_a_thread_that_takes_no_part_may_wait_but_holds_nothing_up():
    clock, woken = VirtualClock(), []

    def guest() -> None:
        clock.sleep(1.0)
        woken.append(clock.now())

    thread = threading.Thread(target=guest)
    thread.start()
    while not woken:
        clock.sleep(0.5)
    thread.join()
    clock.sleep(10.0)


@pytest.mark.parametrize("clock", [VirtualClock(), SystemClock()])
def test_both_clocks_make_the_same_things(clock: Clock):
    event, condition, began = clock.event(), clock.condition(), clock.now()
    thread = clock.thread(lambda: event.set(), "setter")
    thread.start()
    assert event.wait(5.0)
    thread.join(5.0)
    with condition:
        assert not condition.wait(0.001)
    clock.sleep(0.001)
    assert clock.now() - began >= 0.001
    assert thread.daemon
