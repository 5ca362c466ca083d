"""Controls as a stage hears them: what is asked, what is left free, what guidance may stress."""

import numpy as np
import pytest

from engine.params import HARMONY, PARAMS, Settings
from engine.stream.conditions import any_given, heard, needed

ALL = (
    "harmony", "register", "density", "loudness", "style", "held", "instrument", "room",
    "brightness",
)  # fmt: skip
AT_REST = Settings.defaults().values


def asked(**controls):
    return Settings.defaults(**controls).values


def test_every_control_that_only_some_packs_hear_is_needed_by_some_condition():
    assert set(needed(ALL)) == {p.name for p in PARAMS if p.packs}
    assert needed(("harmony",)) == HARMONY
    assert needed(("held", "room")) == ("room",)
    assert needed(()) == ()


def test_what_is_left_free_is_all_zeros():
    arrays = heard(ALL, AT_REST, ())
    for name in ("harmony", "register", "density", "loudness", "style", "held"):
        assert not arrays[name].any(), name
    assert arrays["harmony"].shape == (13,)
    assert arrays["held"].shape == (88,)


def test_instrument_room_and_brightness_are_always_told():
    arrays = heard(ALL, AT_REST, ())
    assert arrays["room"].tolist() == [pytest.approx(0.3), 1]
    assert arrays["instrument"].tolist() == [0, 1]
    assert arrays["brightness"].tolist() == [0, 1]
    free = heard(ALL, asked(room=0.8), (), free=True)
    assert free["room"].tolist() == [pytest.approx(0.8), 1]


@pytest.mark.parametrize(
    ("control", "value", "told"),
    [
        ("register", 62.0, 62.0), ("density", 7.5, 7.5), ("loudness", 90.0, 90.0),
        ("style", "classical", -1.0), ("style", "pop", 1.0),
    ],
)  # fmt: skip
def test_a_control_is_told_in_its_own_unit_and_that_it_is_given(control, value, told):
    values = asked(**{control: value})
    assert heard((control,), values, ())[control].tolist() == [told, 1]
    assert heard((control,), values, (), free=True)[control].tolist() == [0, 0]


def test_one_wanted_pitch_class_makes_the_harmony_given():
    values = asked(harmony_g=1.0, harmony_c_sharp=0.25)
    harmony = heard(("harmony",), values, ())["harmony"]
    assert harmony[7] == 1
    assert harmony[1] == 0.25
    assert harmony[12] == 1
    assert np.count_nonzero(harmony) == 3
    assert not heard(("harmony",), values, (), free=True)["harmony"].any()


def test_held_keys_are_told_by_their_place_on_the_keyboard():
    held = heard(("held",), AT_REST, (21, 60, 108))["held"]
    assert np.flatnonzero(held).tolist() == [0, 39, 87]
    assert not heard(("held",), AT_REST, (20, 109, 0))["held"].any()
    assert not heard(("held",), AT_REST, (60,), free=True)["held"].any()


def test_a_stage_hears_only_the_controls_it_names():
    assert set(heard(("density", "room"), AT_REST, (60,))) == {"density", "room"}


def test_arrays_are_float32():
    values = asked(density=3, harmony_c=1, style="pop")
    assert {a.dtype for a in heard(ALL, values, (60,)).values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("controls", "keys", "given"),
    [
        ({}, (), False),
        ({"room": 1.0, "instrument": 1.0, "brightness": -1.0}, (), False),
        ({"density": 4}, (), True),
        ({"style": "classical"}, (), True),
        ({"harmony_a": 0.5}, (), True),
        ({}, (60,), True),
        ({}, (5,), False),
    ],
)
def test_guidance_has_something_to_stress_only_when_something_is_asked_for(controls, keys, given):
    assert any_given(ALL, asked(**controls), keys) is given


def test_what_a_stage_does_not_hear_gives_it_nothing_to_stress():
    assert not any_given(("density", "room"), asked(register=50, harmony_c=1), (60,))
