"""Order of convergence, against the exact solution of the probability flow ODE (float64)."""

import numpy as np
import pytest

from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import Schedule, ddpm, flow, karras, v_circle

COUNTS = (32, 64, 128, 256)


def karras_to_the_end(steps):
    """sigma_min so small that the last jump to 0 does not hide the error of the method."""
    return karras(steps, sigma_min=1e-4)


def part_of_flow(steps):
    """Neither pure noise nor clean: t from 0.9 to 0.1."""
    t = np.linspace(0.9, 0.1, steps + 1)
    return Schedule(1 - t, t)


def part_of_circle(steps):
    phi = np.linspace(0.9, 0.1, steps + 1) * np.pi / 2
    return Schedule(np.cos(phi), np.sin(phi))


def errors(gaussian, sampler, schedule_fn):
    return np.array([gaussian.error(SAMPLERS[sampler].make(schedule_fn(n))) for n in COUNTS])


def slope(values):
    return -np.polyfit(np.log(COUNTS), np.log(values), 1)[0]


@pytest.mark.parametrize("schedule_fn", [karras_to_the_end, v_circle, flow, ddpm])
@pytest.mark.parametrize("sampler", ["ddim", "euler"])
def test_first_order_samplers_halve_their_error_with_twice_the_steps(
    gaussian, sampler, schedule_fn
):
    assert 0.9 < slope(errors(gaussian, sampler, schedule_fn)) < 1.2


@pytest.mark.parametrize("schedule_fn", [karras_to_the_end, v_circle, flow, part_of_flow])
def test_heun_quarters_its_error_with_twice_the_intervals(gaussian, schedule_fn):
    assert 1.9 < slope(errors(gaussian, "heun", schedule_fn)) < 2.2


@pytest.mark.parametrize("schedule_fn", [karras_to_the_end, part_of_flow, part_of_circle])
def test_dpmpp_2m_quarters_its_error_with_twice_the_steps(gaussian, schedule_fn):
    assert 1.9 < slope(errors(gaussian, "dpmpp_2m", schedule_fn)) < 2.3


@pytest.mark.parametrize("schedule_fn", [v_circle, flow])
def test_dpmpp_2m_from_pure_noise_is_second_order_up_to_a_logarithm(gaussian, schedule_fn):
    # Near alpha = 0 the intervals in log-SNR stop shrinking: the j-th from the end is ln(1 + 1/j)
    # however many steps there are, each leaves h^2 / j, and the sum is h^2 ln(1/h).
    found = errors(gaussian, "dpmpp_2m", schedule_fn)
    assert 1.6 < slope(found) < 2.0
    assert 1.85 < slope(found / np.log(COUNTS)) < 2.15


@pytest.mark.parametrize("schedule_fn", [karras, v_circle, flow])
def test_second_order_is_nearer_the_truth_for_the_same_number_of_evaluations(gaussian, schedule_fn):
    ddim = gaussian.error(SAMPLERS["ddim"].make(schedule_fn(39)))
    heun = gaussian.error(SAMPLERS["heun"].make(schedule_fn(20)))
    dpmpp = gaussian.error(SAMPLERS["dpmpp_2m"].make(schedule_fn(39)))
    assert heun < 0.7 * ddim
    assert dpmpp < 0.3 * ddim


def test_registry_orders_are_the_measured_ones(gaussian):
    for sampler in SAMPLERS.values():
        if sampler.order:
            measured = slope(errors(gaussian, sampler.name, karras_to_the_end))
            assert round(measured) == sampler.order
