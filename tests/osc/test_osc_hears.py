"""What the pack hears, asked over OSC: for whoever shows controls."""

from __future__ import annotations

from engine.hearing import first_sampling
from engine.params import PARAMS


def test_hears_names_what_the_pack_hears_with_its_own_defaults(program, instrument):
    one = program()
    one.send("/hears")
    count = one.wait("/hears/end")[1]
    told = {m[1]: m[2] for m in one.heard if m[0] == "/hears"}
    assert len(told) == count
    assert max(one.sizes) < 1_400
    assert told["/steps"] == first_sampling(instrument.manifest).steps.default
    assert told["/gain"] == 0.0
    heard = {p.name for p in PARAMS if not p.packs} | set(instrument.hears)
    assert count == len(heard)
    assert "/density" not in told
