"""Noise schedules: tables of levels (alpha, sigma) of x = alpha x0 + sigma eps, noise to clean.

Pure functions and immutable values: any thread or process may use them. Levels are dimensionless
float64; a schedule of N steps has N intervals and N + 1 levels, the last with sigma exactly 0.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError

__all__ = [
    "MAX_STEPS",
    "SCHEDULES",
    "Schedule",
    "check_options",
    "check_steps",
    "cosine",
    "ddpm",
    "flow",
    "karras",
    "make_schedule",
    "v_circle",
]

MAX_STEPS = 1000


@dataclass(frozen=True, eq=False)
class Schedule:
    """Levels of noise, from noise to clean.

    Parameters
    ----------
    alpha, sigma : ndarray [shape=(N + 1,)] float64
        Scale of the data and standard deviation of the noise at each level. Stored as read-only
        copies.

    Raises
    ------
    ConfigError
        Fewer than two levels, different lengths, a value that is negative or not finite, a zero
        sigma before the end, or a signal-to-noise ratio that does not rise from level to level.
    """

    alpha: NDArray[np.float64]
    sigma: NDArray[np.float64]

    def __post_init__(self) -> None:
        alpha = np.array(self.alpha, dtype=np.float64)
        sigma = np.array(self.sigma, dtype=np.float64)
        if alpha.ndim != 1 or alpha.shape != sigma.shape or alpha.size < 2:
            raise ConfigError(
                f"Invalid schedule of shapes {alpha.shape} and {sigma.shape}: "
                "use alpha and sigma of one length, two levels or more"
            )
        both = np.concatenate([alpha, sigma])
        if not np.all(np.isfinite(both)) or np.any(both < 0):
            raise ConfigError("Invalid schedule: alpha and sigma must be finite and not negative")
        if np.any(sigma[:-1] == 0):
            raise ConfigError("Invalid schedule: only the last sigma may be 0")
        if np.any(alpha[1:] * sigma[:-1] <= alpha[:-1] * sigma[1:]):
            raise ConfigError(
                "Invalid schedule: alpha / sigma must rise from each level to the next"
            )
        alpha.flags.writeable = False
        sigma.flags.writeable = False
        object.__setattr__(self, "alpha", alpha)
        object.__setattr__(self, "sigma", sigma)

    @property
    def intervals(self) -> int:
        """Number of intervals between levels (N)."""
        return self.alpha.size - 1


def check_steps(steps: object, limit: int = MAX_STEPS) -> int:
    """`steps`, if it is a whole number in 1..limit; else raises ConfigError."""
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        raise ConfigError(f"Invalid steps {steps!r}: choose a whole number from 1 to {limit}")
    if not 1 <= steps <= limit:
        raise ConfigError(f"Invalid steps {steps}: choose from 1 to {limit}")
    return int(steps)


def check_options(what: str, make: Callable[..., object], options: Mapping[str, object]) -> None:
    """Raise ConfigError if `make` lacks one of `options` (its first parameter is not one)."""
    known = list(inspect.signature(make).parameters)[1:]
    for name in options:
        if name not in known:
            choices = ", ".join(known) if known else "none"
            raise ConfigError(f"Invalid option {name!r} of {what}: its options are {choices}")


def karras(
    steps: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
) -> Schedule:
    """Variance exploding (alpha = 1), warped spacing; EDM (Karras et al. 2022) Eq 5.

    sigma_i = (sigma_max^(1/rho) + i / (N - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho for
    i < N, and sigma_N = 0. One step is sigma_max alone.

    Raises
    ------
    ConfigError
        steps out of bounds, or not 0 < sigma_min < sigma_max, or rho not above 0.
    """
    count = check_steps(steps)
    if not (0 < sigma_min < sigma_max < math.inf):
        raise ConfigError(
            f"Invalid sigma_min {sigma_min!r} and sigma_max {sigma_max!r}: "
            "choose 0 < sigma_min < sigma_max"
        )
    if not (0 < rho < math.inf):
        raise ConfigError(f"Invalid rho {rho!r}: choose a number above 0, such as 7")
    ramp = np.arange(count) / max(count - 1, 1)
    far, near = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    sigma = np.append((far + ramp * (near - far)) ** rho, 0.0)
    return Schedule(np.ones(count + 1), sigma)


def v_circle(steps: int) -> Schedule:
    """v-diffusion: alpha = cos(phi), sigma = sin(phi), phi even from pi/2 to 0 (ArchiSound Eq 14).

    Raises ConfigError when steps is out of bounds. After Salimans and Ho 2022.
    """
    count = check_steps(steps)
    phi = np.arange(count, -1, -1) / count * (np.pi / 2)
    alpha = np.cos(phi)
    alpha[0] = 0.0  # cos(pi/2) rounds to 6e-17, which would give a finite log-SNR to pure noise
    return Schedule(alpha, np.sin(phi))


def ddpm(
    steps: int, beta_first: float = 1e-4, beta_last: float = 0.02, train_steps: int = 1000
) -> Schedule:
    """Variance preserving with linear betas (Ho et al. 2020), `steps` of the trained levels.

    The levels are spaced "trailing" (Lin et al. 2023, table 2): the noisiest trained level is
    always the first, and clean (1, 0) follows the last.

    Raises
    ------
    ConfigError
        steps above train_steps, or not 0 < beta_first <= beta_last < 1.
    """
    if not (0 < beta_first <= beta_last < 1):
        raise ConfigError(
            f"Invalid beta_first {beta_first!r} and beta_last {beta_last!r}: "
            "choose 0 < beta_first <= beta_last < 1"
        )
    trained = check_steps(train_steps, 100_000)
    return _subsample(np.cumprod(1 - np.linspace(beta_first, beta_last, trained)), steps)


def cosine(steps: int, offset: float = 0.008, train_steps: int = 1000) -> Schedule:
    """Variance preserving, cosine alpha-bar (Nichol and Dhariwal 2021, Eq 17), betas up to 0.999.

    Spaced as `ddpm`.

    Raises
    ------
    ConfigError
        steps above train_steps, or an offset outside 0..1.
    """
    if not (0 <= offset <= 1):
        raise ConfigError(f"Invalid offset {offset!r}: choose from 0 to 1, such as 0.008")
    trained = check_steps(train_steps, 100_000)
    t = np.arange(trained + 1) / trained
    f = np.cos((t + offset) / (1 + offset) * np.pi / 2) ** 2
    return _subsample(np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], 0.999)), steps)


def flow(steps: int) -> Schedule:
    """Rectified flow: alpha = 1 - t, sigma = t, t even from 1 to 0 (Lipman et al. 2023, Liu 2023).

    Raises ConfigError when steps is out of bounds.
    """
    count = check_steps(steps)
    t = np.arange(count, -1, -1) / count
    return Schedule(1 - t, t)


def _subsample(alpha_bar: NDArray[Any], steps: int) -> Schedule:
    """`steps` trailing-spaced levels of a trained alpha-bar table, then clean."""
    trained = alpha_bar.size
    count = check_steps(steps, min(trained, MAX_STEPS))
    index = np.round(trained * (1 - np.arange(count) / count)).astype(np.int64) - 1
    kept = alpha_bar[index].astype(np.float64)
    return Schedule(np.append(np.sqrt(kept), 1.0), np.append(np.sqrt(1 - kept), 0.0))


SCHEDULES: Mapping[str, Callable[..., Schedule]] = MappingProxyType(
    {"karras": karras, "v_circle": v_circle, "ddpm": ddpm, "cosine": cosine, "flow": flow}
)


def make_schedule(name: str, steps: int, **options: Any) -> Schedule:
    """The schedule `name` with `steps` intervals; `options` are those of its function.

    Raises
    ------
    ConfigError
        The name or an option is unknown, or a value is invalid.
    """
    make = SCHEDULES.get(name)
    if make is None:
        raise ConfigError(f"Unknown schedule {name!r}: choose one of {', '.join(SCHEDULES)}")
    check_options(f"schedule {name}", make, options)
    return make(steps, **options)
