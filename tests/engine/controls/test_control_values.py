"""What a control accepts, how it brings values into range, and how it refuses the others."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.controls.chords import read_chords
from engine.controls.control import FREE, KINDS, Control
from engine.errors import ConfigError


def control(kind, default=0.0, **rest):
    return Control(f"pack/{kind}", kind, default, "block", "About it.", **rest)


DENSITY = control("number", FREE, low=0.5, high=20.0, unit="notes/s", free=True)
VOICES = control("whole", 4, low=1.0, high=16.0)
HARMONY = control("pitch_classes", FREE, free=True)
CHORDS = control("chords", FREE, free=True, length=16)
KEYS = control("keys", (), low=21.0, high=108.0, free=True)
TEXT = control("text", "", free=True)
STYLE = control("choice", FREE, choices=(FREE, "classical", "pop"), free=True)
MUTE = control("switch", False)
ACTION = control("action", False)
ALL = (DENSITY, VOICES, HARMONY, CHORDS, KEYS, TEXT, STYLE, MUTE, ACTION)


def test_there_is_a_control_of_every_kind_here():
    assert {c.kind for c in ALL} == set(KINDS)


@given(
    st.sampled_from(ALL),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(),
        st.lists(st.one_of(st.floats(), st.text(), st.integers())),
        st.dictionaries(st.text(), st.text()),
        st.lists(st.tuples(st.text(max_size=20), st.floats(0, 5)), max_size=9),
    ),
)
def test_any_value_becomes_one_that_the_control_keeps_or_is_refused_in_one_line(one, value):
    problem = ""
    try:
        clipped = one.clip(value)
    except ConfigError as error:
        problem = str(error)
    if problem:
        assert "\n" not in problem
        assert len(problem) < 600
        assert one.name in problem
        return
    assert one.clip(clipped) == clipped
    if isinstance(clipped, tuple):
        assert one.clip(list(clipped)) == clipped, "as JSON brings it"


@given(st.floats(allow_nan=False))
def test_numbers_are_brought_into_range(value):
    assert DENSITY.clip(value) == min(max(value, 0.5), 20.0)


@pytest.mark.parametrize("value", ["many", None, math.nan, "nan", [1, 2], {}])
def test_what_is_not_a_number_is_refused_with_the_range(value):
    with pytest.raises(ConfigError, match=r"is not a number; enter 0.5 to 20 notes/s, or free"):
        DENSITY.clip(value)


def test_a_typed_number_out_of_range_is_refused_with_the_range():
    with pytest.raises(ConfigError, match=r"pack/number: 30 is out of range; enter 0.5 to 20"):
        DENSITY.check(30)
    with pytest.raises(ConfigError, match=r"2\.5 is not a whole number; enter 1 to 16"):
        VOICES.check(2.5)
    assert DENSITY.check("3.5") == 3.5
    assert DENSITY.check(FREE) == FREE


def test_numbers_of_numpy_are_numbers():
    assert VOICES.clip(np.int64(7)) == 7
    assert DENSITY.clip(np.float32(2.5)) == 2.5


def test_a_choice_takes_names_and_indices():
    assert STYLE.clip("pop") == "pop"
    assert STYLE.clip(1) == "classical"
    assert STYLE.clip(FREE) == FREE
    with pytest.raises(ConfigError, match="'jazz' is not one of its choices; enter one of free, c"):
        STYLE.clip("jazz")
    with pytest.raises(ConfigError):
        STYLE.clip(3)


@pytest.mark.parametrize(("value", "on"), [("on", True), ("OFF", False), (1, True), (0.0, False)])
def test_a_switch_takes_words_and_numbers(value, on):
    assert MUTE.clip(value) is on


def test_pitch_classes_take_names_and_weights():
    weights = HARMONY.clip("C E G")
    assert weights == (1.0, 0, 0, 0, 1.0, 0, 0, 1.0, 0, 0, 0, 0)
    assert HARMONY.clip(["c", "e", "G"]) == weights
    assert HARMONY.clip([0.5, 2, -1, *[0] * 9]) == (0.5, 1.0, *[0.0] * 10)
    assert HARMONY.clip("Bb, F#")[10] == HARMONY.clip("Bb, F#")[6] == 1.0


@pytest.mark.parametrize("value", [FREE, "", [], [0] * 12])
def test_no_pitch_class_at_all_leaves_the_harmony_to_the_music(value):
    assert HARMONY.clip(value) == FREE


@pytest.mark.parametrize("value", ["H", "C4", 3, [1, 2, 3], [math.nan] * 12, None])
def test_what_is_not_a_set_of_pitch_classes_is_refused(value):
    with pytest.raises(ConfigError, match="pack/pitch_classes: "):
        HARMONY.clip(value)


def test_keys_are_pitches_or_names_in_order_each_once():
    assert KEYS.clip([64, 60, 60.0, "C3"]) == (48, 60, 64)
    assert KEYS.clip("C3 G3") == (48, 55)
    assert KEYS.clip(60) == (60,)
    assert KEYS.clip([]) == KEYS.clip(FREE) == ()


@pytest.mark.parametrize("value", [[20], [109], ["H3"], [60.5], True, [math.inf]])
def test_keys_out_of_range_are_refused(value):
    with pytest.raises(ConfigError, match="pack/keys: key "):
        KEYS.clip(value)


def test_text_is_one_line_in_composed_letters():
    assert TEXT.clip("  slow\n\tcafe\u0301 ") == "slow café"
    with pytest.raises(ConfigError, match="has 2001 characters; enter 2000 at most"):
        TEXT.clip("x" * 2001)


def test_several_texts_come_with_their_weights():
    assert TEXT.clip([("rain", 1), ["a piano", 0.5]]) == (("rain", 1.0), ("a piano", 0.5))
    assert TEXT.clip([("rain", 2), ("a piano", 0)]) == "rain", "one text alone has no weight"
    assert TEXT.clip([("rain", 0)]) == ""
    with pytest.raises(ConfigError, match="9 texts; enter 8 at most"):
        TEXT.clip([(str(i), 1) for i in range(9)])
    with pytest.raises(ConfigError, match="is not a weight of 0 or more"):
        TEXT.clip([("rain", -1), ("sun", 1)])


def test_chords_are_read_bar_by_bar():
    chords = read_chords("chart", "C | Am7 | F/A G% |".replace("%", ""))
    assert chords.text == "C | Am7 | F/A G"
    beats = chords.beats(16)
    assert beats[0].classes == {0, 4, 7}
    assert beats[4].classes == {9, 0, 4, 7}
    assert beats[8].bass == 9
    assert beats[10].classes == {7, 11, 2}
    assert beats[12] == beats[0], "it repeats"


def test_a_percent_sign_repeats_and_free_leaves_a_bar_to_the_music():
    bars = read_chords("chart", "Dm7 | % | free").bars
    assert bars[1] == bars[0]
    assert bars[2][0].bass is None
    assert not bars[2][0].classes


@pytest.mark.parametrize("text", ["C || G", "H7", "Cmaj77", "C | x", "C" + " C" * 20])
def test_what_is_not_a_progression_is_refused(text):
    with pytest.raises(ConfigError, match="pack/chords: "):
        CHORDS.clip(text)


def test_no_progression_leaves_the_chords_to_the_music():
    assert CHORDS.clip("") == CHORDS.clip(FREE) == FREE


@given(st.floats(0, 1))
def test_positions_go_there_and_back(position):
    for one in (DENSITY, MUTE, STYLE, VOICES):
        value = one.from_position(position)
        assert one.from_position(float(one.to_position(value)) if value != FREE else 0) == value


def test_pitch_classes_have_a_part_for_each_class():
    parts = HARMONY.parts
    assert [p.name for p in parts][:2] == ["pack/pitch_classes/c", "pack/pitch_classes/c_sharp"]
    assert {p.part_of for p in parts} == {HARMONY.name}
    assert [p.index for p in parts] == list(range(12))
    assert DENSITY.parts == ()
