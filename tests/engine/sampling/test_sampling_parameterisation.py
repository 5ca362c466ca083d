import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.sampling.parameterisation import (
    PARAMETERISATIONS,
    edm_coefficients,
    edm_target,
    eps_target,
    find_parameterisation,
    flow_target,
    v_target,
    x0_from_edm,
    x0_from_network,
)

LEVEL = st.floats(0.05, 20)
VALUE = st.floats(-5, 5)


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(PARAMETERISATIONS)), x0=VALUE, eps=VALUE, alpha=LEVEL, sigma=LEVEL
)
def test_a_perfect_answer_gives_back_the_clean_data(name, x0, eps, alpha, sigma):
    x = alpha * x0 + sigma * eps
    answer = PARAMETERISATIONS[name].target(x0, eps, alpha, sigma)
    scale = 1 + abs(x0) + abs(eps) * sigma / alpha
    found = PARAMETERISATIONS[name].to_x0(x, answer, alpha, sigma)
    assert found == pytest.approx(x0, abs=1e-11 * scale)


# The schedule that each row says its networks are trained on: level to (alpha, sigma).
TRAINED = {
    "v": lambda t: (np.cos(t * np.pi / 2), np.sin(t * np.pi / 2)),
    "eps": lambda t: (np.cos(t * np.pi / 2), np.sin(t * np.pi / 2)),
    "x0": lambda sigma: (1.0, sigma),
    "flow": lambda t: (1 - t, t),
    "edm": lambda noise: (1.0, np.exp(4 * noise)),
}


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(PARAMETERISATIONS)),
    x=VALUE,
    ratio=st.floats(0.05, 20),
    scale=st.floats(0.1, 10),
    spread=st.floats(0.2, 3),
)
def test_a_network_works_at_any_scale_of_alpha_and_sigma(name, x, ratio, scale, spread):
    """The exact network for Gaussian data, which knows the level and the scaled x alone."""
    row = PARAMETERISATIONS[name]
    sigma_data = {"sigma_data": spread} if row.preconditioned else {}

    def network(noisy, level):
        alpha, sigma = TRAINED[name](level)
        if row.preconditioned:
            noisy = noisy / edm_coefficients(sigma, spread).in_
        total = alpha**2 * spread**2 + sigma**2
        x0, eps = alpha * spread**2 * noisy / total, sigma * noisy / total
        return row.target(x0, eps, alpha, sigma, **sigma_data)

    alpha, sigma = scale, scale * ratio
    x0 = x0_from_network(name, network, x * scale, alpha, sigma, spread)
    expected = spread**2 * x / (spread**2 + ratio**2)
    assert x0 == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_v_network_can_start_from_pure_noise():
    asked = []

    def network(x, level):
        asked.append((x, level))
        return -0.3 * np.ones_like(x)

    x0 = x0_from_network("v", network, np.array([2.0]), 0.0, 1.0)
    assert asked[0][1] == pytest.approx(1.0)
    np.testing.assert_allclose(x0, 0.3)


@settings(deadline=None)
@given(phi=st.floats(0.01, 1.55), x0=VALUE, eps=VALUE)
def test_v_is_the_velocity_along_the_circle(phi, x0, eps):
    step = 1e-6
    ahead = np.cos(phi + step) * x0 + np.sin(phi + step) * eps
    behind = np.cos(phi - step) * x0 + np.sin(phi - step) * eps
    slope = (ahead - behind) / (2 * step)
    assert v_target(x0, eps, np.cos(phi), np.sin(phi)) == pytest.approx(slope, abs=1e-8)


@settings(deadline=None)
@given(t=st.floats(0.01, 0.99), x0=VALUE, eps=VALUE)
def test_flow_answer_is_the_velocity_along_the_line(t, x0, eps):
    step = 1e-6
    ahead = (1 - t - step) * x0 + (t + step) * eps
    behind = (1 - t + step) * x0 + (t - step) * eps
    assert flow_target(x0, eps, 1 - t, t) == pytest.approx((ahead - behind) / (2 * step), abs=1e-8)
    assert eps_target(x0, eps, 1 - t, t) == eps


def test_edm_coefficients_are_equations_28_to_31():
    for sigma in (0.002, 0.5, 80.0):
        c = edm_coefficients(sigma, 0.5)
        assert c.skip == pytest.approx(0.25 / (0.25 + sigma**2))
        assert c.out == pytest.approx(sigma * 0.5 / np.sqrt(0.25 + sigma**2))
        assert c.in_ == pytest.approx(1 / np.sqrt(0.25 + sigma**2))
        assert c.noise == pytest.approx(np.log(sigma) / 4)


def test_edm_network_sees_and_answers_unit_variance_at_every_level():
    rng = np.random.default_rng(0)
    x0, eps = 0.5 * rng.standard_normal(200_000), rng.standard_normal(200_000)
    for sigma in (0.002, 0.3, 5.0, 80.0):
        seen = edm_coefficients(sigma).in_ * (x0 + sigma * eps)
        assert seen.std() == pytest.approx(1, rel=0.01)
        assert edm_target(x0, eps, 1.0, sigma).std() == pytest.approx(1, rel=0.01)


def test_edm_keeps_x_when_there_is_no_noise_and_forgets_it_when_there_is_only_noise():
    x, f = np.array([0.7, -1.2]), np.array([0.3, 0.4])
    np.testing.assert_allclose(x0_from_edm(x, f, 1.0, 1e-9), x, atol=1e-8)
    np.testing.assert_allclose(x0_from_edm(x, f, 1.0, 1e9), 0.5 * f, atol=1e-8)


def test_edm_with_a_silent_network_is_the_best_linear_guess():
    # F = 0 leaves c_skip x, the posterior mean for N(0, sigma_data^2) data
    x, sigma = np.array([2.0]), 1.5
    np.testing.assert_allclose(x0_from_edm(x, 0.0, 1.0, sigma), x * 0.25 / (0.25 + sigma**2))


def test_edm_network_can_be_played_on_a_schedule_that_shrinks_the_data():
    x, f, alpha, sigma = np.array([0.4, -0.1]), np.array([1.0, 2.0]), 0.6, 0.8
    expected = x0_from_edm(x / alpha, f, 1.0, sigma / alpha)
    np.testing.assert_allclose(x0_from_edm(x, f, alpha, sigma), expected, rtol=1e-14)


def test_float32_blocks_stay_float32():
    x = np.ones((2, 3), dtype=np.float32)
    for name in PARAMETERISATIONS:
        found = x0_from_network(name, lambda noisy, level: noisy, x, 0.6, 0.8)
        assert found.dtype == np.float32


@pytest.mark.torch
@pytest.mark.parametrize("name", sorted(PARAMETERISATIONS))
def test_torch_tensors_give_what_numpy_gives(name):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    x, answer = rng.standard_normal((2, 3, 4))
    alpha, sigma = np.array(0.6), np.array(0.8)
    expected = x0_from_network(name, lambda noisy, level: level * answer, x, alpha, sigma)
    x, answer, alpha, sigma = (torch.tensor(v) for v in (x, answer, alpha, sigma))
    found = x0_from_network(name, lambda noisy, level: level * answer, x, alpha, sigma)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    noise = edm_coefficients(torch.tensor(0.8, dtype=torch.float64)).noise
    assert float(noise) == pytest.approx(edm_coefficients(0.8).noise)


def test_unknown_parameterisation_is_refused_with_the_choices():
    with pytest.raises(
        ConfigError, match=r"Unknown parameterisation 'w': .* v, eps, x0, flow, edm"
    ):
        find_parameterisation("w")
