import tracemalloc

import numpy as np
import pytest

from engine.errors import ConfigError, PackError
from engine.sampling.loop import Replace, SamplerLoop
from engine.sampling.samplers import SAMPLERS, table_for

SHAPE = (1, 4, 64)


def network(x, alpha, sigma):
    return np.tanh(x / (alpha + sigma))


def play(sampler="heun", steps=9, schedule="karras", seed=1, block=0, dtype=np.float32, **options):
    loop = SamplerLoop(dtype)
    loop.prepare(SHAPE, table_for(sampler, steps, schedule))
    return loop.run(network, seed, block, out=np.zeros(SHAPE, dtype=dtype), **options)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_the_same_seed_is_the_same_music(sampler):
    first = play(sampler)
    np.testing.assert_array_equal(play(sampler), first)
    assert first.dtype == np.float32
    for other in (play(sampler, seed=2), play(sampler, block=1), play(sampler, stage=1)):
        assert np.mean(np.abs(other - first)) > 0.5 * first.std()


def test_blocks_do_not_depend_on_the_blocks_made_before():
    loop = SamplerLoop()
    out = np.zeros(SHAPE, dtype=np.float32)
    for sampler, steps in (("ancestral", 5), ("heun", 7), ("dpmpp_2m", 6)):
        loop.prepare(SHAPE, table_for(sampler, steps, "karras"))
        loop.run(network, 1, 3, out=out)
        loop.run(network, 1, 4, out=out)
        np.testing.assert_array_equal(out, play(sampler, steps, block=4))


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
@pytest.mark.parametrize("schedule", ["karras", "v_circle", "flow"])
def test_float32_is_accurate_enough(sampler, schedule):
    wide = play(sampler, 16, schedule, dtype=np.float64)
    assert np.abs(play(sampler, 16, schedule) - wide).max() < 2e-4 * np.abs(wide).max()


def test_a_network_that_answers_in_one_buffer_plays_the_same():
    buffer = np.zeros(SHAPE, dtype=np.float32)

    def reusing(x, alpha, sigma):
        np.copyto(buffer, network(x, alpha, sigma))
        return buffer

    for sampler in ("heun", "dpmpp_2m"):
        loop = SamplerLoop()
        loop.prepare(SHAPE, table_for(sampler, 9, "karras"))
        out = loop.run(reusing, 1, 0, out=np.zeros(SHAPE, dtype=np.float32))
        np.testing.assert_array_equal(out, play(sampler))


def test_the_network_is_asked_at_the_levels_of_the_table():
    table = table_for("heun", 9, "v_circle")
    asked = []
    loop = SamplerLoop()
    loop.prepare(SHAPE, table)

    def remember(x, alpha, sigma):
        asked.append((alpha, sigma))
        return network(x, alpha, sigma)

    loop.run(remember, 1, 0, out=np.zeros(SHAPE, dtype=np.float32))
    assert asked == list(zip(table.alpha.tolist(), table.sigma.tolist(), strict=True))


def test_progress_is_told_after_every_row():
    told = []
    play("heun", 5, on_step=lambda done, rows: told.append((done, rows)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "ancestral"])
def test_running_allocates_no_arrays(sampler):
    shape = (1, 8, 4096)
    answer = np.zeros(shape, dtype=np.float32)
    context = np.ones((1, 8, 1024), dtype=np.float32)
    loop = SamplerLoop()
    loop.prepare(shape, table_for(sampler, 9, "karras"))
    out = np.zeros(shape, dtype=np.float32)

    def block(number):
        loop.run(lambda *_: answer, 1, number, out=out, replace=Replace(context))

    block(0)
    tracemalloc.start()
    block(1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes / 4


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
@pytest.mark.parametrize("start", [0, 10, 44])
def test_replaced_frames_end_as_the_context_to_the_bit(sampler, start):
    context = np.random.default_rng(0).standard_normal((1, 4, 20)).astype(np.float32)
    out = play(sampler, replace=Replace(context, start))
    np.testing.assert_array_equal(out[..., start : start + 20], context)
    free = play(sampler)
    # this network looks at each frame alone, so the new frames know nothing of the context
    np.testing.assert_array_equal(
        np.delete(out, np.s_[start : start + 20], axis=-1),
        np.delete(free, np.s_[start : start + 20], axis=-1),
    )


@pytest.mark.parametrize("sampler", ["ddim", "heun", "ancestral", "ping_pong"])
def test_the_network_sees_the_context_at_the_noise_level_of_each_row(sampler):
    context = np.full((1, 4, 64), 5.0)
    seen = []

    def remember(x, alpha, sigma):
        seen.append((x[..., :64].copy(), alpha, sigma))
        return x

    loop = SamplerLoop(np.float64)
    loop.prepare((1, 4, 80), table_for(sampler, 7, "v_circle"))
    loop.run(remember, 1, 0, out=np.zeros((1, 4, 80)), temperature=0.3, replace=Replace(context))
    noises = [(x - alpha * 5.0) / sigma for x, alpha, sigma in seen]
    for noise in noises:
        assert noise.mean() == pytest.approx(0, abs=0.25)
        assert noise.std() == pytest.approx(1, abs=0.15)  # whatever the temperature
    renewed = np.abs(noises[-1] - noises[0]).max() > 0.1
    assert renewed == SAMPLERS[sampler].stochastic


def test_resampling_brings_new_frames_into_agreement_with_the_context():
    # Two frames of unit variance, correlation 0.9: given the first, the second has mean 0.9 of it
    covariance = np.array([[1.0, 0.9], [0.9, 1.0]])

    def denoise(x, alpha, sigma):
        gain = alpha * covariance @ np.linalg.inv(alpha**2 * covariance + sigma**2 * np.eye(2))
        return x @ gain.T

    def mean_of_new_frame(resample):
        table = table_for("ddim", 100, "v_circle", resample=resample)
        loop = SamplerLoop(np.float64)
        loop.prepare((4000, 2), table)
        context = np.full((4000, 1), 2.0)
        out = loop.run(denoise, 1, 0, out=np.zeros((4000, 2)), replace=Replace(context))
        return out[:, 1].mean()

    plain, agreeing = abs(mean_of_new_frame(1) - 1.8), abs(mean_of_new_frame(5) - 1.8)
    assert agreeing < 0.3 * plain


@pytest.mark.parametrize(
    "replace",
    [
        Replace(np.zeros((1, 4, 65))),
        Replace(np.zeros((1, 4, 20)), start=45),
        Replace(np.zeros((1, 4, 20)), start=-1),
        Replace(np.zeros((1, 3, 20))),
        Replace(np.zeros(20)),
    ],
)
def test_context_that_does_not_fit_is_refused(replace):
    with pytest.raises(ConfigError, match=r"Invalid context of shape .* frames last"):
        play(replace=replace)


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf")])
def test_impossible_temperature_is_refused(temperature):
    with pytest.raises(ConfigError, match="Invalid temperature"):
        play(temperature=temperature)


def test_wrong_shapes_and_a_missing_table_are_refused():
    loop = SamplerLoop()
    out = np.zeros(SHAPE, dtype=np.float32)
    with pytest.raises(ConfigError, match="call prepare"):
        loop.run(network, 1, 0, out=out)
    loop.prepare(SHAPE, table_for("ddim", 3, "flow"))
    with pytest.raises(ConfigError, match="Invalid output shape"):
        loop.run(network, 1, 0, out=out[0])
    with pytest.raises(PackError, match="answered shape"):
        loop.run(lambda x, alpha, sigma: x[..., :1], 1, 0, out=out)
