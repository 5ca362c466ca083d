"""What comes out has the distribution of the data: mean and spread, on a Gaussian."""

import numpy as np
import pytest
from function_graph import sampled

from engine.sampling.samplers import SAMPLERS, table_for
from engine.sampling.schedules import v_circle

COUNT = 20_000
"""Samples: the mean is known to s / 141, the standard deviation to 0.5 %; bounds are 4 of these."""


def sample(gaussian, table, temperature=1.0):
    return sampled(gaussian.denoise, table, (COUNT,), seed=11, temperature=temperature)


@pytest.mark.parametrize("sampler", ["ddpm", "ancestral"])
@pytest.mark.parametrize("schedule", ["karras", "v_circle", "ddpm", "flow"])
def test_stochastic_samplers_give_the_datas_mean_and_spread(gaussian, sampler, schedule):
    out = sample(gaussian, table_for(sampler, 300, schedule))
    assert out.mean() == pytest.approx(gaussian.mu, abs=4 * gaussian.s / np.sqrt(COUNT) + 0.02)
    assert out.std() == pytest.approx(gaussian.s, rel=0.02 + 0.02)


@pytest.mark.parametrize("sampler", ["ddim", "heun", "dpmpp_2m"])
def test_deterministic_samplers_give_the_datas_mean_and_spread(gaussian, sampler):
    out = sample(gaussian, table_for(sampler, 101, "v_circle"))
    assert out.mean() == pytest.approx(gaussian.mu, abs=4 * gaussian.s / np.sqrt(COUNT) + 0.02)
    assert out.std() == pytest.approx(gaussian.s, rel=0.02 + 0.02)


def test_stochastic_spread_is_the_one_the_table_predicts(gaussian):
    # With a linear denoiser the variance can be carried through the rows by hand
    for name in ("ddpm", "ancestral", "ping_pong"):
        table = table_for(name, 12, "v_circle")
        variance = table.sigma[0] ** 2
        for i in range(len(table)):
            alpha, sigma = table.alpha[i], table.sigma[i]
            gain = alpha * gaussian.s**2 / ((alpha * gaussian.s) ** 2 + sigma**2)
            variance = (table.a[i] + table.b[i] * gain) ** 2 * variance + table.d[i] ** 2
        out = sample(gaussian, table)
        assert out.std() == pytest.approx(np.sqrt(variance), rel=0.02)


def test_more_ancestral_steps_come_nearer_to_the_true_spread(gaussian):
    def miss(steps):
        table = SAMPLERS["ancestral"].make(v_circle(steps))
        return abs(sample(gaussian, table).std() - gaussian.s)

    assert miss(160) < 0.5 * miss(20)


def test_lower_temperature_plays_closer_to_the_centre(gaussian):
    table = table_for("heun", 39, "karras")
    spreads = [float(sample(gaussian, table, t).std()) for t in (0.0, 0.5, 1.0)]
    assert spreads[0] < 1e-4
    np.testing.assert_allclose(spreads[1] / spreads[2], 0.5, rtol=1e-4)
