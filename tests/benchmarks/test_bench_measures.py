"""The measures of the benchmarks, on sound whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.embedding import Frechet, cosine_distance, level_db
from benchmarks.measures import (
    SEAM_MEASURES,
    centroid,
    chroma,
    onsets_per_second,
    quantiles,
    seam_measures,
    share_with_interval,
)
from engine.errors import ConfigError

RATE = 16_000


def notes(seconds: float, hz: float = 220.0, rng: np.random.Generator | None = None) -> np.ndarray:
    """A struck, decaying sound with partials, struck anew each half second."""
    n = np.arange(round(seconds * RATE))
    since = (n % (RATE // 2)) / RATE
    x = sum(np.sin(2 * np.pi * hz * k * n / RATE) / k**2 for k in range(1, 6))
    x = 0.2 * x * np.exp(-4 * since)
    if rng is not None:
        x = x + 1e-4 * rng.standard_normal(n.size)
    return x.astype(np.float32)


def steady(seconds: float, hz: float = 220.0) -> np.ndarray:
    n = np.arange(round(seconds * RATE))
    return (0.2 * np.sin(2 * np.pi * hz * n / RATE)).astype(np.float32)


def test_a_cut_stands_out_in_jump_and_slope_and_smooth_sound_does_not() -> None:
    smooth = steady(6.0)
    cut = smooth.copy()
    cut[3 * RATE :] = np.roll(cut, 29)[3 * RATE :]
    calm = seam_measures(smooth, 3 * RATE, 0, RATE, None)
    bad = seam_measures(cut, 3 * RATE, 0, RATE, None)
    assert calm is not None
    assert bad is not None
    assert bad["jump"] > 4 > calm["jump"]
    assert bad["slope"] > 10 > calm["slope"]


def test_a_jump_one_block_away_is_not_blamed_on_the_seam() -> None:
    x = steady(6.0)
    x[3 * RATE + 5000 :] *= -1.0
    found = seam_measures(x, 3 * RATE, 0, RATE, None)
    assert found is not None
    assert found["jump"] < 4


def test_new_frames_are_seen_at_the_crossing_not_at_the_joint() -> None:
    x = steady(6.0)
    x[3 * RATE :] = steady(6.0, 1370.0)[3 * RATE :]
    at = seam_measures(x, 3 * RATE - 1408, 1408, RATE, None)
    away = seam_measures(x, 3 * RATE - 1408, -4000, RATE, None)
    assert at is not None
    assert away is not None
    assert at["flux"] > 5 * away["flux"]


def test_a_drop_of_twelve_decibels_is_a_loudness_step_of_twelve() -> None:
    x = steady(6.0)
    x[3 * RATE :] *= 0.25
    found = seam_measures(x, 3 * RATE, 0, RATE, None)
    assert found is not None
    assert found["loudness"] == pytest.approx(12.04, abs=0.2)


def test_the_embedding_compares_the_sound_before_and_after() -> None:
    heard: list[float] = []

    def embed(x: np.ndarray) -> np.ndarray:
        heard.append(level_db(x))
        return np.array([1.0, 0.0] if len(heard) == 1 else [0.0, 1.0], np.float32)

    x = steady(6.0)
    x[3 * RATE :] *= 0.1
    found = seam_measures(x, 3 * RATE, 0, RATE, embed)
    assert found is not None
    assert set(found) == set(SEAM_MEASURES)
    assert found["embedding"] == pytest.approx(1.0)
    assert heard[0] - heard[1] == pytest.approx(20.0, abs=0.1)


def test_silence_and_the_ends_are_left_out() -> None:
    assert seam_measures(np.zeros(6 * RATE, np.float32), 3 * RATE, 0, RATE, None) is None
    assert seam_measures(steady(6.0), 100, 0, RATE, None) is None
    assert seam_measures(steady(6.0), 6 * RATE - 100, 0, RATE, None) is None


def test_chroma_names_the_notes_of_a_chord_in_any_octave() -> None:
    low = steady(4.0, 261.63) + steady(4.0, 329.63) + steady(4.0, 392.0)  # C E G
    high = steady(4.0, 523.25) + steady(4.0, 659.26) + steady(4.0, 784.0)
    other = steady(4.0, 277.18) + steady(4.0, 369.99) + steady(4.0, 466.16)  # C# F# A#
    assert set(np.argsort(chroma(low, RATE))[-3:]) == {0, 4, 7}
    near = cosine_distance(chroma(low, RATE), chroma(high, RATE))
    assert near < 0.2 < cosine_distance(chroma(low, RATE), chroma(other, RATE))


def test_onsets_are_counted_and_a_steady_tone_has_none() -> None:
    rng = np.random.default_rng(1)
    assert onsets_per_second(notes(10.0, rng=rng), RATE) == pytest.approx(2.0, abs=0.3)
    assert onsets_per_second(steady(10.0), RATE) < 0.2


def test_centroid_of_a_tone_is_its_frequency() -> None:
    assert centroid(steady(2.0, 1000.0)) * RATE == pytest.approx(1000, rel=0.05)


def test_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((6000, 4)) * [3, 2, 1, 0.5]
    b = rng.standard_normal((6000, 4)) * [3, 2, 1, 1.0] + [2.0, 0, 0, 0]
    found = Frechet(a.astype(np.float32), axes=4).distance(b.astype(np.float32))
    assert found == pytest.approx(4.0 + 0.25, rel=0.1)


def test_frechet_distance_to_itself_is_nothing_and_grows_with_distance() -> None:
    rng = np.random.default_rng(2)
    points = rng.standard_normal((500, 30)).astype(np.float32)
    reference = Frechet(points, axes=8)
    assert reference.distance(points) == pytest.approx(0.0, abs=1e-6)
    assert reference.distance(points + 2.0) > reference.distance(points + 1.0) > 0.1


def test_frechet_refuses_a_reference_that_is_too_small() -> None:
    with pytest.raises(ConfigError, match="64 windows"):
        Frechet(np.zeros((64, 200), np.float32), axes=128)


def test_interval_of_a_share_holds_it_and_narrows_with_more_cases() -> None:
    share, low, high = share_with_interval(30, 50)
    assert low < share == 0.6 < high
    assert (low, high) == (pytest.approx(0.462, abs=0.01), pytest.approx(0.724, abs=0.01))
    _, low10, high10 = share_with_interval(300, 500)
    assert high10 - low10 < (high - low) / 2.5
    assert share_with_interval(0, 0) == (0.0, 0.0, 1.0)


def test_quantiles_keep_the_ends_and_the_middle() -> None:
    q = quantiles(list(range(101)))
    assert (q[0], q[20], q[40]) == (0.0, 50.0, 100.0)
    assert math.isclose(cosine_distance(np.array([1.0, 0.0]), np.array([2.0, 0.0])), 0.0)
