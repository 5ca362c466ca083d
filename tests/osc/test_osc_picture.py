"""The picture of made music: columns on one axis, whatever blocks they come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage

from engine.audio.spectrogram import KEPT_SECONDS, Spectrogram
from engine.audio.spectrum import Bands, centres
from osc.numbers import floats, picture

RATE = 8000
MIDDLES = centres(RATE)


def tone(seconds, hz):
    t = np.arange(round(seconds * RATE))
    return (0.5 * np.sin(2 * np.pi * hz * t / RATE)).astype(np.float32)


def all_columns(painted, first=0):
    rows = np.frombuffer(painted.columns(first, painted.computed - first), np.uint8)
    return rows.reshape(-1, len(MIDDLES))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(100, 4000), min_size=1, max_size=12), st.integers(1, 30))
def test_columns_are_the_same_however_the_music_was_cut_into_blocks(cuts, slices):
    sound = np.random.default_rng(0).normal(size=sum(cuts)).astype(np.float32) * 0.1
    whole, cut = Spectrogram(RATE, MIDDLES), Spectrogram(RATE, MIDDLES)
    whole.add(0.0, sound[:, None])
    while whole.compute(100):
        pass
    at = 0
    for n in cuts:
        cut.add(at / RATE, sound[at : at + n, None])
        cut.compute(slices)
        at += n
    while cut.compute(slices):
        pass
    assert cut.computed == whole.computed == cut.ready
    np.testing.assert_allclose(all_columns(cut), all_columns(whole), atol=1)


def test_a_column_is_the_spectrum_around_its_time_on_the_published_scale():
    painted, sound = Spectrogram(RATE, MIDDLES), tone(2.0, 1000)
    painted.add(10.0, sound[:, None])
    while painted.compute(7):
        pass
    bands = Bands(RATE, MIDDLES)
    n = 270  # 10.8 s
    middle = n * painted.hop - 10 * RATE
    levels = bands.levels(sound[middle - bands.frame // 2 : middle + bands.frame // 2])
    got = np.frombuffer(painted.columns(n, 1), np.uint8) * (90 / 255) - 90
    np.testing.assert_allclose(got, levels, atol=0.2)
    assert painted.first == 250


def test_music_that_is_generated_again_is_computed_again_from_the_audible_place():
    painted = Spectrogram(RATE, MIDDLES)
    painted.add(0.0, tone(2.0, 500)[:, None])
    while painted.compute(99):
        pass
    before = all_columns(painted)
    first = painted.add(1.5, tone(1.0, 2000)[:, None])
    half = Bands(RATE, MIDDLES).frame / 2 / RATE
    assert first == int((1.5 - half) * 25) + 1  # the first whose window reaches to 1.5 s
    while painted.compute(99):
        pass
    after = all_columns(painted)
    np.testing.assert_array_equal(after[:first], before[:first])
    low, high = abs(MIDDLES - 500).argmin(), abs(MIDDLES - 2000).argmin()
    assert after[41:50, high].min() > 200
    assert after[41:50, low].max() < 100


def test_after_a_drop_the_next_block_begins_on_the_same_axis_without_what_was_dropped():
    painted = Spectrogram(RATE, MIDDLES)
    painted.add(0.0, tone(4.0, 500)[:, None])
    painted.compute(999)
    assert painted.cut(1.0) == 25
    assert not painted.compute(10)
    first = painted.add(4.0, tone(1.0, 2000)[:, None])
    assert first == 100
    painted.compute(999)
    column = np.frombuffer(painted.columns(101, 1), np.uint8)
    assert column[abs(MIDDLES - 500).argmin()] < 120
    assert column[abs(MIDDLES - 2000).argmin()] > 180


def test_an_axis_that_begins_again_and_hours_of_music_take_no_more_room():
    painted = Spectrogram(RATE, MIDDLES)
    sound = tone(3.0, 700)[:, None]
    for i in range(40):
        painted.add(100_000 + 3.0 * i, sound)
        painted.compute(999)
    assert painted.computed - painted.first <= KEPT_SECONDS * 25
    assert painted.add(0.0, sound) == 0
    painted.compute(999)
    assert painted.first == 0
    painted.add(3.0, np.zeros((round(60 * RATE), 1), np.float32))  # longer than there is room for
    while painted.compute(50):
        pass
    assert all_columns(painted, painted.first).shape[0] <= KEPT_SECONDS * 25
    assert painted.computed == painted.ready


@given(
    st.lists(st.floats(-100, 100, width=32), max_size=256), st.sampled_from(["/a", "/abc", "/s"])
)
def test_packed_floats_are_read_by_python_osc(values, address):
    read = OscMessage(floats(address, values))
    assert (read.address, read.params) == (address, values)


@pytest.mark.parametrize("size", [0, 1, 95, 96, 1152])
def test_a_packed_picture_is_read_by_python_osc(size):
    data = picture("/picture", 3600.04, 0.04, 96, b"\x07" * size)
    read = OscMessage(data)
    assert (read.address, read.params) == ("/picture", [3600.04, 0.04, 96, b"\x07" * size])
    assert len(data) < 1400
