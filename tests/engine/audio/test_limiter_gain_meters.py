"""Limiter, gain, gate and meters: no overshoot, no click, no change where none is due."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.gain import Gate, SmoothGain, db_to_gain
from engine.audio.limiter import Limiter
from engine.audio.meters import Meter

RATE = 48000


def in_blocks(process, x: np.ndarray, sizes: list[int]) -> np.ndarray:
    out, at, turn = [], 0, 0
    while at < len(x):
        size = sizes[turn % len(sizes)]
        out.append(process(x[at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate(out)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    loudness=st.floats(0.01, 100.0),
    sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=5),
    rate=st.sampled_from([8000, 16000, 48000]),
)
def test_the_limiter_never_exceeds_its_ceiling(seed, loudness, sizes, rate):
    random = np.random.default_rng(seed)
    x = (loudness * random.standard_normal((6000, 2))).astype(np.float32)
    x[random.random(6000) < 0.5] *= 0.01
    limiter = Limiter(rate, 2)
    y = in_blocks(limiter.process, x, sizes)
    assert y.shape == x.shape
    assert np.abs(y).max() <= db_to_gain(-0.3) + 1e-7


def test_below_the_ceiling_the_limiter_only_delays():
    limiter = Limiter(RATE, 2)
    x = np.random.default_rng(1).uniform(-0.96, 0.96, (5000, 2)).astype(np.float32)
    y = in_blocks(limiter.process, x, [256])
    assert limiter.latency == 144
    np.testing.assert_array_equal(y[144:], x[:-144])


def test_the_limiter_is_transparent_again_a_second_after_a_peak():
    limiter = Limiter(RATE, 2)
    x = np.random.default_rng(2).uniform(-0.5, 0.5, (2 * RATE, 2)).astype(np.float32)
    x[100] = 8.0
    y = in_blocks(limiter.process, x, [128])
    np.testing.assert_array_equal(y[-RATE // 2 :], x[-RATE // 2 - 144 : -144])


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_the_limiter_does_not_depend_on_how_the_audio_is_cut(sizes):
    x = (2.0 * np.random.default_rng(3).standard_normal((3000, 2))).astype(np.float32)
    whole = in_blocks(Limiter(RATE, 2).process, x, [128])
    cut = in_blocks(Limiter(RATE, 2).process, x, sizes)
    np.testing.assert_allclose(cut, whole, atol=2e-5)


def test_the_limiter_keeps_the_stereo_image_and_does_not_click():
    t = np.arange(RATE // 2)
    tone = np.sin(2 * np.pi * 200 * t / RATE)
    x = np.stack([3.0 * tone, 0.3 * tone], axis=1).astype(np.float32)
    limiter = Limiter(RATE, 2)
    y = in_blocks(limiter.process, x, [256])
    np.testing.assert_allclose(y[:, 1] * 10.0, y[:, 0], atol=1e-4)
    assert np.abs(np.diff(y[:, 0])).max() < 0.08, "the loud tone's own slope is 0.0785 at 3.0"
    assert limiter.reduction == pytest.approx(1 - db_to_gain(-0.3) / 3.0, abs=0.02)


def test_a_gain_jump_is_a_ramp_without_clicks():
    gain = SmoothGain(RATE, 512, start=1.0)
    out = []
    for target in [1.0, 0.0, 0.0, 2.0, 0.5, 1.0] + [1.0] * 20:
        block = np.ones((512, 2), np.float32)
        gain.process(block, target)
        out.append(block)
    x = np.concatenate(out)
    assert np.abs(np.diff(x[:, 0])).max() < 2.0 * 1.01 / (0.01 * RATE)
    assert x[3 * 512 - 1, 0] < 0.15
    np.testing.assert_array_equal(x[-512:], 1.0)
    assert gain.value == 1.0


def test_a_gain_of_one_changes_no_bit():
    x = np.random.default_rng(4).standard_normal((256, 2)).astype(np.float32)
    y = x.copy()
    SmoothGain(RATE, 256).process(y, 1.0)
    Gate(480, opened=True).process(y, True)
    np.testing.assert_array_equal(x, y)


@settings(max_examples=40, deadline=None)
@given(orders=st.lists(st.tuples(st.booleans(), st.integers(0, 400)), min_size=1, max_size=40))
def test_the_gate_never_jumps_and_ends_where_it_is_set(orders):
    gate = Gate(480)
    heard = [np.zeros((1, 2), np.float32)]
    for opened, frames in [*orders, (True, 480), (True, 1), (False, 480), (False, 1)]:
        block = np.ones((frames, 2), np.float32)
        gate.process(block, opened)
        heard.append(block)
    x = np.concatenate(heard)[:, 0]
    assert np.abs(np.diff(x)).max() <= 1.5 / 480 + 1e-6
    assert x[-482] == 1.0
    assert x[-1] == 0.0
    assert gate.closed


def test_decibels_become_gains():
    assert db_to_gain(-np.inf) == 0.0
    assert db_to_gain(-20.0) == pytest.approx(0.1)


def test_meters_show_peak_rms_and_clips_as_a_frozen_snapshot():
    meter = Meter(RATE, 2, window_s=0.1)
    t = np.arange(4800)
    left = np.sin(2 * np.pi * 1000 * t / RATE)
    x = np.stack([left, 0.5 * left], axis=1).astype(np.float32)
    for at in range(0, 4800, 480):
        meter.update(x[at : at + 480], clips=3, reduction=at / 4800)
    shown = meter.snapshot()
    assert shown.peak == pytest.approx((1.0, 0.5), abs=1e-3)
    assert shown.rms == pytest.approx((np.sqrt(0.5), np.sqrt(0.125)), rel=1e-3)
    assert (shown.clips, shown.frames, shown.reduction) == (30, 4800, pytest.approx(0.9))
    with pytest.raises(dataclasses.FrozenInstanceError):
        shown.clips = 0
    for _ in range(10):
        meter.update(np.zeros((480, 2), np.float32))
    assert meter.snapshot().peak == (0.0, 0.0)
    assert meter.snapshot().clips == 30
