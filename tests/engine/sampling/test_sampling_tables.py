"""Tables against literal transcriptions of the papers' algorithms."""

import numpy as np
import pytest
from function_graph import sampled
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.sampling.samplers import SAMPLERS, Table, ancestral, ddim, heun, resampled, table_for
from engine.sampling.schedules import SCHEDULES, Schedule, ddpm, flow, karras, v_circle


def curved(x, alpha, sigma):
    """A denoiser that is neither linear nor special in any way."""
    return np.tanh(x / (alpha + sigma)) + 0.1 * np.cos(3 * sigma) * x / (1 + sigma)


def walk(table, denoise=curved, seed=3):
    """Run a table in float64; return where it started and where it ended."""
    starts = []

    def remember(x, alpha, sigma):
        if not starts:
            starts.append(x.copy())
        return denoise(x, alpha, sigma)

    out = sampled(remember, table, (50,), "float64", seed=seed)
    return starts[0], out


def edm_algorithm_1(denoise, x, t):
    """EDM Algorithm 1 with S_churn = 0, line by line."""
    for i in range(len(t) - 1):
        d = (x - denoise(x, 1.0, t[i])) / t[i]
        x_next = x + (t[i + 1] - t[i]) * d
        if t[i + 1] != 0:
            d_next = (x_next - denoise(x_next, 1.0, t[i + 1])) / t[i + 1]
            x_next = x + (t[i + 1] - t[i]) * (d / 2 + d_next / 2)
        x = x_next
    return x


@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_heun_on_karras_is_edm_algorithm_1(steps):
    schedule = karras(steps)
    start, end = walk(heun(schedule))
    expected = edm_algorithm_1(curved, start, schedule.sigma)
    np.testing.assert_allclose(end, expected, rtol=0, atol=1e-12 * np.abs(start).max())


def test_heun_on_flow_is_heun_on_the_velocity():
    schedule = flow(7)
    start, end = walk(heun(schedule))

    def velocity(x, t):
        return (x - curved(x, 1 - t, t)) / t

    x, t = start, schedule.sigma
    for i in range(7):
        v = velocity(x, t[i])
        x_next = x + (t[i + 1] - t[i]) * v
        if t[i + 1] > 0:
            x_next = x + (t[i + 1] - t[i]) * (v + velocity(x_next, t[i + 1])) / 2
        x = x_next
    np.testing.assert_allclose(end, x, rtol=0, atol=1e-12)


def test_euler_on_karras_is_the_first_half_of_edm_algorithm_1():
    schedule = karras(12)
    start, end = walk(SAMPLERS["euler"].make(schedule))
    x = start
    for now, after in zip(schedule.sigma, schedule.sigma[1:], strict=False):
        x = x + (after - now) * (x - curved(x, 1.0, now)) / now
    np.testing.assert_allclose(end, x, rtol=0, atol=1e-12 * np.abs(start).max())


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_rows_are_the_textbook_formula(eta):
    # Song et al. 2021, Eq 12 and 16, in their own alpha-bar
    bar = SCHEDULES["cosine"](8).alpha ** 2
    x, x0, z = np.random.default_rng(0).standard_normal((3, 20))
    table = ddim(SCHEDULES["cosine"](8)) if eta == 0 else ancestral(SCHEDULES["cosine"](8), eta)
    for i in range(8):
        now, after = bar[i], bar[i + 1]
        noise = eta * np.sqrt((1 - after) / (1 - now)) * np.sqrt(1 - now / after)
        eps = (x - np.sqrt(now) * x0) / np.sqrt(1 - now)
        expected = np.sqrt(after) * x0 + np.sqrt(1 - after - noise**2) * eps + noise * z
        row = table.a[i] * x + table.b[i] * x0 + table.d[i] * z
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-9)


def test_ddim_on_the_circle_is_archisound_equations_15_to_18():
    schedule = v_circle(6)
    start, end = walk(ddim(schedule))
    x = start
    for i in range(6):
        alpha, beta = schedule.alpha[i], schedule.sigma[i]
        v = (alpha * x - curved(x, alpha, beta)) / beta
        x0 = alpha * x - beta * v
        eps = beta * x + alpha * v
        x = schedule.alpha[i + 1] * x0 + schedule.sigma[i + 1] * eps
    np.testing.assert_allclose(end, x, rtol=0, atol=1e-12)


def test_ddpm_rows_are_the_posterior_of_ho_et_al():
    beta = np.linspace(1e-4, 0.02, 1000)
    bar = np.cumprod(1 - beta)
    before = np.append(1.0, bar[:-1])
    x0_weight = np.sqrt(before) * beta / (1 - bar)
    x_weight = np.sqrt(1 - beta) * (1 - before) / (1 - bar)
    variance = (1 - before) / (1 - bar) * beta
    table = SAMPLERS["ddpm"].make(ddpm(1000))
    np.testing.assert_allclose(table.a[::-1], x_weight, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(table.b[::-1], x0_weight, rtol=1e-9)
    np.testing.assert_allclose(table.d[::-1] ** 2, variance, rtol=1e-9, atol=1e-15)


def test_ancestral_on_karras_is_k_diffusions_euler_ancestral():
    sigma = karras(9).sigma
    table = ancestral(karras(9))
    for i in range(9):
        now, after = sigma[i], sigma[i + 1]
        up = min(after, np.sqrt(after**2 * (now**2 - after**2) / now**2))
        down = np.sqrt(after**2 - up**2)
        assert table.d[i] == pytest.approx(up, abs=1e-12)
        assert table.a[i] == pytest.approx(1 + (down - now) / now, abs=1e-12)
        assert table.b[i] == pytest.approx((now - down) / now, abs=1e-12)


def test_dpmpp_2m_is_algorithm_2_of_lu_et_al():
    schedule = SCHEDULES["cosine"](10)
    start, end = walk(SAMPLERS["dpmpp_2m"].make(schedule))
    alpha, sigma = schedule.alpha, schedule.sigma
    lam = np.log(alpha[:-1] / sigma[:-1])
    x, before = start, None
    for i in range(1, 10):
        x0 = curved(x, alpha[i - 1], sigma[i - 1])
        h = lam[i] - lam[i - 1]
        used = x0
        if before is not None:
            r = (lam[i - 1] - lam[i - 2]) / h
            used = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * before
        x = sigma[i] / sigma[i - 1] * x - alpha[i] * (np.exp(-h) - 1) * used
        before = x0
    expected = curved(x, alpha[9], sigma[9])  # the last step, to sigma 0, is of first order
    np.testing.assert_allclose(end, expected, rtol=0, atol=1e-9)


def test_ping_pong_answers_clean_then_noises_afresh():
    table = SAMPLERS["ping_pong"].make(flow(4))
    assert np.all(table.a == 0)
    np.testing.assert_array_equal(table.b, flow(4).alpha[1:])
    np.testing.assert_array_equal(table.d, flow(4).sigma[1:])


@settings(deadline=None)
@given(
    sampler=st.sampled_from(sorted(SAMPLERS)),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    nfe=st.integers(1, 60),
)
def test_steps_are_network_evaluations(sampler, schedule, nfe):
    table = table_for(sampler, nfe, schedule)
    calls = []

    def count(x, alpha, sigma):
        calls.append(sigma)
        return x

    walk(table, count)
    assert len(calls) == len(table) == (nfe - 1 + nfe % 2 if sampler == "heun" else nfe)


@settings(deadline=None)
@given(
    sampler=st.sampled_from(sorted(SAMPLERS)),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    nfe=st.integers(1, 60),
)
def test_a_constant_answer_is_reached_exactly_by_every_sampler(sampler, schedule, nfe):
    # Whatever the noise: if the network is certain of x0 = 2.5, the block is 2.5
    _, end = walk(table_for(sampler, nfe, schedule), lambda x, alpha, sigma: np.full_like(x, 2.5))
    np.testing.assert_allclose(end, 2.5, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(
    sampler=st.sampled_from(sorted(SAMPLERS)),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    nfe=st.integers(1, 200),
)
def test_every_table_is_finite_even_from_pure_noise(sampler, schedule, nfe):
    table = table_for(sampler, nfe, schedule)
    for column in (table.a, table.b, table.c, table.d):
        assert np.all(np.isfinite(column))
    assert np.all(table.sigma > 0)
    assert table.stochastic == (SAMPLERS[sampler].stochastic and nfe > 1)


def test_forty_heun_steps_of_the_paper_are_79_evaluations():
    assert len(heun(karras(40))) == 79
    assert len(table_for("heun", 79, "karras")) == 79
    np.testing.assert_array_equal(table_for("heun", 79, "karras").sigma, heun(karras(40)).sigma)


def test_heun_on_a_schedule_that_stops_before_clean_stays_within_the_steps():
    def partly(steps):
        return Schedule(np.ones(steps + 1), np.linspace(2, 1, steps + 1))

    assert [len(table_for("heun", nfe, partly)) for nfe in (2, 3, 4, 5)] == [2, 2, 4, 4]
    with pytest.raises(ConfigError, match="Invalid steps 1 for sampler heun: choose 2 or more"):
        table_for("heun", 1, partly)


@pytest.mark.parametrize("times", [2, 3, 5])
def test_resampling_stays_within_the_steps_and_keeps_the_noise_level(times):
    table = table_for("ddim", 20, "karras", resample=times)
    assert 20 - times < len(table) <= 20
    assert (len(table) - 1) % times == 0
    # pure noise in (network answers 0): before each row x must have that row's sigma
    variance = table.sigma[0] ** 2
    for i in range(len(table)):
        assert variance == pytest.approx(table.sigma[i] ** 2, rel=1e-9)
        variance = table.a[i] ** 2 * variance + table.d[i] ** 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: table_for("huen", 8, "karras"), "Unknown sampler 'huen': .* heun, dpmpp_2m"),
        (lambda: table_for("heun", 8, "karas"), "Unknown schedule 'karas': choose one of karras"),
        (lambda: table_for("heun", 0, "karras"), "Invalid steps 0: choose from 1 to 1000"),
        (
            lambda: table_for("ddim", 8, "flow", eta=1),
            "'eta' of sampler ddim: its options are none",
        ),
        (lambda: table_for("ancestral", 8, "flow", eta=2), "Invalid eta 2: choose from 0"),
        (lambda: table_for("heun", 8, "flow", resample=2), "choose ddim, ddpm or ancestral"),
        (lambda: table_for("dpmpp_2m", 8, "flow", resample=1), "choose ddim, ddpm or ancestral"),
        (lambda: resampled(ddim(flow(3)), 0), "Invalid steps 0"),
    ],
)
def test_bad_names_and_numbers_are_refused_in_one_line(call, message):
    with pytest.raises(ConfigError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_table_that_needs_a_row_before_the_first_is_refused():
    one, zero, no = np.ones(1), np.zeros(1), np.zeros(1, dtype=bool)
    with pytest.raises(ConfigError, match="does not exist"):
        Table(one, one, one, zero, one, zero, no)
    with pytest.raises(ConfigError, match="does not exist"):
        Table(one, one, one, zero, zero, zero, ~no)
    with pytest.raises(ConfigError, match="one length"):
        Table(np.ones(2), one, one, zero, zero, zero, no)
