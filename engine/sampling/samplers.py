"""Samplers as tables: each row is x_next = a x + b x0_hat + c x0_prev + d noise.

Pure functions and immutable values: any thread or process may use them. x0_hat is the network's
output at the row's (alpha, sigma), x0_prev its output one row earlier. Coefficients are float64.
One row is one evaluation of the network, so the length of a table is its NFE.

Notation of the rows: (alpha, sigma) is the level at the start of an interval, (alpha', sigma') at
its end, and B = alpha' - alpha sigma' / sigma is the weight of x0 in a DDIM step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.sampling.schedules import (
    SCHEDULES,
    Schedule,
    check_options,
    check_steps,
    make_schedule,
)

__all__ = [
    "SAMPLERS",
    "Sampler",
    "Table",
    "ancestral",
    "ddim",
    "ddpm",
    "dpmpp_2m",
    "euler",
    "heun",
    "ping_pong",
    "resampled",
    "table_for",
    "without_last_row",
]

_COLUMNS = ("alpha", "sigma", "a", "b", "c", "d")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of coefficients, which the sampler loop applies.

    Attributes
    ----------
    alpha, sigma : ndarray [shape=(rows,)] float64
        Level at which the network is evaluated in each row.
    a, b, c, d : ndarray [shape=(rows,)] float64
        Weights of x, x0_hat, x0_prev and fresh unit noise.
    saved : ndarray [shape=(rows,)] bool
        Where True, `a` multiplies the x from before the previous row (the second row of Heun).
    alpha_end, sigma_end : float
        Level reached after the last row; (1, 0) is clean.

    Raises
    ------
    ConfigError
        No rows, columns of different lengths, or a first row that needs an earlier one.
    """

    alpha: NDArray[np.float64]
    sigma: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    c: NDArray[np.float64]
    d: NDArray[np.float64]
    saved: NDArray[np.bool_]
    alpha_end: float = 1.0
    sigma_end: float = 0.0

    def __post_init__(self) -> None:
        for name in (*_COLUMNS, "saved"):
            column = np.array(getattr(self, name), dtype=bool if name == "saved" else np.float64)
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        if self.a.ndim != 1 or self.a.size == 0:
            raise ConfigError(f"Invalid table of shape {self.a.shape}: use one row or more")
        if any(getattr(self, name).shape != self.a.shape for name in (*_COLUMNS, "saved")):
            raise ConfigError("Invalid table: all columns must have one length")
        if self.c[0] != 0 or self.saved[0] or np.any(self.saved[1:] & self.saved[:-1]):
            raise ConfigError("Invalid table: a row uses an x or x0 of a row that does not exist")

    def __len__(self) -> int:
        return self.a.size

    @property
    def stochastic(self) -> bool:
        """Whether any row adds fresh noise."""
        return bool(np.any(self.d != 0))


def _one_row_each(
    schedule: Schedule,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64] | None = None,
    d: NDArray[np.float64] | None = None,
) -> Table:
    """A table with one row per interval."""
    zero = np.zeros(schedule.intervals)
    return Table(
        schedule.alpha[:-1],
        schedule.sigma[:-1],
        a,
        b,
        zero if c is None else c,
        zero if d is None else d,
        np.zeros(schedule.intervals, dtype=bool),
        float(schedule.alpha[-1]),
        float(schedule.sigma[-1]),
    )


def _from_rows(rows: list[tuple[float, ...]], alpha_end: float, sigma_end: float) -> Table:
    """A table of rows (alpha, sigma, a, b, c, d, saved)."""
    alpha, sigma, a, b, c, d, saved = np.array(rows, dtype=np.float64).T
    return Table(alpha, sigma, a, b, c, d, saved != 0, float(alpha_end), float(sigma_end))


def ddim(schedule: Schedule) -> Table:
    """DDIM (Song et al. 2021, Eq 12 with eta = 0): keep eps, change its level.

    x' = alpha' x0 + sigma' (x - alpha x0) / sigma, so a = sigma' / sigma and b = B. Nothing is
    divided by alpha, so it starts from pure noise (alpha = 0).
    """
    return ancestral(schedule, eta=0.0)


def euler(schedule: Schedule) -> Table:
    """Euler's method on dy/dtau = (y - x0) / tau, y = x / alpha, tau = sigma / alpha (EDM Alg. 1).

    It equals DDIM for every schedule; both names are in use.
    """
    return ddim(schedule)


def heun(schedule: Schedule) -> Table:
    """Heun's method, two rows per interval (EDM Algorithm 1, generalised to any alpha, sigma).

    The ODE is solved along the straight line from (alpha, sigma) to (alpha', sigma'); there
    dx = (dsigma / sigma) x + (dalpha - alpha dsigma / sigma) x0. The Euler row is DDIM. Averaging
    the slopes at both ends, x on the right being the saved one:

        x' = (sigma' / sigma) x + B q / 2 x0_hat + B (1 - q / 2) x0_prev,   q = sigma / sigma'

    For alpha = 1 this is EDM's Heun, for flow matching Heun on the velocity. An interval that ends
    at sigma 0 is the Euler row alone, as in EDM: N intervals make 2 N - 1 rows.
    """
    rows: list[tuple[float, ...]] = []
    alpha, sigma = schedule.alpha, schedule.sigma
    for i in range(schedule.intervals):
        a = sigma[i + 1] / sigma[i]
        B = alpha[i + 1] - alpha[i] * a
        rows.append((alpha[i], sigma[i], a, B, 0.0, 0.0, False))
        if sigma[i + 1] > 0:
            half_q = 0.5 * sigma[i] / sigma[i + 1]
            b, c = B * half_q, B * (1 - half_q)
            rows.append((alpha[i + 1], sigma[i + 1], a, b, c, 0.0, True))
    return _from_rows(rows, schedule.alpha[-1], schedule.sigma[-1])


def dpmpp_2m(schedule: Schedule) -> Table:
    """DPM-Solver++(2M), second-order multistep (Lu et al. 2022, Algorithm 2).

    With lambda = ln(alpha / sigma), h its change over this interval, h_prev over the one before,
    and w = h / (2 h_prev): a = sigma' / sigma, b = B (1 + w), c = -B w. First order (w = 0) where
    h or h_prev is missing or infinite: the first interval, the one after pure noise, and the last
    one to sigma 0 (the paper's lower-order final step).
    """
    alpha, sigma = schedule.alpha, schedule.sigma
    a = sigma[1:] / sigma[:-1]
    B = alpha[1:] - alpha[:-1] * a
    w = np.zeros(schedule.intervals)
    for i in range(1, schedule.intervals):
        if alpha[i - 1] > 0 and sigma[i + 1] > 0:
            lam = [math.log(alpha[j] / sigma[j]) for j in (i - 1, i, i + 1)]
            w[i] = 0.5 * (lam[2] - lam[1]) / (lam[1] - lam[0])
    return _one_row_each(schedule, a, B * (1 + w), -B * w)


def ancestral(schedule: Schedule, eta: float = 1.0) -> Table:
    """DDIM with fresh noise: eta 0 is DDIM, eta 1 is DDPM (Song et al. 2021, Eq 12 and 16).

    up = eta sigma' sqrt(1 - (alpha sigma' / (alpha' sigma))^2) is the standard deviation of the
    noise added, down = sqrt(sigma'^2 - up^2) of the noise kept; a = down / sigma,
    b = alpha' - alpha down / sigma, d = up. For alpha = 1 it is k-diffusion's Euler ancestral.

    Raises
    ------
    ConfigError
        eta outside 0..1.
    """
    if not (0 <= eta <= 1):
        raise ConfigError(f"Invalid eta {eta!r}: choose from 0 (no fresh noise) to 1 (as DDPM)")
    alpha, sigma = schedule.alpha[:-1], schedule.sigma[:-1]
    alpha_next, sigma_next = schedule.alpha[1:], schedule.sigma[1:]
    fall = alpha * sigma_next / (alpha_next * sigma)
    up = eta * sigma_next * np.sqrt(1 - fall**2)
    a = sigma_next * np.sqrt(1 - (eta**2) * (1 - fall**2)) / sigma
    return _one_row_each(schedule, a, alpha_next - alpha * a, d=up)


def ddpm(schedule: Schedule) -> Table:
    """DDPM's posterior q(x' | x, x0) with its own variance (Ho et al. 2020, Eq 6 and 7).

    For any (alpha, sigma) it equals `ancestral` with eta 1.
    """
    return ancestral(schedule, eta=1.0)


def ping_pong(schedule: Schedule) -> Table:
    """Compute x0, then add new noise: x' = alpha' x0 + sigma' noise (Song et al. 2023, Alg. 1).

    For networks distilled to jump straight to clean (consistency models).
    """
    return _one_row_each(
        schedule, np.zeros(schedule.intervals), schedule.alpha[1:], d=schedule.sigma[1:]
    )


def resampled(table: Table, times: int) -> Table:
    """Repeat every interval but the last `times` times, noising forward again in between (RePaint).

    After a row reaches (alpha', sigma') the forward step back to (alpha, sigma) is again linear, so
    it is folded into the row: a, b and d are scaled by g = alpha / alpha', and noise of variance
    sigma^2 - g^2 sigma'^2 is added. Used with `replace`: it brings the new frames into agreement
    with the context (Lugmayr et al. 2022, Algorithm 1, jump length 1). R rows become
    (R - 1) times + 1.

    Raises
    ------
    ConfigError
        times out of bounds, or a table whose rows need earlier ones (heun, dpmpp_2m).
    """
    count = check_steps(times)
    if np.any(table.saved) or np.any(table.c != 0):
        raise ConfigError(
            "This sampler uses earlier outputs, which is not possible with a replaced context: "
            "choose ddim, ddpm or ancestral"
        )
    alpha_next = np.append(table.alpha[1:], table.alpha_end)
    sigma_next = np.append(table.sigma[1:], table.sigma_end)
    g = table.alpha / alpha_next
    back = np.sqrt((g * table.d) ** 2 + table.sigma**2 - (g * sigma_next) ** 2)
    rows: list[tuple[float, ...]] = []
    for i in range(len(table)):
        last = i == len(table) - 1
        level = (table.alpha[i], table.sigma[i])
        again = (*level, g[i] * table.a[i], g[i] * table.b[i], 0.0, back[i], False)
        rows.extend([again] * (0 if last else count - 1))
        rows.append((*level, table.a[i], table.b[i], 0.0, table.d[i], False))
    return _from_rows(rows, table.alpha_end, table.sigma_end)


def without_last_row(table: Table) -> Table:
    """The table without its last row, whose level another network finishes.

    Raises
    ------
    ConfigError
        The table has one row only.
    """
    if len(table) < 2:
        raise ConfigError(
            "Invalid steps 1: this pack finishes with another network; choose 2 or more"
        )
    columns = {name: getattr(table, name)[:-1] for name in (*_COLUMNS, "saved")}
    end = float(table.alpha[-1]), float(table.sigma[-1])
    return Table(**columns, alpha_end=end[0], sigma_end=end[1])


@dataclass(frozen=True)
class Sampler:
    """The properties of a sampler.

    Attributes
    ----------
    name, summary : str
        Name of the control's value, and one line for the user.
    make : callable
        Schedule (and options, such as eta) to Table.
    order : int
        Order of convergence to the probability flow ODE; 0 if it does not follow that ODE.
    stochastic : bool
        Whether it adds fresh noise after the start.
    evaluations : int
        Rows for each interval; an interval that ends at sigma 0 is always one row.
    """

    name: str
    summary: str
    make: Callable[..., Table]
    order: int
    stochastic: bool
    evaluations: int = 1


SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Sampler("ddim", "first order, steady with very few steps", ddim, 1, False),
            Sampler("euler", "the same rows as ddim, under its other name", euler, 1, False),
            Sampler("heun", "second order, two evaluations per interval", heun, 2, False, 2),
            Sampler("dpmpp_2m", "second order, one evaluation per interval", dpmpp_2m, 2, False),
            Sampler("ancestral", "ddim with fresh noise, scaled by eta", ancestral, 0, True),
            Sampler("ddpm", "fresh noise at every step, needs many steps", ddpm, 0, True),
            Sampler("ping_pong", "for networks distilled to few steps", ping_pong, 0, True),
        )
    }
)


def table_for(
    sampler: str,
    nfe: int,
    schedule_fn: str | Callable[[int], Schedule],
    *,
    resample: int = 0,
    **options: Any,
) -> Table:
    """The table of `sampler` with `nfe` rows, or with the largest possible number below.

    `nfe` is the control `steps`: evaluations of the network per block. Heun on a schedule that
    ends at sigma 0 has an odd number of rows, so an even `nfe` rounds down; with `resample` r the
    rows are (N - 1) r + 1 for N intervals.

    Parameters
    ----------
    sampler : str
        A name in SAMPLERS.
    nfe : int
        1 to MAX_STEPS.
    schedule_fn : str or callable
        A name in SCHEDULES, or a function from the number of intervals to a Schedule.
    resample : int
        For a block whose context is replaced, the rounds of every interval (see `resampled`; 1 is
        one walk). 0 for every other block.
    **options
        Options of the sampler (eta of ancestral).

    Raises
    ------
    ConfigError
        A name, number or option that cannot be used, or a sampler whose first interval alone
        needs more rows than `nfe`.
    """
    entry = SAMPLERS.get(sampler)
    if entry is None:
        raise ConfigError(f"Unknown sampler {sampler!r}: choose one of {', '.join(SAMPLERS)}")
    check_options(f"sampler {sampler}", entry.make, options)
    rows = check_steps(nfe)
    if isinstance(schedule_fn, str) and schedule_fn not in SCHEDULES:
        raise ConfigError(f"Unknown schedule {schedule_fn!r}: choose one of {', '.join(SCHEDULES)}")
    rounds = check_steps(resample) if resample else 0
    each = entry.evaluations * max(1, rounds)
    for intervals in ((rows - 1) // each + 1, rows // each):
        if intervals == 0:
            continue
        if isinstance(schedule_fn, str):
            schedule = make_schedule(schedule_fn, intervals)
        else:
            schedule = schedule_fn(intervals)
        table = entry.make(schedule, **options)
        if rounds:
            table = resampled(table, rounds)
        if len(table) <= rows:
            return table
    raise ConfigError(f"Invalid steps {nfe} for sampler {sampler}: choose {each} or more")
