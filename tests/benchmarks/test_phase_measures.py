"""The numbers mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.phase_measures import (
    log_spectral_distance,
    multi_resolution_error,
    seam_jumps,
    spectral_convergence,
)
from engine.errors import ConfigError


def test_six_decibels_louder_is_a_distance_of_six_decibels() -> None:
    target = np.full((513, 10), 5.0, np.float32)
    assert log_spectral_distance(target, target) == 0.0
    assert log_spectral_distance(target, 2 * target) == pytest.approx(6.02, abs=0.01)


def test_convergence_is_relative_and_defined_for_silence() -> None:
    target = np.ones((513, 10), np.float32)
    assert spectral_convergence(target, 1.1 * target) == pytest.approx(0.1, rel=1e-4)
    silence = np.zeros_like(target)
    assert spectral_convergence(silence, silence) == 0.0
    assert spectral_convergence(silence, target) == float("inf")


def test_multi_resolution_error_grows_with_noise() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(16_000).astype(np.float32)
    n = rng.standard_normal(16_000).astype(np.float32)
    assert multi_resolution_error(x, x) == 0.0
    little, much = (multi_resolution_error(x, x + a * n) for a in (0.01, 0.1))
    assert 0.0 < little < much


def test_click_in_a_tone_stands_out_and_the_tone_does_not() -> None:
    x = 0.3 * np.sin(2 * np.pi * 0.02 * np.arange(60_000)).astype(np.float32)
    x += 0.001 * np.random.default_rng(0).standard_normal(x.size).astype(np.float32)
    seams = [20_000, 40_000]
    assert np.abs(seam_jumps(x, seams)).max() < 4.0
    x[40_000:] *= -0.9
    x[40_000] += 0.1
    jumps = seam_jumps(x, seams)
    assert jumps[1] > 8.0
    assert abs(jumps[0]) < 4.0


def test_signals_of_unequal_length_are_refused() -> None:
    with pytest.raises(ConfigError):
        multi_resolution_error(np.zeros(5000, np.float32), np.zeros(5001, np.float32))
    with pytest.raises(ConfigError):
        spectral_convergence(np.zeros((5, 2), np.float32), np.zeros((5, 3), np.float32))
