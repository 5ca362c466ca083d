"""The controls described over OSC: for whoever shows controls that they have never seen."""

from __future__ import annotations

import pytest
from control_tables import SHIPPED_TABLE

from engine.errors import ConfigError
from engine.pack_settings import first_sampling
from osc.descriptions import described, description


def test_every_control_is_described_with_the_packs_own_default(program, instrument):
    one = program()
    one.send("/controls")
    count = one.wait("/controls/end")[1]
    found = {m[1]: described(m[2]) for m in one.heard if m[0] == "/controls/info"}
    assert max(one.sizes) < 1_400
    assert count == len(found) == len(instrument.settings.table)
    assert found["/steps"].default == first_sampling(instrument.manifest).steps.default
    assert found["/gain"].unit == "dB"
    assert "/pack/density" not in found


@pytest.mark.parametrize("control", SHIPPED_TABLE, ids=lambda c: c.name)
def test_a_description_is_enough_to_show_a_control(control):
    found = described(description(control))
    for field in ("name", "kind", "default", "low", "high", "unit", "choices", "free", "when",
                  "group", "about", "in_presets", "transport"):  # fmt: skip
        assert getattr(found, field) == getattr(control, field), field


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", '{"name": "x", "kind": "knob"}',
                                  '{"name": "a", "kind": "number", "when": "live", "default": "b"}',
                                  "[" * 100_000])  # fmt: skip
def test_what_describes_no_control_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match=r"a control cannot be read|is not a number"):
        described(text)
