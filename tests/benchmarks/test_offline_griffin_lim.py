"""The offline algorithm of the paper."""

from __future__ import annotations

import numpy as np

from benchmarks.griffin_lim import griffin_lim
from benchmarks.phase_measures import spectral_convergence
from engine.representations.stft import Stft

STFT = Stft(512, 128)


def chord() -> np.ndarray:
    t = np.arange(STFT.samples_of(60)) / 8000.0
    tones = sum(np.sin(2 * np.pi * f * t) for f in (262.0, 330.0, 392.0, 1310.0))
    return (0.1 * np.exp(-2.0 * t) * tones).astype(np.float32)


def error(target: np.ndarray, samples: np.ndarray) -> float:
    return spectral_convergence(target, np.abs(STFT.forward(samples)))


def test_more_iterations_come_nearer_and_momentum_nearer_still() -> None:
    target = np.abs(STFT.forward(chord()))
    plain = [error(target, griffin_lim(target, STFT, n, 0.0)) for n in (0, 8, 64)]
    assert plain[0] > plain[1] > plain[2]
    assert error(target, griffin_lim(target, STFT, 64, 0.99)) < plain[2]


def test_length_is_that_of_the_frames_and_the_seed_decides() -> None:
    target = np.abs(STFT.forward(chord()))
    one = griffin_lim(target, STFT, 4, rng=np.random.default_rng(1))
    two = griffin_lim(target, STFT, 4, rng=np.random.default_rng(1))
    other = griffin_lim(target, STFT, 4, rng=np.random.default_rng(2))
    assert one.size == STFT.samples_of(60)
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 1e-3


def test_silence_gives_silence() -> None:
    assert not griffin_lim(np.zeros((257, 20), np.float32), STFT, 8).any()
