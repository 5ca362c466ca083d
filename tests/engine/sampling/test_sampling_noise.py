import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.sampling.noise import fill_noise

WORD = st.integers(0, 2**64 - 1)


def noise(*key, shape=(4, 33)):
    return fill_noise(np.zeros(shape, dtype=np.float32), *key)


@settings(deadline=None)
@given(key=st.tuples(WORD, WORD, WORD, WORD), others=st.lists(st.tuples(WORD, WORD), max_size=3))
def test_the_same_key_is_the_same_noise_whatever_was_drawn_before(key, others):
    first = noise(*key)
    for seed, block in others:
        noise(seed, block)
    np.testing.assert_array_equal(noise(*key), first)


@settings(deadline=None)
@given(key=st.tuples(WORD, WORD, WORD, WORD), place=st.integers(0, 3), change=st.integers(1, 1000))
def test_another_seed_block_stage_or_step_is_other_noise(key, place, change):
    other = list(key)
    other[place] = (other[place] + change) % 2**64
    assert np.mean(noise(*key) == noise(*other)) < 0.1


def test_swapping_block_and_step_is_other_noise():
    assert np.mean(noise(1, 2, 3, 4) == noise(1, 4, 3, 2)) < 0.1
    assert np.mean(noise(1, 2, 3, 4) == noise(2, 1, 3, 4)) < 0.1


def test_negative_seeds_are_seeds_too():
    assert np.mean(noise(-1, 0) == noise(1, 0)) < 0.1
    np.testing.assert_array_equal(noise(-1, 0), noise(2**64 - 1, 0))


def test_noise_is_standard_normal():
    values = noise(7, 0, shape=(200_000,))
    assert stats.kstest(values, "norm").pvalue > 1e-3
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.std() == pytest.approx(1, abs=0.01)


def test_noise_of_consecutive_blocks_and_steps_is_independent():
    values = np.stack(
        [noise(7, block, 0, step, shape=(4096,)) for block in range(5) for step in range(5)]
    )
    correlation = np.corrcoef(values) - np.eye(25)
    assert np.abs(correlation).max() < 5 / np.sqrt(4096)
    # across keys at one place, too: a counter that hardly moved would show here
    assert stats.kstest([noise(7, b, shape=(1,))[0] for b in range(3000)], "norm").pvalue > 1e-3


def test_noise_is_written_into_the_array_of_the_caller():
    out = np.zeros((3, 5), dtype=np.float32)
    assert fill_noise(out, 1, 2) is out
    assert np.all(out != 0)


def test_float64_blocks_get_the_same_noise_as_float32_blocks():
    wide = fill_noise(np.zeros((4, 33)), 5, 6, 7, 8)
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide, noise(5, 6, 7, 8))
