"""Controls as the inputs of context graphs: what is requested, and what is left to the music."""

import numpy as np
import pytest

from engine.controls.control import FREE, Control
from engine.controls.encoding import any_set, encode, shape_of
from engine.controls.pack_controls import EARLIER_CONTROLS
from engine.controls.table import ControlTable
from engine.errors import ConfigError

ALL = ControlTable(EARLIER_CONTROLS)
CHORDS = Control("pack/chords", "chords", FREE, "block", "", free=True, length=8)
MOOD = Control("pack/mood", "choice", FREE, "block", "", choices=(FREE, "sad", "glad"), free=True,
               encoding="one-hot")  # fmt: skip
BREAK = Control("pack/break", "action", False, "block", "")
TEXT = Control("pack/prompt", "text", "", "block", "", free=True)


@pytest.mark.parametrize("name", ["harmony", "register", "density", "loudness", "style", "held"])
def test_what_is_left_to_the_music_is_all_zeros(name):
    control = ALL[name]
    array = encode(control, control.default)
    assert not array.any()
    assert array.shape == shape_of(control)
    assert array.dtype == np.float32


def test_shapes_are_those_that_graphs_of_formats_1_and_2_were_exported_with():
    assert {c.short: shape_of(c) for c in EARLIER_CONTROLS} == {
        "harmony": (13,), "register": (2,), "density": (2,), "loudness": (2,), "style": (2,),
        "held": (88,), "instrument": (2,), "room": (2,), "brightness": (2,),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["instrument", "room", "brightness"])
def test_what_cannot_be_left_to_the_music_is_always_a_value(name):
    control = ALL[name]
    for free in (False, True):
        array = encode(control, control.default, free=free)
        assert array.tolist() == [np.float32(control.default), 1]


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("register", 62.0, 62.0), ("density", 7.5, 7.5), ("loudness", 90.0, 90.0),
        ("style", "classical", -1.0), ("style", "pop", 1.0),
    ],
)  # fmt: skip
def test_a_value_is_encoded_in_its_own_unit_with_a_one(name, value, number):
    assert encode(ALL[name], value).tolist() == [number, 1]
    assert encode(ALL[name], value, free=True).tolist() == [0, 0]


def test_one_weight_is_enough_for_a_harmony():
    array = encode(ALL["harmony"], (0, 0.25, 0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0))
    assert np.flatnonzero(array).tolist() == [1, 7, 12]
    assert array[1] == 0.25
    assert not encode(ALL["harmony"], "C E G", free=True).any()


def test_held_keys_are_ones_at_their_places():
    assert np.flatnonzero(encode(ALL["held"], [21, 60, 108])).tolist() == [0, 39, 87]
    assert not encode(ALL["held"], [60], free=True).any()


def test_a_choice_can_be_one_of_n():
    assert encode(MOOD, "glad").tolist() == [0, 1]
    assert encode(MOOD, FREE).tolist() == [0, 0]


def test_an_action_is_one_number():
    assert encode(BREAK, True).tolist() == [1]
    assert encode(BREAK, False).tolist() == [0]


def test_chords_are_pitch_classes_and_bass_beat_by_beat():
    array = encode(CHORDS, "C/E | free")
    assert array.shape == (8, 25)
    assert np.flatnonzero(array[0]).tolist() == [0, 4, 7, 16, 24]
    assert (array[:4] == array[0]).all()
    assert not array[4:].any()


def test_a_text_needs_an_encoder():
    with pytest.raises(ConfigError, match="pack/prompt: a text needs an encoder"):
        encode(TEXT, "rain")


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ({}, False), ({"room": 1.0, "instrument": 1.0, "brightness": -1.0}, False),
        ({"density": 4}, True), ({"style": "classical"}, True), ({"held": [60]}, True),
        ({"harmony": [0.5, *[0] * 11]}, True), ({"harmony": FREE, "style": FREE}, False),
    ],
)  # fmt: skip
def test_guidance_applies_only_when_something_is_requested_that_could_be_free(values, given):
    assert any_set(ALL, values) is given


def test_a_text_counts_as_requested_where_there_is_one():
    assert any_set([TEXT], {"prompt": "rain"})
    assert not any_set([TEXT], {"prompt": ""})


def test_what_a_stage_does_not_name_does_not_count():
    assert not any_set([ALL["density"]], {"register": 50.0})
