"""The output ring holds two of the device's blocks, whatever the device asks for and when."""

from __future__ import annotations

import numpy as np
import pytest
from test_callback_ring import call
from virtual_clock import VirtualClock

from engine.audio.sinks import NullSink, RingSink
from engine.output import FILL_S, JAM_FILL_S, ring_for

PERIOD = 128


class Playing:
    """A sink that a mixer keeps full, and a device that takes blocks at its pace."""

    def __init__(self, rate, fill_s):
        self.rate, self.clock = rate, VirtualClock(5.0)
        self.ring = ring_for(rate, 2)
        self.sink = RingSink(self.ring, rate, fill_s, self.clock)
        self.sink.start()

    def mix(self):
        while self.sink.frames_needed() > 0:
            self.sink.write(np.full((PERIOD, 2), 0.5, np.float32))

    def wait(self, seconds):
        """The mixer looks every half a period."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.mix()
            self.clock.advance(PERIOD / self.rate / 2)

    def block(self, frames, calls=1):
        """One block of the device, in so many calls."""
        out = np.concatenate([call(self.ring, frames // calls) for _ in range(calls)])
        self.wait(frames / self.rate)
        return out


DEVICES = [
    (44100, 64, 1), (48000, 600, 1), (48000, 4096, 1), (48000, 4096, 4), (48000, 8192, 8),
    (96000, 2048, 1), (96000, 8192, 1), (192000, 8192, 8), (8000, 8000, 1),
]  # fmt: skip


@pytest.mark.parametrize("fill_s", [FILL_S, JAM_FILL_S])
@pytest.mark.parametrize(("rate", "block", "calls"), DEVICES)
def test_a_device_plays_everything_from_its_third_block_on(rate, block, calls, fill_s):
    p = Playing(rate, fill_s)
    p.ring.rest(2 * block)  # a device settles for two of its blocks
    p.mix()
    for _ in range(3):
        p.block(block, calls)
    played = np.concatenate([p.block(block, calls) for _ in range(20)])
    assert (played[p.rate // 100 :] == 0.5).all(), "after the fade-in, without a gap"
    assert p.ring.stats().underruns == 0
    assert p.ring.fill >= 2 * block


def test_a_ring_is_as_short_as_it_was_requested_where_the_device_allows_it():
    for fill_s in (FILL_S, JAM_FILL_S):
        p = Playing(48000, fill_s)
        for _ in range(50):
            p.block(256)
            assert p.ring.fill <= round(fill_s * 48000) + PERIOD


def test_a_block_that_grows_while_it_plays_costs_one_dropout_and_no_more():
    p = Playing(48000, JAM_FILL_S)
    for _ in range(40):
        p.block(256)
    for _ in range(10):
        p.block(4096)
    stats = p.ring.stats()
    assert stats.underruns == 1
    assert p.ring.fill >= 8192
    played = np.concatenate([p.block(4096) for _ in range(4)])
    assert (played == 0.5).all()


def test_the_ring_is_short_again_some_seconds_after_the_blocks_are():
    p = Playing(48000, JAM_FILL_S)
    for _ in range(4):
        p.block(4096)
    for _ in range(round(10 * 48000 / 256)):
        p.block(256)
    assert p.ring.fill < 1400
    assert p.ring.stats().underruns <= 1


def test_a_mixer_that_looks_late_takes_no_steady_device_for_one_that_bursts():
    p = Playing(48000, FILL_S)
    for _ in range(20):
        p.block(256)
    for _ in range(20):  # the mixer is held up for 0.1 s
        call(p.ring, 256)
        p.clock.advance(256 / 48000)
    p.mix()
    assert p.ring.fill <= round(FILL_S * 48000) + PERIOD


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000, 192000])
def test_a_ring_can_hold_two_blocks_of_a_second(rate):
    assert ring_for(rate, 2).capacity >= 2 * rate


@pytest.mark.parametrize("rate", [44100, 96000])
def test_fades_of_the_ring_last_five_milliseconds_at_any_rate(rate):
    p = Playing(rate, FILL_S)
    p.mix()
    out = call(p.ring, 1024)[:, 0]
    rising = np.flatnonzero(np.diff(out) > 0)
    assert len(rising) == pytest.approx(0.005 * rate, abs=2)


def test_without_a_device_the_mixer_runs_ahead_for_the_same_time_at_any_rate():
    for rate in (8000, 192000):
        assert NullSink(rate, 2, VirtualClock()).frames_needed() == round(0.0215 * rate)
