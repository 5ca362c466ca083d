"""Samples as a representation, and how the kinds are found."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from engine.errors import ConfigError, PackError
from engine.fields import read_table
from engine.representations.kinds import KINDS, make_representation
from engine.representations.signals import Grid, Signal


def make(channels=2, rows=None, samples: Fraction | int = 1, kind="samples", **options):
    rows = channels if rows is None else rows
    grid = Grid(samples=Fraction(samples))
    return make_representation(
        Signal("sound", kind, rows, channels, grid, options=options), 44_100, {}.__getitem__
    )


def noise(channels=2, n=100):
    return np.random.default_rng(0).normal(0, 0.3, (channels, n)).astype(np.float32)


def test_samples_pass_through_unchanged():
    x, sound = noise(), make()
    decoder = sound.decoder()
    out = [decoder.push(sound.encode(x)[:, a:b]) for a, b in ((0, 7), (7, 7), (7, 100))]
    np.testing.assert_array_equal(np.concatenate([*out, decoder.flush()], axis=1), x)
    assert decoder.clipped == 0


@pytest.mark.parametrize("channels", [1, 2])
def test_sound_at_a_lower_rate_is_resampled_and_left_to_a_stage(channels):
    t = np.arange(44_100) / 44_100
    x = np.tile(0.3 * np.sin(2 * np.pi * 440 * t), (channels, 1)).astype(np.float32)
    low = make(channels, samples=Fraction(2))
    frames = low.encode(x)
    assert frames.shape == (channels, 22_050)
    # Away from the ends, where the filter sees silence, the half of the samples to -60 dB.
    np.testing.assert_allclose(frames[:, 1000:-1000], x[:, 2000:-2000:2], atol=3e-4)
    with pytest.raises(ConfigError, match="add a stage"):
        low.decoder()


def test_encoding_copies():
    x, sound = noise(), make()
    frames = sound.encode(x)
    frames[:] = 0
    assert x.any()


@pytest.mark.parametrize("frames", [0, 40, 150])
def test_a_past_is_the_last_samples_after_silence(frames):
    x = noise()
    columns, rewind = make().decoder().prime(x, frames)
    assert rewind == 0
    padded = np.concatenate([np.zeros((2, 100), np.float32), x], axis=1)
    np.testing.assert_array_equal(columns, padded[:, 200 - frames :])


def test_values_of_a_diverged_network_are_held_and_counted():
    x = noise()
    x[0, 0], x[1, 1], x[0, 2] = np.nan, np.inf, -9.0
    decoder = make().decoder()
    out = decoder.push(x)
    assert (out[0, 0], out[1, 1], out[0, 2]) == (0, 6, -6)
    assert decoder.clipped == 3


def test_a_decoder_has_nothing_to_remember():
    decoder = make().decoder()
    decoder.push(noise())
    assert decoder.state() == {}
    decoder.restore({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": Fraction(1, 2)}, "grid of 1 sample"),
        ({"rows": 4}, "one row per channel"),
        ({"kind": "wavelet"}, "samples, log-magnitude, mel, mdct, latent, codes, roll"),
        ({"limit": 0.0}, "limit is 0"),
        ({"channels": 0, "rows": 1}, "1 rows in 0 channels"),
    ],
)
def test_signals_that_do_not_fit_are_refused_in_one_line(change, message):
    with pytest.raises((ConfigError, PackError), match=message) as refused:
        make(**change)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", KINDS)
def test_every_option_has_a_sentence_and_a_default_within_its_bounds(name):
    kind = KINDS[name]
    assert kind.about
    for option in kind.options:
        assert option.about
        assert " " not in option.name
        if not option.required:
            alone = (option,)
            assert read_table("pack", name, alone, {option.name: option.default}) == {
                option.name: option.default
            }
    files = {option.name for option in kind.options if option.about.startswith("file:")}
    assert set(kind.files) == files
