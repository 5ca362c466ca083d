"""An instrument on virtual time: its threads wait for one another, so each run is the same."""

from __future__ import annotations

import time

import numpy as np
from tiny_pack import TINY
from virtual_clock import VirtualClock

from engine.instrument import Instrument


def played(seconds: float) -> tuple[np.ndarray, list[tuple[float, int]]]:
    """Sound [frames, channels] of so long a performance, and its blocks: start and number."""
    clock, heard, blocks = VirtualClock(), [], []
    with Instrument(TINY, latency=1.0, threads=1, steps=2, seed=4, clock=clock) as instrument:
        instrument.tap(lambda block: heard.append(block.copy()))
        instrument.listen_blocks(lambda b: blocks.append((b.start, getattr(b, "index", -1))))
        instrument.set(pause=True)  # until the lead stands: no clock orders the threads' start
        instrument.play(None)
        clock.sleep(1.0)
        instrument.set(pause=False)
        clock.sleep(seconds / 2)
        instrument.set(gain=-12.0, temperature=0.5)
        clock.sleep(seconds / 2)
        assert instrument.status().lead.gaps == 0
        assert clock.now() == seconds + 1.0
    return np.concatenate(heard), blocks


def test_two_performances_with_the_same_seed_are_the_same_and_take_less_time_than_they_last():
    began = time.monotonic()
    first, blocks = played(12.0)
    assert time.monotonic() - began < 12.0
    again, same_blocks = played(12.0)
    assert len(first) > 11 * 48_000
    np.testing.assert_array_equal(first, again)
    assert blocks == same_blocks
    half = len(first) // 2
    assert first[:half].std() > 2 * first[half + 48_000 :].std() > 0
