"""Latents and codes: what only networks encode and decode, scaled and snapped here."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError, PackError
from engine.representations.kinds import make_representation
from engine.representations.signals import Grid, Signal

RNG = np.random.default_rng(0)
LEVELS, ENTRIES, DIMENSIONS = 3, 8, 4
# Residual codebooks: every level is finer than the one before.
FINER = np.array([1.0, 0.2, 0.04])[:, None, None]
BOOKS = (RNG.normal(0, 1, (LEVELS, ENTRIES, DIMENSIONS)) * FINER).astype(np.float32)
FILES = {
    "mean.npy": np.arange(6, dtype=np.float32),
    "deviation.npy": np.arange(1, 7, dtype=np.float32),
    "books.npy": BOOKS,
    "flat.npy": BOOKS[0],
    "zero.npy": np.zeros(6, np.float32),
}


def make(kind, rows, channels=1, empty="", **options):
    signal = Signal("z", kind, rows, channels, Grid(samples=Fraction(441, 2)), empty, options)
    return make_representation(signal, 44_100, FILES.__getitem__)


def codes(channels=1, levels=LEVELS, **options):
    stacked = 1 if options.get("layout") == "summed" else levels
    return make(
        "codes", channels * stacked * DIMENSIONS, channels, codebooks="books.npy", **options
    )


# ------------------------------------------------------------------------ latents


def test_latents_are_scaled_row_by_row_and_back():
    latent = make("latent", 6, mean="mean.npy", deviation="deviation.npy")
    z = RNG.normal(0, 3, (6, 9)).astype(np.float32)
    frames = latent.scaled(z)
    np.testing.assert_allclose(frames[2], (z[2] - 2) / 3, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(latent.latents(frames), z, rtol=1e-5, atol=1e-5)


def test_latents_without_files_are_as_the_network_has_them():
    z = RNG.normal(0, 1, (6, 9)).astype(np.float32)
    np.testing.assert_array_equal(make("latent", 6).scaled(z), z)


def test_the_empty_latent_may_be_a_file():
    np.testing.assert_array_equal(
        make("latent", 6, empty="mean.npy").empty[:, 0], FILES["mean.npy"]
    )


@pytest.mark.parametrize("kind", ["latent", "codes"])
def test_sound_is_left_to_network_stages(kind):
    signal = codes() if kind == "codes" else make("latent", 6)
    with pytest.raises(ConfigError, match="stage"):
        signal.encode(np.zeros((1, 1000), np.float32))
    with pytest.raises(ConfigError, match="stage"):
        signal.decoder()
    with pytest.raises(ConfigError, match="roll"):
        signal.projection().past([], 1.0, 4)


# ------------------------------------------------------------------------ codes


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), channels=st.integers(1, 2), frames=st.integers(0, 5))
def test_codes_survive_as_vectors(seed, channels, frames):
    stacked = codes(channels, scale=2.0)
    wanted = np.random.default_rng(seed).integers(0, ENTRIES, (channels, LEVELS, frames))
    vectors = stacked.frames(wanted)
    assert vectors.shape == (stacked.rows, frames)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(stacked.indices(vectors), wanted)


def test_vectors_are_the_codebooks_own_over_the_scale():
    vectors = codes(scale=2.0).frames(np.array([[[3], [1], [7]]]))
    wanted = np.concatenate([BOOKS[0, 3], BOOKS[1, 1], BOOKS[2, 7]])
    np.testing.assert_array_equal(vectors[:, 0], wanted / 2)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), channels=st.integers(1, 2))
def test_the_projection_snaps_to_the_nearest_code_and_then_changes_nothing(seed, channels):
    stacked = codes(channels)
    block = np.random.default_rng(seed).normal(0, 1, (stacked.rows, 4)).astype(np.float32)
    clean, events = stacked.projection().project(block, 2)
    assert events == ()
    cells = block.reshape(channels, LEVELS, DIMENSIONS, 4)
    near = clean.reshape(cells.shape)
    distance = np.linalg.norm(cells - near, axis=2)
    for entry in range(ENTRIES):
        other = np.linalg.norm(cells - BOOKS[:, entry][None, :, :, None], axis=2)
        assert (distance <= other + 1e-5).all()
    again, _ = stacked.projection().project(clean, 2)
    np.testing.assert_array_equal(again, clean)


def test_a_sum_is_quantised_level_by_level():
    summed = codes(layout="summed")
    x = RNG.normal(0, 1, (DIMENSIONS, 5)).astype(np.float32)
    found = summed.indices(x)
    rest = x.copy()
    for level in range(LEVELS):
        distances = np.linalg.norm(rest[None] - BOOKS[level][:, :, None], axis=1)
        np.testing.assert_array_equal(found[0, level], distances.argmin(axis=0))
        rest = rest - BOOKS[level][found[0, level]].T
    clean, _ = summed.projection().project(x, 5)
    np.testing.assert_allclose(clean, x - rest, atol=1e-5)


def test_coarse_and_fine_levels_of_one_file_stand_in_two_signals():
    whole = codes()
    coarse = make("codes", DIMENSIONS, codebooks="books.npy", levels=1)
    fine = make("codes", 2 * DIMENSIONS, codebooks="books.npy", first=1)
    wanted = RNG.integers(0, ENTRIES, (1, LEVELS, 6))
    both = np.concatenate([coarse.frames(wanted[:, :1]), fine.frames(wanted[:, 1:])])
    np.testing.assert_array_equal(both, whole.frames(wanted))


def test_values_that_are_not_finite_become_codes_too():
    stacked = codes()
    block = np.full((stacked.rows, 2), np.nan, np.float32)
    block[0, 0] = np.inf
    clean, _ = stacked.projection().project(block, 2)
    assert np.isfinite(clean).all()


def test_codes_that_no_codebook_has_are_refused():
    with pytest.raises(ConfigError, match="0 to 7"):
        codes().frames(np.full((1, LEVELS, 1), ENTRIES))
    with pytest.raises(ConfigError, match=r"\(1, 3, frames\)"):
        codes().frames(np.zeros((1, 2, 1), np.int64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("latent", 5, {"mean": "mean.npy"}), "use 5 finite numbers"),
        (("latent", 6, {"deviation": "zero.npy"}), "not over 0"),
        (("codes", 12, {}), "codebooks is missing"),
        (("codes", 12, {"codebooks": "flat.npy"}), r"\(8, 4\)"),
        (("codes", 11, {"codebooks": "books.npy"}), "11 rows per channel for 3 levels"),
        (("codes", 12, {"codebooks": "books.npy", "first": 1, "levels": 3}), "holds 3"),
        (("codes", 12, {"codebooks": "books.npy", "first": 3}), "0 levels from 3"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_line(arguments, message):
    kind, rows, options = arguments
    with pytest.raises((ConfigError, PackError), match=message) as refused:
        make(kind, rows, **options)
    assert "\n" not in str(refused.value)
