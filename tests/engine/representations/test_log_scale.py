"""Round trip and the limits of what a network may answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.representations.log_scale import LogScale
from engine.representations.stft import Stft

STFT = Stft(1024, 256)


def make(floor: float = 1e-3, scale: float = 2.0) -> LogScale:
    return LogScale(513, STFT.ceiling, 512, floor, np.linspace(-1.0, -6.0, 512), scale)


@given(seed=st.integers(0, 100), exponent=st.floats(-6.0, 2.0), scale=st.floats(0.2, 5.0))
def test_magnitudes_survive_the_round_trip(seed: int, exponent: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    magnitude = (10.0**exponent * rng.random((513, 3))).astype(np.float32)
    codec = make(scale=scale)
    x = codec.encode(magnitude)
    assert x.shape == (512, 3)
    assert x.dtype == np.float32
    back, clipped = codec.decode(x)
    np.testing.assert_allclose(back[:512], magnitude[:512], rtol=1e-4, atol=1e-7)
    assert not back[512].any()
    assert clipped == 0


def test_clamped_magnitudes_are_raised_to_the_floor_and_come_back_there() -> None:
    codec = LogScale(2, 10.0, 2, 1e-2, 0.0, 1.0, clamp=True)
    x = codec.encode(np.array([[0.0], [5.0]], np.float32))
    np.testing.assert_allclose(x[:, 0], np.log([1e-2, 5.0]), rtol=1e-6)
    np.testing.assert_allclose(codec.decode(x)[0][:, 0], [1e-2, 5.0], rtol=1e-5)


def test_silence_stays_silent() -> None:
    codec = make()
    back, _ = codec.decode(codec.encode(np.zeros((513, 4), np.float32)))
    assert back.max() < 1e-8


def test_wild_network_output_stays_finite_and_is_counted() -> None:
    codec = make()
    x = np.zeros((512, 4), np.float32)
    x[3, 0], x[4, 1], x[5, 2], x[6, 3] = 1e30, np.nan, np.inf, -np.inf
    back, clipped = codec.decode(x)
    assert np.isfinite(back).all()
    assert back.max() <= STFT.ceiling * 1.0001
    assert back[4, 1] == 0.0
    assert back[6, 3] == 0.0
    assert clipped == 3
    assert np.isnan(x[4, 1])  # the caller's block is left as it was


def test_loudest_possible_sound_is_not_clipped() -> None:
    codec = make()
    magnitude = np.abs(STFT.forward(np.ones(4096, np.float32)))
    back, clipped = codec.decode(codec.encode(magnitude))
    np.testing.assert_allclose(back[0], magnitude[0], rtol=1e-4)
    assert clipped == 0


@pytest.mark.parametrize(
    ("bins", "floor", "mean", "scale"),
    [
        (514, 1e-3, 0.0, 1.0),
        (0, 1e-3, 0.0, 1.0),
        (512, 0.0, 0.0, 1.0),
        (512, 1e-3, np.zeros(5), 1.0),
        (512, 1e-3, float("nan"), 1.0),
        (512, 1e-3, 0.0, -1.0),
    ],
)
def test_impossible_normalisation_is_refused(bins, floor, mean, scale) -> None:
    with pytest.raises(ConfigError):
        LogScale(513, STFT.ceiling, bins, floor, mean, scale)


def test_block_of_another_height_is_refused() -> None:
    with pytest.raises(ConfigError, match="256 rows"):
        make().decode(np.zeros((256, 4), np.float32))
