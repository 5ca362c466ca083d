"""Whether the comparison of two checkouts sees what differs, and plays this one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.checkout import HERE, Block, Checkout, Wanted
from benchmarks.same_samples import PIECES, compared
from engine.errors import ConfigError


def blocks(count: int = 3) -> list[Block]:
    rng = np.random.default_rng(0)
    return [
        Block(rng.uniform(-0.5, 0.5, 100).astype(np.float32), 0, [(n, 60, 90)], 0.1, 0.1)
        for n in range(count)
    ]


def test_the_same_blocks_are_equal_to_the_bit():
    found = compared(blocks(), blocks())
    assert (found.difference, found.same_notes, found.notes) == (0.0, True, 3)


@pytest.mark.parametrize("off", [1e-7, 0.25])
def test_one_sample_that_differs_is_seen(off):
    changed = blocks()
    samples = changed[1].samples.copy()
    samples[7] += np.float32(off)
    changed[1] = replace(changed[1], samples=samples)
    assert compared(blocks(), changed).difference == pytest.approx(off, rel=0.3)


def test_another_length_or_another_note_is_seen():
    changed = blocks()
    changed[0] = replace(changed[0], samples=changed[0].samples[1:])
    assert compared(blocks(), changed).difference == np.inf
    changed = blocks()
    changed[2] = replace(changed[2], notes=[(2, 61, 90)])
    assert not compared(blocks(), changed).same_notes


def test_controls_change_and_keys_are_held_in_the_piece_that_says_so():
    piece = next(p for p in PIECES if p.changing)
    wanted = [piece.wanted(k, 60, 1) for k in range(60)]
    assert {w.sampler for w in wanted} == {"pack", "heun"}
    assert {w.stride for w in wanted} == {1.0, 0.5}
    assert np.mean([w.stride for w in wanted]) == pytest.approx(piece.stride)
    assert sum(bool(w.held) for w in wanted) > 10
    assert {w.controls["density"] for w in wanted} == {"free", 6.0}


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"has no engine/errors\.py: choose the folder"):
        Checkout(tmp_path)


def test_this_checkout_plays_on_from_its_state_in_another_walk():
    def played(*, restart: bool) -> bytes:
        here.do("begin")
        first = here.make(Wanted(0, steps=2))
        if restart:
            here.do("restart")
        second = here.make(Wanted(1, steps=2, stride=0.625))
        assert first.samples.size > second.samples.size > 0
        assert second.wall > 0
        return first.samples.tobytes() + second.samples.tobytes()

    with Checkout(HERE) as here:
        assert played(restart=True) == played(restart=False)
