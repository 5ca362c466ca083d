"""Ratios of pairs, and latencies of controls by performances that are equal up to the change."""

from __future__ import annotations

import numpy as np
from control_tables import SHIPPED_TABLE
from tiny_pack import TINY

from benchmarks.block_times import measured as measured_blocks
from benchmarks.checkout import Block
from benchmarks.control_latency import AUDIBLE, changed, first_difference, measured
from benchmarks.paired import paired_ratio
from engine.output import FILL_S
from engine.pack_settings import control_table
from engine.packs.read import read_manifest


def test_the_ratio_is_found_though_both_are_disturbed_far_more_than_they_differ():
    rng = np.random.default_rng(1)
    disturbed = rng.uniform(1.0, 5.0, 300)
    found = paired_ratio(1.03 * disturbed * rng.normal(1, 0.02, 300), disturbed, rng)
    assert found.low < 1.03 < found.high
    assert found.high - found.low < 0.01
    assert found.pairs == 300


def test_both_sides_make_the_same_blocks_in_turns_and_the_first_do_not_count():
    class Side:
        def __init__(self) -> None:
            self.made = []

        def do(self, what):
            assert what == "begin"

        def make(self, wanted):
            order.append(self)
            self.made.append(wanted)
            return Block(np.zeros(1, np.float32), 0, [], float(len(self.made)), 1.0)

    order: list[Side] = []
    there, here = Side(), Side()
    old, new = measured_blocks(there, here, 20, 0.625, np.random.default_rng(0))
    assert there.made == here.made
    assert [b.wall for b in old] == [b.wall for b in new] == [float(n) for n in range(5, 25)]
    pairs = list(zip(order[::2], order[1::2], strict=True))
    assert all(set(pair) == {there, here} for pair in pairs)
    assert {pair[0] for pair in pairs} == {there, here}


def test_every_control_of_the_shipped_pack_is_changed_to_another_valid_value():
    for control in SHIPPED_TABLE:
        value = control.check(changed(control))
        assert value != control.default, control.name


def test_a_difference_is_audible_above_its_bound():
    sound = np.zeros(100, np.float32)
    other = sound.copy()
    other[40], other[60] = 0.9 * AUDIBLE, 1.1 * AUDIBLE
    assert first_difference(sound, other) == 60
    assert first_difference(sound, other[:60]) is None


def test_a_block_control_is_audible_after_the_lead_on_virtual_time():
    seed = control_table(read_manifest(TINY))["seed"]
    (found,) = measured(str(TINY), 1.0, [seed], phases=1, threads=1, seed=2, patience=1.0)
    assert found.when == "block"
    assert 0.3 < found.audible[0] < 1.0 + FILL_S + 0.2
