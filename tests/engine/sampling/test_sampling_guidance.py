import numpy as np
import pytest
from function_graph import CONDITIONAL, UNCONDITIONAL, FunctionGraph, sampled

from engine.errors import ConfigError
from engine.execution.executor import SamplingJob
from engine.execution.host_walker import HostWalker
from engine.sampling.guidance import guidance_rows
from engine.sampling.samplers import table_for

SHAPE = (2, 40)
TABLE = table_for("dpmpp_2m", 12, "v_circle")


def cond(x, alpha, sigma):
    return np.tanh(x / (1 + sigma)) + np.float32(0.5)


def uncond(x, alpha, sigma):
    return np.tanh(x / (1 + sigma)) * np.float32(0.6)


def guided(scale, every=1, branches=(cond, uncond), table=TABLE, sigma_data=1.0):
    """A block, and how often each branch was evaluated."""
    graph = FunctionGraph(branches[0], SHAPE, unconditional=branches[1])
    out = np.zeros(SHAPE, np.float32)
    job = SamplingJob(table, CONDITIONAL, UNCONDITIONAL, scale, every, sigma_data)
    assert HostWalker(graph, SHAPE).sample(job, out) == sum(graph.calls)
    return out, graph.calls


def test_scale_one_is_the_conditional_network_and_evaluates_no_other():
    out, calls = guided(1.0)
    np.testing.assert_array_equal(out, sampled(cond, TABLE, SHAPE))
    assert calls == [12, 0]


def test_scale_zero_is_the_unconditional_network():
    np.testing.assert_allclose(guided(0.0)[0], sampled(uncond, TABLE, SHAPE), atol=1e-5)


def test_guidance_is_the_formula_of_ho_and_salimans():
    def formula(x, alpha, sigma):
        u, c = uncond(x, alpha, sigma), cond(x, alpha, sigma)
        return u + np.float32(2.5) * (c - u)

    np.testing.assert_allclose(guided(2.5)[0], sampled(formula, TABLE, SHAPE), atol=1e-5)


@pytest.mark.parametrize(("every", "evaluated"), [(1, 12), (2, 6), (5, 3), (12, 1)])
def test_cheap_guidance_evaluates_the_unconditional_branch_less_often(every, evaluated):
    assert guided(2.0, every)[1] == [12, evaluated]


def gaussian(mu, s):
    def denoise(x, alpha, sigma):
        return mu + alpha * s**2 / ((alpha * s) ** 2 + sigma**2) * (x - alpha * mu)

    return denoise


@pytest.mark.parametrize(("every", "share"), [(2, 0.1), (3, 0.2), (4, 0.3)])
def test_cheap_guidance_is_near_the_full_one_and_far_from_none(every, share):
    branches = gaussian(1.0, 0.5), gaussian(0.0, 1.5)
    table = table_for("ddim", 12, "v_circle")

    def block(interval, scale=2.0):
        return guided(scale, interval, branches, table)[0]

    full, cheap, none = block(1), block(every), block(1, scale=1.0)
    assert np.sqrt(np.mean((cheap - full) ** 2)) < share * np.sqrt(np.mean((none - full) ** 2))


def test_one_evaluation_is_enough_when_the_branches_differ_by_a_shift():
    branches = gaussian(1.0, 0.5), gaussian(0.0, 0.5)
    once, always = (guided(2.0, every, branches, sigma_data=0.5)[0] for every in (12, 1))
    np.testing.assert_allclose(once, always, atol=1e-5)


def test_a_residual_never_outlives_its_block():
    graph = FunctionGraph(cond, SHAPE, unconditional=uncond)
    walker, out = HostWalker(graph, SHAPE), np.zeros(SHAPE, np.float32)
    for scale, every in ((3.0, 2), (1.0, 1), (2.0, 5)):
        walker.sample(SamplingJob(TABLE, CONDITIONAL, UNCONDITIONAL, scale, every), out)
    np.testing.assert_array_equal(out, guided(2.0, 5)[0])


def test_branches_may_answer_in_one_shared_buffer():
    buffer = np.zeros(SHAPE, dtype=np.float32)

    def shared(denoise):
        def answer(x, alpha, sigma):
            buffer[...] = denoise(x, alpha, sigma)
            return buffer

        return answer

    out, _ = guided(2.0, branches=(shared(cond), shared(uncond)))
    np.testing.assert_array_equal(out, guided(2.0)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((-1, 1, 1.0), "Invalid guidance scale -1"),
        ((float("nan"), 1, 1.0), "Invalid guidance scale nan"),
        ((2, 0, 1.0), "Invalid guidance interval 0: choose 1 or more"),
        ((2, 1, 0), "Invalid sigma_data 0: choose a number above 0"),
    ],
)
def test_guidance_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        guidance_rows(TABLE, *options)


def test_guidance_without_an_unconditional_branch_is_refused():
    with pytest.raises(ConfigError, match=r"scale 2\.0 without an unconditional branch"):
        sampled(cond, TABLE, SHAPE, scale=2.0)
