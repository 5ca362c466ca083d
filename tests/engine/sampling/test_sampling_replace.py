"""Continuing by replacement, on music whose joint distribution over all frames is known."""

import numpy as np
import pytest
from function_graph import FunctionGraph, sampled
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.execution.executor import SamplingJob
from engine.execution.host_walker import HostWalker
from engine.sampling.replace import DEFAULT_ROUNDS, Replace, default_overlap, place
from engine.sampling.samplers import table_for
from engine.sampling.schedules import karras

CONTEXT, BLOCK, PIECES = 24, 16, 2000
FRAMES = np.arange(CONTEXT + BLOCK)
APART = np.abs(FRAMES[:, None] - FRAMES)
# A slow movement and a fast one, each frame of unit variance.
COVARIANCE = 0.9 * np.exp(-0.5 * (APART / 4.0) ** 2) + 0.1 * np.exp(-APART / 2)
SPREADS, AXES = np.linalg.eigh(COVARIANCE)


def denoise(x, alpha, sigma):
    """E[x0 | x], frame by frame of one music a row: what a perfect network answers."""
    return ((x @ AXES) * (alpha * SPREADS / (alpha**2 * SPREADS + sigma**2))) @ AXES.T


@pytest.fixture(scope="module")
def music():
    noise = np.random.default_rng(0).standard_normal((PIECES, CONTEXT + BLOCK))
    return noise @ np.linalg.cholesky(COVARIANCE).T


def continued(music, rounds, overlap=0, sampler="ddim", intervals=16):
    """What replaces the context, and its continuation."""
    table = table_for(
        sampler, (intervals - 1) * rounds + 1,
        lambda n: karras(n, sigma_min=0.03, sigma_max=20.0), resample=rounds,
    )  # fmt: skip
    assert len(table) == (intervals - 1) * rounds + 1
    known = Replace(music[:, :CONTEXT], overlap=overlap)
    return sampled(denoise, table, music.shape, "float64", known=known)


def jumps(block):
    """Variance of the step from frame to frame, over that of the music."""
    expected = 2 * (1 - COVARIANCE[0, 1])
    return np.diff(block, axis=1).var(axis=0) / expected


def surprise(block):
    """Mean squared distance of the next frames from the true posterior given the context.

    In units of that posterior's own covariance: 1 is right.
    """
    near = slice(CONTEXT, CONTEXT + 4)
    past = COVARIANCE[:CONTEXT, :CONTEXT]
    weights = COVARIANCE[near, :CONTEXT] @ np.linalg.inv(past)
    left = COVARIANCE[near, near] - weights @ COVARIANCE[:CONTEXT, near]
    off = block[:, near] - block[:, :CONTEXT] @ weights.T
    return float(np.mean(np.sum(off @ np.linalg.inv(left) * off, axis=1)) / 4)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral", "ddpm"])
def test_more_rounds_make_a_better_join(music, sampler):
    blocks = [continued(music, rounds, sampler=sampler) for rounds in (1, 2, 4)]
    at_join = [jumps(block)[CONTEXT - 1] for block in blocks]
    assert at_join[0] > 1.4 * at_join[1] > 1.4 * 1.25 * at_join[2]
    assert at_join[0] > 2, "one walk leaves a step that is heard"
    assert abs(at_join[2] - 1) < 0.9


def test_more_rounds_come_nearer_to_the_posterior_with_the_context(music):
    assert surprise(music) == pytest.approx(1, abs=0.1)
    off = [surprise(continued(music, rounds)) - 1 for rounds in (1, 2, 4)]
    assert off[0] > 1.5 * off[1] > 1.5 * 1.5 * off[2] > 0


@pytest.mark.parametrize("sampler", ["ddim", "ancestral", "ddpm"])
def test_with_the_defaults_no_step_is_larger_than_in_the_music(music, sampler):
    overlap = default_overlap(CONTEXT)
    steps = jumps(continued(music, DEFAULT_ROUNDS, overlap, sampler))
    assert steps.max() < 1.2
    assert steps[CONTEXT - overlap - 2 : CONTEXT + 2].min() > 0.6
    assert jumps(continued(music, DEFAULT_ROUNDS, 0, sampler)).max() > 1.5


def test_the_overlap_stays_near_the_context_that_it_replaces(music):
    overlap = 4
    block = continued(music, 2, overlap)
    off = np.abs(block - music)[:, :CONTEXT].mean(axis=0)
    assert np.all(off[: CONTEXT - overlap] == 0)
    assert np.all(np.diff(off[CONTEXT - overlap - 1 :]) > 0), "the further from the join's start"
    assert off[-1] < 0.6, "two unrelated pieces are 1.13 apart"


def test_what_is_sampled_before_the_middle_does_not_depend_on_the_overlap(music):
    seen = []

    def watch(x, alpha, sigma):
        seen.append(x.copy())
        return denoise(x, alpha, sigma)

    table = table_for("ancestral", 9, "karras", resample=1)
    walker = HostWalker(FunctionGraph(watch, music.shape, "float64"), music.shape)
    for overlap in (0, 8):
        known = Replace(music[:, :CONTEXT], overlap=overlap)
        walker.sample(SamplingJob(table, {}, known=known), np.zeros(music.shape))
    plain, overlapped = seen[:9], seen[9:]
    same = [np.array_equal(a, b) for a, b in zip(plain, overlapped, strict=True)]
    assert same == [True] * 4 + [False] * 5


@given(
    st.integers(1, 40), st.integers(0, 20), st.integers(0, 40), st.integers(1, 60)
)  # fmt: skip
def test_frames_are_released_from_the_join_backwards_and_never_held_again(
    length, start, overlap, rows
):
    overlap = min(overlap, length)
    fixed = place(Replace(np.zeros((1, length)), start, overlap=overlap), (1, 70), rows)
    assert len(fixed.ends) == rows
    assert list(fixed.ends) == sorted(fixed.ends, reverse=True)
    assert fixed.ends[-1] == start + length - overlap
    assert all(end == start + length for end in fixed.ends[: rows // 2])


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (Replace(np.zeros((1, 8)), overlap=9), "overlap 9: choose 0 to 8, the context's frames"),
        (Replace(np.zeros((1, 8)), overlap=-1), "overlap -1"),
        (Replace(np.zeros((1, 8)), mask=np.ones((1, 8), bool), overlap=1), "overlap 1 with a mask"),
    ],
)
def test_an_overlap_that_makes_no_sense_is_refused(known, message):
    with pytest.raises(ConfigError, match=f"Invalid {message}"):
        place(known, (1, 20), 4)
