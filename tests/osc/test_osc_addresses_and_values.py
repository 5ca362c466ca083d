"""The address space is the table of controls, and values come in as programs send them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.params import HARMONY, PARAMS, param
from osc.addresses import ADDRESSES, address_of, by_path
from osc.values import from_norm, from_osc, number_of, pressed, to_norm, to_osc


def test_every_control_has_one_address_and_a_twin_that_say_what_the_table_says():
    for p in PARAMS:
        a = address_of(p.name)
        assert (a.default, a.unit, a.choices, a.when, a.about, a.free) == (
            p.default, p.unit, p.choices, p.when, p.about, p.free,
        )  # fmt: skip
        if p.kind in ("float", "int"):
            assert (a.low, a.high) == (p.low, p.high)
        twin = by_path()[a.path + "/norm"]
        assert (twin.kind, twin.low, twin.high, twin.param) == ("norm", 0, 1, p.name)
    controls = [a for a in ADDRESSES if a.kind == "control"]
    assert len(controls) == len(PARAMS)


def test_addresses_differ_and_keep_to_the_characters_that_osc_leaves():
    paths = [a.path for a in ADDRESSES]
    assert len(set(paths)) == len(paths)
    assert all(re.fullmatch(r"(/[a-z0-9_]+)+", path) for path in paths)


def test_harmony_is_one_container_of_twelve():
    twelve = [address_of(name).path for name in HARMONY]
    assert twelve[:2] == ["/harmony/c", "/harmony/c_sharp"]
    assert all(path.startswith("/harmony/") for path in twelve)


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
    got = from_osc(param(name), argument)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(("name", "argument"), [
    ("gain", "loud"), ("gain", math.nan), ("gain", "nan"), ("gain", None), ("gain", b"\0"),
    ("gain", [1.0]), ("gain", "free"), ("sampler", "best"), ("sampler", math.nan),
    ("pause", "maybe"), ("steps", (1, 2, 3, 4)), ("gain", "x" * 1000),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_short_line(name, argument):
    with pytest.raises(ConfigError) as caught:
        from_osc(param(name), argument)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 220
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("p", PARAMS, ids=lambda p: p.name)
@given(share=st.floats(0, 1))
def test_the_twin_goes_there_and_back(p, share):
    value = from_norm(p, share)
    assert p.clip(value) == value
    again = from_norm(p, to_norm(p, value))
    if p.kind == "float":
        assert again == pytest.approx(value, rel=1e-9, abs=1e-9)
        assert to_norm(p, value) == pytest.approx(share, abs=1e-9)
    else:
        assert again == value


def test_the_twin_reaches_both_ends_and_is_brought_into_range():
    for p in PARAMS:
        low, high = from_norm(p, -3), from_norm(p, 7.0)
        ends = {"choice": (p.choices[0], p.choices[-1]) if p.choices else (), "bool": (False, True)}
        assert (low, high) == ends.get(p.kind, (p.low, p.high))
    assert from_norm(param("density"), "free") == to_norm(param("density"), "free") == "free"


@given(argument=st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(),
    st.binary(), st.lists(st.integers()), st.tuples(st.integers(), st.integers()),
))  # fmt: skip
def test_anything_is_either_a_value_in_range_or_one_line(argument):
    for p in PARAMS:
        for take in (from_osc, from_norm):
            refused = ""
            try:
                value = take(p, argument)
            except ConfigError as error:
                refused = str(error)
            else:
                assert p.clip(value) == value
                assert isinstance(to_osc(p, value), (int, float, str))
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
