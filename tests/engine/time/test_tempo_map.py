"""The tempo map: a log of whole samples that is never rewritten, exact between its beats."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.time.tempo_map import Pace, TempoMap

RATES = st.sampled_from([8000, 24000, 44100])
PACES = st.builds(Pace, st.floats(20, 300), st.integers(1, 7))


@given(RATES, PACES, st.integers(1, 400))
def test_a_steady_tempo_never_drifts(rate, pace, beats):
    tempo = TempoMap(rate)
    for beat in range(1, beats):
        tempo = tempo.until(beat, pace).remembering(8)
    exact = Fraction(60 * rate) / Fraction(pace.bpm) * tempo.last
    assert 0 <= exact - tempo.samples[-1] < 1
    assert len(tempo.samples) <= 9


@given(RATES, st.lists(st.tuples(PACES, st.integers(1, 6)), min_size=1, max_size=6))
def test_the_same_requests_write_the_same_beats_however_many_are_needed_at_once(rate, requests):
    at_once, one_by_one, end = TempoMap(rate), TempoMap(rate), 0
    for pace, beats in requests:
        before = at_once
        end += beats
        at_once = at_once.until(end, pace)
        for _ in range(beats):
            one_by_one = one_by_one.until(one_by_one.last + 1, pace)
        assert at_once.samples[: len(before.samples)] == before.samples
    assert at_once == one_by_one


def test_a_change_of_tempo_applies_from_the_next_beat_that_is_not_written():
    tempo = TempoMap(8000).until(2, Pace(120)).until(4, Pace(60))
    assert tempo.samples == (0, 4000, 8000, 16000, 24000)


def test_a_change_of_metre_applies_from_the_next_bar():
    tempo = TempoMap(8000).until(2, Pace(bar=4)).until(8, Pace(bar=3))
    assert tempo.places == (0, 1, 2, 3, 0, 1, 2, 0)
    assert tempo.bars == (4, 4, 4, 4, 3, 3, 3, 3)


def test_a_piece_that_begins_before_beat_0_has_its_bar_line_at_beat_0():
    tempo = TempoMap(8000, first=-1).until(2, Pace(bar=4))
    assert tempo.places == (3, 0, 1)
    assert tempo.sample_of(0) == 4000


def test_time_is_linear_between_beats_and_goes_on_before_and_after_them():
    tempo = TempoMap(8000).until(1, Pace(120)).until(2, Pace(60))
    assert tempo.sample_of(Fraction(1, 3)) == Fraction(4000, 3)
    assert tempo.sample_of(Fraction(5, 4)) == 6000
    assert (tempo.sample_of(-1), tempo.sample_of(3)) == (-4000, 20000)


def test_the_place_in_the_bar_goes_on_before_the_first_beat():
    tempo = TempoMap(8000).until(4, Pace(100, 3))
    assert tempo.bar_of(Fraction(7, 4)) == (Fraction(7, 4), 3, 100.0)
    assert tempo.bar_of(Fraction(-1, 4))[0] == Fraction(11, 4)


@given(RATES, PACES, PACES, st.integers(1, 20), st.integers(1, 20))
def test_a_state_goes_on_as_the_map_does(rate, first, second, beats, more):
    tempo = TempoMap(rate).until(beats, first).remembering(4)
    again = TempoMap.restored(rate, tempo.state())
    assert again == tempo
    assert again.until(beats + more, second) == tempo.until(beats + more, second)


def test_a_damaged_state_is_refused():
    state = TempoMap(8000).until(3, Pace()).state()
    with pytest.raises(ValueError, match="no order"):
        TempoMap.restored(8000, {**state, "samples": state["samples"][::-1]})


@pytest.mark.parametrize(
    ("values", "message"),
    [((19.9, 4), "tempo: 19.9 is out of range; enter 20 to 300 BPM"),
     ((float("nan"), 4), "tempo: nan is out of range"),
     ((120, 0), "beats: 0 is out of range; enter 1 to 64")],
)  # fmt: skip
def test_a_pace_out_of_range_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Pace(*values)
