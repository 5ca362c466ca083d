"""Finding controls by their names, and reading those of a pack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.controls.control import FREE, KINDS, Control
from engine.controls.pack_controls import EARLIER_CONTROLS, earlier_controls, read_controls
from engine.controls.table import ControlTable
from engine.errors import ConfigError, PackError

GAIN = Control("gain", "number", 0.0, "live", "", -60.0, 12.0, "dB")


def of_pack(name):
    return Control(f"pack/{name}", "number", 0.0, "block", "")


def test_controls_are_found_by_full_and_by_short_names():
    table = ControlTable.merged([GAIN], EARLIER_CONTROLS)
    assert table["gain"] is GAIN
    assert table["density"] is table["pack/density"]
    assert table["pack/harmony/c_sharp"].index == 1
    assert table["harmony/c"] is table["pack/harmony/c"]
    assert "density" in table
    assert "tempo" not in table
    assert None not in table


def test_the_engines_control_comes_before_one_of_the_pack():
    table = ControlTable.merged([GAIN], [of_pack("gain")])
    assert table["gain"] is GAIN
    assert table["pack/gain"].pack


def test_a_short_name_of_several_controls_is_refused_with_their_names():
    mix = [Control(f"chain/{i}/mix", "number", 0.0, "live", "") for i in (1, 2)]
    with pytest.raises(ConfigError, match="several controls; enter one of chain/1/mix, chain/2/m"):
        ControlTable.merged([GAIN], chain=mix)["mix"]


def test_an_unknown_name_is_refused_with_names_that_are_near():
    table = ControlTable.merged([GAIN], EARLIER_CONTROLS)
    with pytest.raises(ConfigError, match="'densty' is not a control; did you mean density"):
        table["densty"]
    with pytest.raises(ConfigError, match="there are gain, pack/harmony"):
        table["zzzzzz"]


def test_two_controls_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two controls are named 'gain'"):
        ControlTable.merged([GAIN, GAIN])


def test_controls_of_formats_1_and_2_are_those_that_the_stages_name():
    found = earlier_controls(["density", "harmony", "density"])
    assert [control.name for control in found] == ["pack/harmony", "pack/density"]
    with pytest.raises(PackError, match="control 'tempo' is unknown; known are brightness"):
        earlier_controls(["tempo"])


def row(name="density", kind="number", **rest):
    return {"name": name, "kind": kind, "about": "About it.", **rest}


def test_a_pack_may_have_controls_of_every_kind():
    rows = [
        row("density", range=[0.5, 20], unit="notes/s", default="free", group="play"),
        row("voices", "whole", range=[1, 8], default=4),
        row("dry", "switch"),
        row("mood", "choice", choices=["sad", "glad"], encoding="one-hot", free=True),
        row("break", "action"),
        row("prompt", "text"),
        row("scale", "pitch_classes"),
        row("chart", "chords", length=32),
        row("drone", "keys", range=[24, 60]),
    ]
    controls = {control.short: control for control in read_controls("pack.toml", rows)}
    assert {control.kind for control in controls.values()} == set(KINDS)
    density = controls["density"]
    assert (density.name, density.low, density.high) == ("pack/density", 0.5, 20.0)
    assert (density.default, density.free, density.graph_input) == (FREE, True, "density")
    assert controls["voices"].default == 4
    assert controls["mood"].choices == (FREE, "sad", "glad")
    assert controls["chart"].length == 32
    assert not controls["drone"].in_presets
    assert not controls["break"].in_presets


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (row(kind="knob"), "control.kind is 'knob'; use number, whole"),
        (row("Density"), "control.name is 'Density'; use up to 40 lower-case letters"),
        (row("norm", range=[0, 1]), "control.name is 'norm'"),
        (row(), "control 'density': range is missing; use two numbers such as"),
        (row(range=[3, 1]), r"range is \[3, 1\]; use two numbers, the lower one first"),
        (row(range=[0, 1], default=7), "default: pack/density: 7 is out of range; enter 0 to 1"),
        (row("mood", "choice"), r"choices are \[\]; use 1 to 128 different names"),
        (row("mood", "choice", choices=["a", "b"], codes=[1]), "codes are .* use one number for"),
        (row("dry", "switch", range=[0, 1]), "a switch has no range; leave it out"),
        (row("drone", "keys", range=[0, 300]), "use MIDI pitches, 0 to 127"),
        (row(range=[0, 1], colour="red"), "control.colour is unknown; known are name, kind"),
        ({"name": "x", "kind": "switch"}, "control.about is missing: one sentence"),
    ],
)
def test_a_wrong_control_is_refused_with_its_field(table, message):
    with pytest.raises(PackError, match=message) as raised:
        read_controls("pack.toml", [table])
    assert "\n" not in str(raised.value)


def test_two_controls_of_a_pack_with_one_name_are_refused():
    with pytest.raises(PackError, match="two controls named 'density'"):
        read_controls("pack.toml", [row(range=[0, 1]), row(range=[0, 1])])


@given(
    st.fixed_dictionaries(
        {"name": st.text(max_size=5), "kind": st.sampled_from(KINDS), "about": st.text()},
        optional={
            "range": st.lists(st.one_of(st.floats(), st.integers(), st.text()), max_size=3),
            "choices": st.lists(st.text(max_size=4), max_size=3),
            "codes": st.lists(st.floats(), max_size=3),
            "default": st.one_of(st.text(max_size=5), st.floats(), st.booleans()),
            "free": st.booleans(), "unit": st.text(), "length": st.integers(),
        },
    )
)  # fmt: skip
def test_any_table_is_read_or_refused_in_one_line(table):
    problem = ""
    try:
        (control,) = read_controls("pack.toml", [table])
    except PackError as error:
        problem = str(error)
    if problem:
        assert "\n" not in problem
    else:
        assert control.clip(control.default) == control.default
