"""Perfect reconstruction and the streaming convention."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.representations.stft import Stft

PRESETS = [(1024, 256), (256, 128), (512, 64)]


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32) * 0.3


@pytest.mark.parametrize(("window", "hop"), PRESETS)
@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 5000), seed=st.integers(0, 1000))
def test_padded_transform_gives_back_any_length(
    window: int, hop: int, length: int, seed: int
) -> None:
    stft = Stft(window, hop)
    x = noise(length, seed)
    back = stft.inverse(stft.forward(x, pad=True), pad=True, length=length)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, x, atol=2e-6)


@pytest.mark.parametrize(("window", "hop"), PRESETS)
def test_unpadded_transform_is_exact_inside_and_bounded_at_the_edges(window: int, hop: int) -> None:
    stft = Stft(window, hop)
    x = noise(stft.samples_of(40))
    back = stft.inverse(stft.forward(x))
    assert back.shape == x.shape
    inner = slice(stft.overlap, -stft.overlap)
    np.testing.assert_allclose(back[inner], x[inner], atol=2e-6)
    assert np.abs(back).max() <= np.abs(x).max() + 1e-5


def test_spectrum_that_is_of_no_signal_does_not_blow_up_at_the_edges() -> None:
    stft = Stft(1024, 256)
    rng = np.random.default_rng(0)
    spectrum = rng.standard_normal((513, 40)) + 1j * rng.standard_normal((513, 40))
    out = np.abs(stft.inverse(spectrum.astype(np.complex64)))
    assert max(out[:768].max(), out[-768:].max()) < 4.0 * out[768:-768].max()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7])
def test_few_frames_are_refined_like_many(frames: int) -> None:
    stft = Stft(1024, 256)
    x = noise(stft.samples_of(frames))
    back = stft.inverse(stft.forward(x))
    middle = slice(256, x.size - 256)  # where the taper is over the floor of the division
    np.testing.assert_allclose(back[middle], x[middle], atol=1e-5)


def test_frame_covers_the_samples_from_its_hop_on() -> None:
    stft = Stft(1024, 256)
    x = np.zeros(4096, np.float32)
    x[5 * 256 + 1024 - 1] = 1.0  # the last sample of frame 5: frames 6 to 8 hear it, 4 does not
    level = np.abs(stft.forward(x)).max(axis=0)
    assert level[4] == 0.0
    assert level[7] > 0.5


def test_full_scale_sine_has_a_quarter_of_the_window_as_magnitude() -> None:
    stft = Stft(1024, 256)
    x = np.sin(2 * np.pi * 40 / 1024 * np.arange(8192)).astype(np.float32)
    assert np.abs(stft.forward(x))[40, 3] == pytest.approx(256.0, rel=1e-4)


@pytest.mark.parametrize(("window", "hop"), [(1024, 300), (1024, 1024), (7, 1), (1024, 0)])
def test_impossible_window_is_refused_with_its_numbers(window: int, hop: int) -> None:
    with pytest.raises(ConfigError, match=rf"{window} with hop {hop}"):
        Stft(window, hop)
