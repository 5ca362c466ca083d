import tracemalloc

import numpy as np
import pytest
from function_graph import FunctionGraph, sampled

from engine.errors import ConfigError, PackError
from engine.execution.executor import SamplingJob, TensorInfo
from engine.execution.host_walker import HostWalker
from engine.sampling.replace import Replace
from engine.sampling.samplers import SAMPLERS, table_for

SHAPE = (1, 4, 64)


def network(x, alpha, sigma):
    return np.tanh(x / (alpha + sigma))


def play(sampler="heun", steps=9, schedule="karras", dtype="float32", **job):
    return sampled(network, table_for(sampler, steps, schedule), SHAPE, dtype, **job)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_the_same_seed_is_the_same_music(sampler):
    first = play(sampler)
    np.testing.assert_array_equal(play(sampler), first)
    assert first.dtype == np.float32
    for other in (play(sampler, seed=2), play(sampler, block=1), play(sampler, stage=1)):
        assert np.mean(np.abs(other - first)) > 0.5 * first.std()


def test_blocks_do_not_depend_on_the_blocks_sampled_before():
    walker = HostWalker(FunctionGraph(network, SHAPE), SHAPE)
    out = np.zeros(SHAPE, dtype=np.float32)
    for sampler, steps in (("ancestral", 5), ("heun", 7), ("dpmpp_2m", 6)):
        table = table_for(sampler, steps, "karras")
        held = Replace(np.full(SHAPE, 3, np.float32), mask=np.arange(64) % 2 * np.ones(SHAPE) > 0)
        walker.sample(SamplingJob(table, {}, block=3, known=held), out)
        walker.sample(SamplingJob(table, {}, block=4), out)
        np.testing.assert_array_equal(out, play(sampler, steps, block=4))


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
@pytest.mark.parametrize("schedule", ["karras", "v_circle", "flow"])
def test_float32_is_accurate_enough(sampler, schedule):
    wide = play(sampler, 16, schedule, dtype="float64")
    assert np.abs(play(sampler, 16, schedule) - wide).max() < 2e-4 * np.abs(wide).max()


def test_a_network_that_answers_in_one_buffer_plays_the_same():
    buffer = np.zeros(SHAPE, dtype=np.float32)

    def reusing(x, alpha, sigma):
        np.copyto(buffer, network(x, alpha, sigma))
        return buffer

    for sampler in ("heun", "dpmpp_2m"):
        out = sampled(reusing, table_for(sampler, 9, "karras"), SHAPE)
        np.testing.assert_array_equal(out, play(sampler))


def test_the_network_is_evaluated_at_the_levels_of_the_table():
    table = table_for("heun", 9, "v_circle")
    levels = []

    def remember(x, alpha, sigma):
        levels.append((alpha, sigma))
        return network(x, alpha, sigma)

    sampled(remember, table, SHAPE, "float64")
    assert levels == list(zip(table.alpha.tolist(), table.sigma.tolist(), strict=True))


def test_every_row_is_announced_when_it_is_done():
    done = []
    play("heun", 5, on_row=lambda row, rows: done.append((row, rows)))
    assert done == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "ancestral"])
def test_running_allocates_no_arrays(sampler):
    shape = (1, 8, 16384)  # beside it, the buffers of numpy itself are small
    answer = np.zeros(shape, dtype=np.float32)
    context = np.ones((1, 8, 4096), dtype=np.float32)
    walker = HostWalker(FunctionGraph(lambda *_: answer, shape), shape)
    table, known = table_for(sampler, 9, "karras"), Replace(context, overlap=9)
    out = np.zeros(shape, dtype=np.float32)

    def block(number):
        walker.sample(SamplingJob(table, {}, block=number, known=known), out)

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
    out = play(sampler, known=Replace(context, start))
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

    table = table_for(sampler, 7, "v_circle")
    sampled(remember, table, (1, 4, 80), "float64", temperature=0.3, known=Replace(context))
    noises = [(x - alpha * 5.0) / sigma for x, alpha, sigma in seen]
    for noise in noises:
        assert noise.mean() == pytest.approx(0, abs=0.25)
        assert noise.std() == pytest.approx(1, abs=0.15)  # whatever the temperature
    renewed = np.abs(noises[-1] - noises[0]).max() > 0.1
    assert renewed == SAMPLERS[sampler].stochastic


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
        play(known=replace)


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf")])
def test_impossible_temperature_is_refused(temperature):
    with pytest.raises(ConfigError, match="Invalid temperature"):
        play(temperature=temperature)


def test_wrong_shapes_are_refused():
    graph = FunctionGraph(network, SHAPE)
    job = SamplingJob(table_for("ddim", 3, "flow"), {})
    with pytest.raises(ConfigError, match="Invalid output shape"):
        HostWalker(graph, SHAPE).sample(job, np.zeros(SHAPE[1:], np.float32))
    walker = HostWalker(FunctionGraph(lambda x, alpha, sigma: x[..., :1], SHAPE), SHAPE)
    with pytest.raises(PackError, match="function: x0 has shape"):
        walker.sample(job, np.zeros(SHAPE, np.float32))


@pytest.mark.parametrize(
    ("kind", "name", "shape", "message"),
    [
        ("inputs", "x", (1, 4, 63), r"input 'x' is \[1, 4, 63\]; it has to be \[1, 4, 64\]"),
        ("inputs", "x", (2, 4, 64), r"input 'x' is \[2, 4, 64\]; it has to be"),
        ("outputs", "x0", (4, 63), r"output 'x0' is \[4, 63\]; it has to be"),
        ("outputs", "x0", None, r"output 'x0' is missing; it has to be"),
        ("inputs", "sigma", (2,), r"input 'sigma' is \[2\]; it has to be \[1\]"),
        ("inputs", "alpha", None, r"input 'alpha' is missing; it has to be \[1\]"),
    ],
)
def test_a_graph_that_is_no_step_is_refused(kind, name, shape, message):
    graph = FunctionGraph(network, (4, 64))
    if shape is None:
        del getattr(graph, kind)[name]
    else:
        getattr(graph, kind)[name] = TensorInfo(shape)
    with pytest.raises(PackError, match=f"function: {message}"):
        HostWalker(graph, (4, 64))
