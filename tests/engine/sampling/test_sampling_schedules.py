import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.sampling.schedules import (
    SCHEDULES,
    Schedule,
    cosine,
    ddpm,
    flow,
    karras,
    make_schedule,
    v_circle,
)


def test_karras_is_equation_27_of_the_paper():
    n, low, high, rho = 40, 0.002, 80.0, 7.0
    expected = [
        (high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho
        for i in range(n)
    ]
    schedule = karras(n)
    np.testing.assert_allclose(schedule.sigma[:-1], expected, rtol=1e-13)
    assert schedule.sigma[-1] == 0
    assert np.all(schedule.alpha == 1)


@settings(deadline=None)
@given(name=st.sampled_from(sorted(SCHEDULES)), steps=st.integers(1, 300))
def test_every_schedule_goes_from_noise_to_exactly_clean(name, steps):
    schedule = make_schedule(name, steps)
    assert schedule.intervals == steps
    assert schedule.alpha.dtype == schedule.sigma.dtype == np.float64
    assert schedule.sigma[-1] == 0
    assert schedule.alpha[-1] == 1
    # the start drowns the data: signal at most an 80th of the noise
    assert schedule.alpha[0] / schedule.sigma[0] <= 1 / 79


def test_circle_cosine_and_ddpm_keep_unit_variance_and_flow_keeps_unit_sum():
    for schedule in (v_circle(9), cosine(9), ddpm(9)):
        np.testing.assert_allclose(schedule.alpha**2 + schedule.sigma**2, 1, atol=1e-12)
    np.testing.assert_allclose(flow(9).alpha + flow(9).sigma, 1, atol=1e-15)
    assert v_circle(9).alpha[0] == flow(9).alpha[0] == 0


def test_ddpm_visits_levels_the_network_was_trained_on():
    trained = np.sqrt(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))
    np.testing.assert_allclose(ddpm(1000).alpha[:-1], trained[::-1], rtol=1e-12)
    kept = ddpm(10).alpha[:-1]
    np.testing.assert_allclose(kept, trained[99::100][::-1], rtol=1e-12)


def test_cosine_follows_nichol_and_dhariwal():
    t = np.arange(1000, -1, -1) / 1000
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    # the clip of beta at 0.999 only touches the noisiest level
    np.testing.assert_allclose(cosine(1000).alpha[1:] ** 2, f[1:] / f[-1], rtol=1e-9)


@pytest.mark.parametrize("steps", [0, -3, 1001, 2.5, True, "8"])
def test_impossible_step_count_is_refused_with_its_bounds(steps):
    for name in SCHEDULES:
        with pytest.raises(ConfigError, match="1 to 1000") as caught:
            make_schedule(name, steps)
        assert repr(steps) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("linear", {}, "Unknown schedule 'linear': choose one of karras, v_circle, ddpm"),
        ("karras", {"sigma_top": 3}, "Invalid option 'sigma_top' of schedule karras: .*sigma_max"),
        ("flow", {"rho": 7}, "its options are none"),
        ("karras", {"sigma_min": 90}, "0 < sigma_min < sigma_max"),
        ("karras", {"rho": 0}, "Invalid rho 0"),
        ("ddpm", {"beta_last": 1.5}, "beta_last 1.5"),
        ("ddpm", {"train_steps": 4}, "choose from 1 to 4"),
        ("cosine", {"offset": -1}, "Invalid offset -1"),
    ],
)
def test_bad_name_or_option_is_refused_in_one_line(name, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make_schedule(name, 8, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("alpha", "sigma"),
    [
        ([1, 1], [1, 0, 0]),
        ([1], [1]),
        ([1, 1, 1], [1, 2, 0]),
        ([1, 1, 1], [1, 0, 0]),
        ([1, 1], [np.nan, 0]),
        ([1, -1], [1, 0]),
    ],
)
def test_levels_that_do_not_go_from_noise_to_clean_are_refused(alpha, sigma):
    with pytest.raises(ConfigError, match="Invalid schedule"):
        Schedule(np.array(alpha), np.array(sigma))


def test_a_schedule_cannot_be_changed_after_it_is_made():
    levels = np.array([1.0, 0.5, 0.0])
    schedule = Schedule(np.ones(3), levels)
    levels[0] = 9
    assert schedule.sigma[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        schedule.sigma[0] = 9
