"""A MIDI clock as it really arrives: late, early, in heaps, turned, held up, gone."""

from __future__ import annotations

import random

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midi.clock import Leader, MidiClock

CLOCK = mido.Message("clock")


def ticks(clock, count, bpm, *, begin=10.0, jitter=0.0, seed=1):
    """Send so many clock messages. Returns when the last fell, exactly."""
    chance, period, last = random.Random(seed), 60 / bpm / 24, 0.0
    for i in range(count):
        late = chance.uniform(0, jitter)
        last = max(last, begin + i * period + late)
        clock.take(CLOCK, last)
    return begin + (count - 1) * period


@settings(max_examples=30, deadline=None)
@given(bpm=st.floats(30, 250), seed=st.integers(0, 1000))
def test_the_tempo_and_the_beat_stand_still_though_messages_jitter(bpm, seed):
    clock, jitter = MidiClock(lambda: 0.0), 0.004
    clock.take(mido.Message("start"), 9.99)
    last = ticks(clock, 24 * 16 + 1, bpm, jitter=jitter, seed=seed)
    timeline = clock.timeline(last, 4)
    assert timeline is not None
    assert timeline.bpm == pytest.approx(bpm, rel=0.01)
    # On average messages come half the jitter late; a beat is much nearer to that than each is.
    assert timeline.time_of(16) == pytest.approx(last + jitter / 2, abs=0.0015)


def test_half_a_beat_is_enough_and_less_is_not():
    clock = MidiClock(lambda: 0.0)
    last = ticks(clock, 11, 120)
    assert clock.timeline(last, 4) is None
    clock.take(CLOCK, last + 60 / 120 / 24)
    timeline = clock.timeline(last, 4)
    assert timeline is not None
    assert timeline.bpm == pytest.approx(120, rel=0.001)


def test_messages_that_come_in_heaps_as_from_jack_are_followed():
    clock, period, heap = MidiClock(lambda: 0.0), 60 / 130 / 24, 0.0213
    for i in range(24 * 12):
        clock.take(CLOCK, 5 + ((i * period) // heap + 1) * heap)
    timeline = clock.timeline(5 + 24 * 12 * period, 4)
    assert timeline is not None
    assert timeline.bpm == pytest.approx(130, rel=0.02)


@pytest.mark.parametrize("bpm", [60, 90, 125, 180])
def test_another_tempo_is_followed_within_four_beats(bpm):
    clock = MidiClock(lambda: 0.0)
    last = ticks(clock, 24 * 8, 120, jitter=0.002)
    period = 60 / bpm / 24
    end = ticks(clock, 24 * 4, bpm, begin=last + period, jitter=0.002, seed=2)
    timeline = clock.timeline(end, 4)
    assert timeline is not None
    assert timeline.bpm == pytest.approx(bpm, rel=0.02)
    assert timeline.beat_at(end) == pytest.approx(12 - 1 / 24, abs=0.05)


def test_one_message_that_is_held_up_changes_nothing():
    clock, period = MidiClock(lambda: 0.0), 60 / 120 / 24
    last = ticks(clock, 24 * 8, 120)
    held = last + period + 0.1
    clock.take(CLOCK, held)
    before = clock.timeline(held, 4)
    assert before is not None
    assert before.bpm == pytest.approx(120, rel=1e-3)
    assert before.at == pytest.approx(last + period, abs=1e-3)


def test_start_stop_continue_and_song_position_say_which_beat_it_is():
    clock, period = MidiClock(lambda: 0.0), 60 / 120 / 24

    def beat(at):
        timeline = clock.timeline(at, 4)
        assert timeline is not None
        return timeline.beat_at(at)

    last = ticks(clock, 40, 120)
    clock.take(mido.Message("start"), last + 0.001)
    last = ticks(clock, 25, 120, begin=last + period)
    assert beat(last) == pytest.approx(1.0, abs=0.01)
    clock.take(mido.Message("stop"), last + 0.001)
    last = ticks(clock, 7, 120, begin=last + period)  # a clock that goes on while it is stopped
    clock.take(mido.Message("continue"), last + 0.001)
    last = ticks(clock, 24, 120, begin=last + period)
    assert beat(last) == pytest.approx(2.0, abs=0.01)
    clock.take(mido.Message("songpos", pos=32), last + 0.001)  # bar 3 of 4 beats
    clock.take(mido.Message("continue"), last + 0.002)
    last = ticks(clock, 1, 120, begin=last + period)
    assert beat(last) == pytest.approx(8.0, abs=0.01)


def test_a_clock_that_is_gone_is_noticed_after_two_seconds_and_found_again():
    clock = MidiClock(lambda: 0.0)
    last = ticks(clock, 48, 100)
    assert clock.timeline(last + 1.9, 4) is not None
    assert clock.timeline(last + 2.1, 4) is None
    end = ticks(clock, 24, 140, begin=last + 30)
    timeline = clock.timeline(end, 4)
    assert timeline is not None
    assert timeline.bpm == pytest.approx(140, rel=0.01)


def test_of_two_clocks_the_first_is_followed_until_it_is_silent():
    leader = Leader()
    assert leader.leads("b", "start", 1.0)  # nobody leads yet
    assert leader.leads("a", "clock", 1.0)
    assert not leader.leads("b", "clock", 1.5)
    assert not leader.leads("b", "stop", 1.5)
    assert leader.leads("a", "stop", 2.0)
    assert not leader.leads("b", "clock", 2.9)
    assert leader.leads("b", "clock", 3.1)
    assert not leader.leads("a", "clock", 3.2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["clock", "start", "stop", "continue", "songpos", "active_sensing"]),
            st.floats(-1, 3),
        ),
        max_size=80,
    )
)
def test_whatever_comes_the_tempo_stays_possible_and_a_steady_clock_is_followed_after_it(messages):
    clock, at = MidiClock(lambda: 0.0), 50.0
    tempos = []
    for kind, step in messages:
        at += step
        clock.take(mido.Message(kind), at)
        timeline = clock.timeline(at, 4)
        tempos += [timeline.bpm] if timeline is not None else []
    last = ticks(clock, 24 * 4, 140, begin=at + 0.5)
    timeline = clock.timeline(last, 4)
    assert timeline is not None
    assert timeline.bpm == pytest.approx(140, rel=0.02)
    assert [bpm for bpm in tempos if not 14.99 < bpm < 999.01] == []


def test_a_clock_that_is_too_fast_is_held_at_the_bound_and_one_too_slow_is_not_followed():
    fast, slow = MidiClock(lambda: 0.0), MidiClock(lambda: 0.0)
    for i in range(48):
        fast.take(CLOCK, 50 + i * 1e-5)
        slow.take(CLOCK, 50 + i * 0.3)
    timeline = fast.timeline(50.001, 4)
    assert timeline is not None
    assert timeline.bpm == pytest.approx(999)
    assert slow.timeline(50 + 47 * 0.3, 4) is None
