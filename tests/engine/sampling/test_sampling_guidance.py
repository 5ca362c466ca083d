import numpy as np
import pytest

from engine.errors import ConfigError
from engine.sampling.guidance import Guidance, guide, rescale
from engine.sampling.loop import SamplerLoop
from engine.sampling.samplers import table_for

SHAPE = (2, 40)


def cond(x, alpha, sigma):
    return np.tanh(x / (1 + sigma)) + np.float32(0.5)


def uncond(x, alpha, sigma):
    return np.tanh(x / (1 + sigma)) * np.float32(0.6)


def play(denoise, steps=12, sampler="dpmpp_2m"):
    loop = SamplerLoop()
    loop.prepare(SHAPE, table_for(sampler, steps, "v_circle"))
    return loop.run(denoise, seed=1, block=0, out=np.zeros(SHAPE, dtype=np.float32))


def guided(scale, **options):
    guidance = Guidance(cond, uncond, scale, **options)
    guidance.prepare(SHAPE)
    return guidance


class Counted:
    def __init__(self, denoise):
        self.denoise = denoise
        self.calls = 0

    def __call__(self, x, alpha, sigma):
        self.calls += 1
        return self.denoise(x, alpha, sigma)


def test_scale_one_is_the_conditional_network_and_does_not_ask_the_other():
    def never(x, alpha, sigma):
        raise AssertionError("the unconditional branch was asked")

    guidance = Guidance(cond, never, 1.0)
    guidance.prepare(SHAPE)
    np.testing.assert_array_equal(play(guidance.begin()), play(cond))


def test_scale_zero_is_the_unconditional_network():
    np.testing.assert_allclose(play(guided(0.0).begin()), play(uncond), atol=1e-5)


def test_guidance_is_the_formula_of_ho_and_salimans():
    u, c = np.random.default_rng(0).standard_normal((2, 3, 4))
    np.testing.assert_allclose(guide(u, c, 3.0), u + 3 * (c - u), rtol=1e-14)
    np.testing.assert_array_equal(guide(u, c, 1.0), c)
    out = np.zeros((3, 4))
    assert guide(u, c, 2.0, out) is out
    x = np.ones(SHAPE, dtype=np.float32)
    expected = guide(uncond(x, 1, 0.5), cond(x, 1, 0.5), 2.5)
    np.testing.assert_allclose(guided(2.5).begin()(x, 1.0, 0.5), expected, atol=1e-6)


@pytest.mark.parametrize(("every", "asked"), [(1, 12), (2, 6), (5, 3), (0, 1)])
def test_cheap_guidance_asks_the_unconditional_branch_less_often(every, asked):
    both = Counted(cond), Counted(uncond)
    guidance = Guidance(*both, 2.0, every=every)
    guidance.prepare(SHAPE)
    play(guidance.begin())
    assert both[0].calls == 12
    assert both[1].calls == asked
    assert guidance.evaluations(12) == 12 + asked


def gaussian(mu, s):
    def denoise(x, alpha, sigma):
        return mu + alpha * s**2 / ((alpha * s) ** 2 + sigma**2) * (x - alpha * mu)

    return denoise


@pytest.mark.parametrize(("every", "share"), [(2, 0.1), (3, 0.2), (4, 0.3)])
def test_cheap_guidance_is_near_the_full_one_and_far_from_none(every, share):
    branches = gaussian(1.0, 0.5), gaussian(0.0, 1.5)

    def distance(interval, scale=2.0):
        guidance = Guidance(*branches, scale, every=interval)
        guidance.prepare(SHAPE)
        return play(guidance.begin(), sampler="ddim")

    full, cheap, none = distance(1), distance(every), distance(1, scale=1.0)
    assert np.sqrt(np.mean((cheap - full) ** 2)) < share * np.sqrt(np.mean((none - full) ** 2))


def test_asking_once_is_enough_when_the_branches_differ_by_a_shift():
    def block(every):
        guidance = Guidance(gaussian(1.0, 0.5), gaussian(0.0, 0.5), 2.0, every, sigma_data=0.5)
        guidance.prepare(SHAPE)
        return play(guidance.begin())

    np.testing.assert_allclose(block(0), block(1), atol=1e-5)


def test_every_block_starts_afresh():
    guidance = guided(2.0, every=5)
    first = play(guidance.begin())
    play(guidance.begin(), steps=7)
    np.testing.assert_array_equal(play(guidance.begin()), first)


def test_a_new_scale_is_heard_from_the_next_block_on():
    guidance = guided(2.0)
    np.testing.assert_array_equal(play(guidance.begin(3.0)), play(guided(3.0).begin()))


def test_branches_may_answer_in_one_shared_buffer():
    buffer = np.zeros(SHAPE, dtype=np.float32)

    def shared(denoise):
        def answer(x, alpha, sigma):
            buffer[...] = denoise(x, alpha, sigma)
            return buffer

        return answer

    guidance = Guidance(shared(cond), shared(uncond), 2.0)
    guidance.prepare(SHAPE)
    np.testing.assert_array_equal(play(guidance.begin()), play(guided(2.0).begin()))


def test_rescale_gives_guided_blocks_the_spread_of_unguided_ones():
    rng = np.random.default_rng(0)
    c, x = rng.standard_normal(1000), 3 * rng.standard_normal(1000)
    assert rescale(x.copy(), c, 1.0).std() == pytest.approx(c.std(), rel=1e-12)
    expected = 0.7 * x * c.std() / x.std() + 0.3 * x
    np.testing.assert_allclose(rescale(x.copy(), c, 0.7), expected, rtol=1e-12)
    np.testing.assert_array_equal(rescale(x.copy(), c, 0.0), x)
    np.testing.assert_array_equal(rescale(np.zeros(5), np.ones(5), 1.0), np.zeros(5))
    x = np.linspace(-1, 1, 80, dtype=np.float32).reshape(SHAPE)
    loud = guided(6.0).begin()(x, 1.0, 0.5).std()
    tamed = guided(6.0, rescale_amount=1.0).begin()(x, 1.0, 0.5).std()
    assert tamed == pytest.approx(cond(x, 1.0, 0.5).std(), rel=1e-5)
    assert loud > 1.2 * tamed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": -1}, "Invalid guidance scale -1"),
        ({"scale": float("nan")}, "Invalid guidance scale nan"),
        ({"scale": 2, "every": -1}, "Invalid guidance interval -1"),
        ({"scale": 2, "sigma_data": 0}, "Invalid sigma_data 0: choose a number above 0"),
        ({"scale": 2, "rescale_amount": 1.5}, "Invalid guidance rescale 1.5: choose from 0 to 1"),
    ],
)
def test_guidance_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Guidance(cond, uncond, **options)
