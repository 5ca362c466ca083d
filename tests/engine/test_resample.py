"""A sine stays a sine through any chunking, and no sample is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.resample import StreamResampler, resample


def sine(rate: float, count: int) -> np.ndarray:
    t = np.arange(count) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440.0 * t)
    return np.stack((tone, -tone), axis=1).astype(np.float32)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(16_000, 48_000), (16_000, 44_100)])
@settings(max_examples=12, deadline=None)
@given(chunks=st.lists(st.integers(0, 4000), min_size=1, max_size=12))
def test_sine_crosses_chunk_boundaries_unbroken(
    from_rate: int, to_rate: int, chunks: list[int]
) -> None:
    x = sine(from_rate, 9_000 + sum(chunks))
    chunks = [*chunks, 9_000]
    stream = StreamResampler(from_rate, to_rate, channels=2)
    parts, at = [], 0
    for size in chunks:
        parts.append(stream.push(x[at : at + size]))
        at += size
    out = np.concatenate([*parts, stream.flush()])
    assert out.shape[1] == 2
    assert abs(out.shape[0] - x.shape[0] * to_rate / from_rate) <= 1.0
    wanted = sine(to_rate, out.shape[0])
    inner = slice(400, -400)  # the filter hears the ends of the signal
    np.testing.assert_allclose(out[inner], wanted[inner], atol=2e-4)


@pytest.mark.parametrize("chunk", [64, 256])
def test_what_is_owed_never_exceeds_the_stated_latency(chunk: int) -> None:
    stream = StreamResampler(16_000, 48_000)
    assert 0 < stream.latency_samples < 4_800  # under 100 ms
    given_out = 0
    for n in range(1, 300):
        given_out += stream.push(np.zeros((chunk, 1), np.float32)).shape[0]
        owed = n * chunk * 3 - given_out
        assert owed == pytest.approx(stream.pending, abs=1.0)
        assert owed <= stream.latency_samples


def test_equal_rates_pass_samples_untouched_at_once() -> None:
    stream = StreamResampler(48_000, 48_000, channels=2)
    x = sine(48_000, 777)
    out = stream.push(x)
    np.testing.assert_array_equal(out, x)
    assert out is not x
    assert stream.latency_samples == 0
    assert stream.pending == 0.0
    assert stream.flush().shape == (0, 2)
    np.testing.assert_array_equal(resample(x, 16_000, 16_000), x)


def test_stream_can_be_used_again_after_a_flush() -> None:
    stream = StreamResampler(16_000, 48_000)
    x = sine(16_000, 5_000)[:, :1]
    first = np.concatenate((stream.push(x), stream.flush()))
    second = np.concatenate((stream.push(x), stream.flush()))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_one_shot_and_stream_agree() -> None:
    x = sine(16_000, 8_000)
    stream = StreamResampler(16_000, 44_100, channels=2)
    out = np.concatenate((stream.push(x[:3000]), stream.push(x[3000:]), stream.flush()))
    whole = resample(x, 16_000, 44_100)
    assert out.shape == whole.shape
    np.testing.assert_allclose(out, whole, atol=1e-4)


def test_impossible_rates_and_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match="-1"):
        StreamResampler(-1, 48_000)
    with pytest.raises(ConfigError, match="0 channels"):
        StreamResampler(16_000, 48_000, channels=0)
    with pytest.raises(ConfigError, match=r"\(10,\)"):
        StreamResampler(16_000, 48_000).push(np.zeros(10, np.float32))
