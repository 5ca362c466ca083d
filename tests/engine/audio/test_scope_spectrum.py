"""The scope keeps what is heard; traces stand still; spectra say what is in a sound."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.scope import Scope, trace
from engine.audio.spectrum import BANDS, FLOOR, Bands, centres

RATE = 48000


def stereo(values):
    return np.repeat(np.asarray(values, np.float32)[:, None], 2, axis=1)


@given(st.lists(st.integers(1, 300), max_size=20), st.integers(1, 256), st.integers(0, 100))
def test_the_scope_gives_what_was_tapped_last_however_it_was_cut(cuts, frames, behind):
    scope, at = Scope(400), 0
    for n in cuts:
        scope.tap(stereo(np.arange(at, at + n) + 1))
        at += n
    got = scope.last(frames, behind=behind)
    end = max(at - behind, 0)
    want = np.arange(end - frames, end) + 1
    want[want < 1] = 0  # before the first frame it was silent
    np.testing.assert_array_equal(got, want)


def test_a_scope_takes_other_channels_from_one_block_to_the_next_and_mixes_them():
    scope = Scope(100)
    scope.tap(np.float32([[1.0], [2.0]]))
    scope.tap(np.float32([[0.0, 1.0], [1.0, -1.0]]))
    scope.tap(np.zeros((400, 2), np.float32))
    assert scope.written == 404
    np.testing.assert_array_equal(scope.last(100), 0)
    scope.tap(np.float32([[0.5, 1.0]]))
    assert scope.last(2).tolist() == [0.0, 0.75]
    assert not scope.last(1000).any()  # more than it has room for


def test_a_reader_never_sees_two_times_mixed():
    scope, ending = Scope(4096), threading.Event()

    def write():
        at = 0
        while not ending.is_set():
            scope.tap((np.arange(at, at + 128) % 65536).astype(np.float32)[:, None])
            at += 128

    writer = threading.Thread(target=write)
    writer.start()
    looks, end = 0, time.monotonic() + 20  # the writer's thread begins when it is scheduled
    try:
        while looks < 400 and time.monotonic() < end:
            steps = np.diff(scope.last(2000).astype(np.int64))
            first = np.flatnonzero(steps)  # silence comes before the beginning only
            if len(first):
                looks += 1
                assert set(steps[first[0] :].tolist()) <= {1, -65535}
    finally:
        ending.set()
        writer.join()
    assert looks == 400, "the numbers were seen"


@pytest.mark.parametrize("shift", [0, 17, 301])
def test_a_trace_of_a_tone_stands_still_and_shows_its_peaks(shift):
    t = np.arange(4000) + shift
    tone = np.sin(2 * np.pi * 220 * t / RATE).astype(np.float32)
    shown = trace(tone, 1600, 128).reshape(-1, 2)
    assert shown.shape == (128, 2)
    assert (shown[:, 0] <= shown[:, 1]).all()
    assert -0.03 < shown[0, 0] < 0.03  # it begins at zero,
    assert shown[1, 1] > shown[0, 1]  # rising
    assert shown.max() == pytest.approx(1, abs=1e-3)
    assert shown.min() == pytest.approx(-1, abs=1e-3)


def test_a_trace_of_silence_or_of_little_is_what_there_is():
    assert not trace(np.zeros(4000, np.float32), 1600, 128).any()
    assert trace(np.zeros(0, np.float32), 10, 128).shape == (0,)
    assert trace(np.ones(50, np.float32), 40, 128).shape == (80,)


@pytest.mark.parametrize("rate", [11025, 16000, 24000, 44100, 48000, 96000])
@pytest.mark.parametrize("hz", [60.0, 440.0, 3000.0])
def test_a_sine_of_full_scale_reads_0_db_in_its_band_and_less_elsewhere(rate, hz):
    bands = Bands(rate, centres(rate))
    sine = np.sin(2 * np.pi * hz * np.arange(bands.frame) / rate).astype(np.float32)
    levels = bands.levels(sine)
    assert levels.shape == (BANDS,)
    assert levels.dtype == np.float32
    top = int(levels.argmax())
    assert -1.6 < levels[top] <= 0.05
    assert bands.middles[top] == pytest.approx(hz, rel=0.12)
    far = abs(np.log2(bands.middles / hz)) > 1.5
    assert levels[far].max() < -50


def test_silence_is_the_floor_and_many_frames_are_as_one_by_one():
    bands = Bands(24000, centres(48000, 24000))
    assert bands.middles[-1] == pytest.approx(12000)
    noise = np.random.default_rng(1).normal(size=(5, bands.frame)).astype(np.float32)
    together = bands.levels(noise)
    for one, frame in zip(together, noise, strict=True):
        np.testing.assert_allclose(bands.levels(frame), one, atol=1e-3)
    assert set(bands.levels(np.zeros(bands.frame, np.float32)).tolist()) == {FLOOR}
