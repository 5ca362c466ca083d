"""The address space is the table of controls, and values come in as programs send them."""

from __future__ import annotations

import math
import re

import pytest
from control_tables import SHIPPED_SPACE, SHIPPED_TABLE, SHIPPED_TURNED
from hypothesis import given
from hypothesis import strategies as st

from engine.controls.control import NUMERIC, Control
from engine.errors import ConfigError
from osc.values import from_normalised, from_osc, number_of, pressed, to_normalised, to_osc


def test_every_control_has_one_address_and_a_twin_that_say_what_the_table_says():
    for p in SHIPPED_TABLE.with_parts:
        a = SHIPPED_SPACE.of(p.name)
        assert (a.default, a.unit, a.choices, a.when, a.about, a.free) == (
            p.default, p.unit, p.choices, p.when, p.about, p.free and not p.choices,
        )  # fmt: skip
        if p.kind in NUMERIC:
            assert (a.low, a.high) == (p.low, p.high)
        if not p.has_position:
            assert a.path + "/norm" not in SHIPPED_SPACE.by_path
            continue
        twin = SHIPPED_SPACE.by_path[a.path + "/norm"]
        assert (twin.kind, twin.low, twin.high, twin.param) == ("norm", 0, 1, p.name)
    controls = [a for a in SHIPPED_SPACE.addresses if a.kind == "control"]
    assert len(controls) == len(SHIPPED_TABLE.with_parts)


def test_addresses_differ_and_keep_to_the_characters_that_osc_leaves():
    paths = [a.path for a in SHIPPED_SPACE.addresses]
    assert len(set(paths)) == len(paths)
    assert all(re.fullmatch(r"(/[a-z0-9_]+)+", path) for path in paths)


def test_pitch_classes_have_an_address_each_below_that_of_the_control():
    twelve = [SHIPPED_SPACE.of(part.name).path for part in SHIPPED_TABLE["harmony"].parts]
    assert twelve[:2] == ["/pack/harmony/c", "/pack/harmony/c_sharp"]
    assert all(path.startswith("/pack/harmony/") for path in twelve)
    assert SHIPPED_SPACE.of("harmony").types == "f" * 12


@pytest.mark.parametrize(("name", "arguments", "value", "wire"), [
    ("harmony", ("C E G",), (1.0, 0, 0, 0, 1.0, 0, 0, 1.0, 0, 0, 0, 0), None),
    ("harmony", (0.5, *[0.0] * 11), (0.5, *[0.0] * 11), None),
    ("harmony", ("free",), "free", ("free",)),
    ("held", (64, 60), (60, 64), (60, 64)), ("held", ("C4",), (60,), (60,)),
    ("held", (0,), (), (0,)),
])  # fmt: skip
def test_controls_of_several_values_take_them_all(name, arguments, value, wire):
    got = from_osc(SHIPPED_TABLE[name], arguments)
    assert got == value
    assert to_osc(SHIPPED_TABLE[name], got) == (wire or value)


@pytest.mark.parametrize(("arguments", "value"), [
    (("slow rain",), "slow rain"), (("rain", 1.0, "sun", 0.5), (("rain", 1.0), ("sun", 0.5))),
    (("rain", 1.0), "rain"), (("",), ""),
])  # fmt: skip
def test_a_text_comes_alone_or_as_pairs_with_weights(arguments, value):
    text = Control("pack/prompt", "text", "", "block", "", free=True)
    assert from_osc(text, arguments) == value
    assert from_osc(text, to_osc(text, value)) == value
    with pytest.raises(ConfigError, match="3 values"):
        from_osc(text, ("rain", 1.0, "sun"))


@pytest.mark.parametrize(("name", "argument", "value"), [
    ("gain", 3, 3.0), ("gain", "-6", -6.0), ("gain", 1e9, 12.0), ("gain", -math.inf, -60.0),
    ("gain", True, 1.0),
    ("steps", 7.6, 8), ("steps", "12", 12), ("steps", 2**60, 200), ("steps", "1e400", 200),
    ("pause", 1, True), ("pause", 0.0, False), ("pause", True, True), ("pause", "off", False),
    ("sampler", "heun", "heun"), ("sampler", 2, "euler"), ("sampler", 2.9, "euler"),
    ("sampler", "2", "euler"), ("sampler", 99, "ping_pong"), ("sampler", -5, "pack"),
    ("density", "free", "free"), ("density", 4, 4.0),
])  # fmt: skip
def test_values_of_every_type_are_taken_where_they_make_sense(name, argument, value):
    got = from_osc(SHIPPED_TABLE[name], (argument,))
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(("name", "argument"), [
    ("gain", "loud"), ("gain", math.nan), ("gain", "nan"), ("gain", None), ("gain", b"\0"),
    ("gain", [1.0]), ("gain", "free"), ("sampler", "best"), ("sampler", math.nan),
    ("pause", "maybe"), ("steps", (1, 2, 3, 4)), ("gain", "x" * 1000),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_short_line(name, argument):
    with pytest.raises(ConfigError) as caught:
        from_osc(SHIPPED_TABLE[name], (argument,))
    assert name in str(caught.value)
    assert len(str(caught.value)) < 220
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("p", SHIPPED_TURNED, ids=lambda p: p.name)
@given(share=st.floats(0, 1))
def test_the_twin_goes_there_and_back(p, share):
    value = from_normalised(p, share)
    assert p.clip(value) == value
    again = from_normalised(p, to_normalised(p, value))
    if p.kind == "number":
        assert again == pytest.approx(value, rel=1e-9, abs=1e-9)
        assert to_normalised(p, value) == pytest.approx(share, abs=1e-9)
    else:
        assert again == value


def test_the_twin_reaches_both_ends_and_is_brought_into_range():
    for p in SHIPPED_TURNED:
        low, high = from_normalised(p, -3), from_normalised(p, 7.0)
        ends = {
            "choice": (p.choices[0], p.choices[-1]) if p.choices else (),
            "switch": (False, True),
        }
        assert (low, high) == ends.get(p.kind, (p.low, p.high))
    assert (
        from_normalised(SHIPPED_TABLE["density"], "free")
        == to_normalised(SHIPPED_TABLE["density"], "free")
        == "free"
    )


@given(argument=st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(),
    st.binary(), st.lists(st.integers()), st.tuples(st.integers(), st.integers()),
))  # fmt: skip
def test_anything_is_either_a_value_in_range_or_one_line(argument):
    for p in SHIPPED_TURNED:
        for take in (from_osc, from_normalised):
            refused = ""
            try:
                value = take(p, (argument,) if take is from_osc else argument)
            except ConfigError as error:
                refused = str(error)
            else:
                assert p.clip(value) == value
                assert isinstance(to_osc(p, value)[0], (int, float, str))
            assert len(refused.splitlines()) < 2


def test_a_button_acts_on_one_or_nothing_and_not_on_its_release():
    assert pressed("/panic", [])
    assert pressed("/panic", [1.0])
    assert pressed("/panic", [True])
    assert not pressed("/panic", [0])
    with pytest.raises(ConfigError, match="is not a number"):
        pressed("/panic", ["now"])
    with pytest.raises(ConfigError, match="not a number"):
        number_of("/meters", "fast")
