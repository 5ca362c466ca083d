"""Mel bands: the filter bank, encoding, and what they sound like without a vocoder."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError, PackError
from engine.representations.kinds import make_representation
from engine.representations.mel import filter_bank
from engine.representations.signals import Grid, Signal

MEANS = {"mean.npy": np.linspace(-2, -6, 40).astype(np.float32)}


def make(channels=1, rows=40, rate=16_000, hop: Fraction | int = 256, **options):
    options = {"window": 1024, "floor": 1e-5} | options
    grid = Grid(samples=Fraction(hop))
    signal = Signal("bands", "mel", rows * channels, channels, grid, options=options)
    return make_representation(signal, rate, MEANS.__getitem__)


def tone(frequency, rate=16_000, seconds=0.5, level=0.3):
    return (level * np.sin(2 * np.pi * frequency / rate * np.arange(int(seconds * rate)))).astype(
        np.float32
    )


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("rate", [4_000, 44_100, 192_000])
def test_bands_overlap_so_that_their_peaks_add_up_to_one(scale, rate):
    bank = filter_bank(rate, 16_384, 40, 0.0, rate / 2, scale=scale, norm="none")
    peaks = bank.argmax(axis=1)
    inner = bank[:, peaks[0] + 1 : peaks[-1]]
    np.testing.assert_allclose(inner.sum(axis=0), 1.0, atol=1e-5)
    assert (np.diff(peaks) > 0).all()


def test_slaneys_norm_makes_areas_equal():
    bank = filter_bank(16_000, 8192, 20, 0.0, 8000.0, scale="slaney", norm="slaney")
    areas = bank.sum(axis=1) * 16_000 / 8192
    np.testing.assert_allclose(areas, 1.0, rtol=0.02)  # a sum over bins for the integral


@pytest.mark.parametrize(
    ("scale", "norm", "band", "centre"),
    # The 3rd of 6 bands over 0 to 4 kHz, at 3/7 of 35.16 and 2146.1 mels, worked out by hand.
    [("slaney", "none", 2, 1004.8), ("htk", "none", 2, 883.2)],
)
def test_bands_stand_where_the_formula_says(scale, norm, band, centre):
    bank = filter_bank(8_000, 8192, 6, 0.0, 4000.0, scale=scale, norm=norm)
    assert bank[band].argmax() * 8_000 / 8192 == pytest.approx(centre, abs=1.0)


@pytest.mark.parametrize("frequency", [220.0, 1000.0, 4000.0])
def test_a_tone_is_loudest_in_the_band_that_holds_it(frequency):
    frames = make(norm="none").encode(tone(frequency)[None])
    bank = filter_bank(16_000, 1024, 40, 0.0, 8000.0, scale="slaney", norm="none")
    bands = bank[:, round(frequency / 16_000 * 1024)]
    assert bands[frames[:, 5].argmax()] == bands.max()


def test_silence_is_the_floor_and_nothing_is_infinite():
    quiet = np.zeros((2, 4096), np.float32)
    for rule in ("add", "clamp"):
        frames = make(2, floor_rule=rule).encode(quiet)
        np.testing.assert_allclose(frames, np.log(1e-5), rtol=1e-5)


def test_twice_as_loud_is_log_two_more_and_its_square_twice_that():
    x = np.random.default_rng(0).normal(0, 0.1, (1, 8000)).astype(np.float32)
    for power in (1, 2):
        sound = make(power=power)
        rise = sound.encode(2 * x) - sound.encode(x)
        np.testing.assert_allclose(rise, power * np.log(2), atol=2e-2)


def test_channels_are_encoded_alone_one_after_the_other():
    x = np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype(np.float32)
    both = make(2, mean="mean.npy", scale=2.0).encode(x)
    one = make(1, mean="mean.npy", scale=2.0)
    np.testing.assert_array_equal(both, np.concatenate([one.encode(x[:1]), one.encode(x[1:])]))


@pytest.mark.parametrize("power", [1, 2])
def test_bands_can_be_decoded_without_a_vocoder(power):
    """A tone comes back with its frequency, within a bin, and nearly its level: bands blur it."""
    sound = make(rows=80, phase="gradient-gl", power=power)
    decoder = sound.decoder()
    out = decoder.push(sound.encode(tone(1500.0, seconds=1.0)[None]))[0]
    middle = out[4096 : 4096 + 8192]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(8192)))
    assert spectrum.argmax() * 16_000 / 8192 == pytest.approx(1500.0, abs=15.7)
    level = 20 * np.log10(middle.std() / tone(1500.0).std())
    assert abs(level) < 4.0
    assert decoder.clipped == 0


@settings(max_examples=8, deadline=None)
@given(
    channels=st.integers(1, 2),
    before=st.lists(st.integers(0, 9), max_size=2),
    after=st.lists(st.integers(0, 9), min_size=1, max_size=3),
)
def test_a_restored_decoder_continues_to_the_bit(channels, before, after):
    rng = np.random.default_rng(2)
    sound = make(channels, phase="gradient")
    frames = rng.normal(-5, 1, (40 * channels, 60)).astype(np.float32)
    one, other = sound.decoder(), sound.decoder()
    at = 0
    for size in before:
        one.push(frames[:, at : at + size])
        at += size
    other.restore(one.state())
    for size in after:
        part = frames[:, at : at + size]
        np.testing.assert_array_equal(one.push(part), other.push(part))
        at += size


def test_without_a_phase_a_vocoder_is_required():
    with pytest.raises(ConfigError, match="vocoder"):
        make().decoder()


def test_the_projection_holds_what_a_network_overflowed():
    block = np.full((40, 3), np.inf, np.float32)
    clean, events = make().projection().project(block, 3)
    assert np.isfinite(clean).all()
    assert events == ()


def test_usual_values_are_within_the_default_limit():
    sound = make()
    frames = sound.encode(np.stack([tone(440.0, level=1.0)]))
    quiet = sound.encode(np.zeros((1, 4096), np.float32))
    for block in (frames, quiet):
        np.testing.assert_array_equal(sound.projection().project(block, block.shape[1])[0], block)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"high": 9000.0}, "9000 Hz: choose a range within 0 to 8000"),
        ({"low": 5000.0, "high": 4000.0}, "from 5000 to 4000"),
        ({"rows": 400}, "narrower than a bin"),
        ({"power": 3}, "power is 3"),
        ({"hop": 1000}, "hop 1000"),
        ({"rows": 20, "mean": "mean.npy"}, r"\(40,\)"),
        ({"norm": "area"}, "slaney, none"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(change, message):
    with pytest.raises((ConfigError, PackError), match=message) as refused:
        make(**change)
    assert "\n" not in str(refused.value)
