"""From a network's output (v, eps, x0, flow velocity, EDM's F) to x0, and the training targets.

Pure functions: any thread or process may call them. Plain arithmetic only, so numpy arrays, torch
tensors and numbers all work, and torch traces it: `export/wrap.py` wraps networks with
`x0_from_network`. `x`, outputs and targets have one shape; alpha and sigma are numbers or arrays
that broadcast against it; x = alpha x0 + sigma eps throughout. No conversion assumes a schedule:
where the formula of the paper does (alpha^2 + sigma^2 = 1, alpha + sigma = 1, alpha = 1), it is
divided out. A network, however, knows only the schedule that it was trained on: each row says how x
is scaled to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.errors import ConfigError

__all__ = [
    "PARAMETERISATIONS",
    "SIGMA_DATA",
    "EdmCoefficients",
    "Parameterisation",
    "edm_coefficients",
    "edm_target",
    "eps_target",
    "find_parameterisation",
    "flow_target",
    "v_target",
    "x0_from_edm",
    "x0_from_eps",
    "x0_from_flow",
    "x0_from_network",
    "x0_from_v",
    "x0_from_x0",
    "x0_target",
]

Array = Any
"""A numpy array, a torch tensor or a number: whatever has + - * / and **."""

SIGMA_DATA = 0.5


@dataclass(frozen=True)
class EdmCoefficients:
    """EDM's preconditioning at one level: D = skip x + out F(in_ x; noise)."""

    skip: Array
    out: Array
    in_: Array
    noise: Array


def edm_coefficients(sigma: Array, sigma_data: float = SIGMA_DATA) -> EdmCoefficients:
    """c_skip, c_out, c_in and c_noise for alpha = 1 (piano continuation Eq 28-31, EDM table 1).

    `sigma` must be above 0 (c_noise is its logarithm); sigma_data is the data's std.
    """
    total = sigma**2 + sigma_data**2
    root = total**0.5
    # torch has its logarithm as a method, numpy and plain numbers do not
    log = sigma.log() if hasattr(sigma, "log") else np.log(sigma)
    return EdmCoefficients(sigma_data**2 / total, sigma * sigma_data / root, 1 / root, log / 4)


def x0_from_v(x: Array, v: Array, alpha: Array, sigma: Array) -> Array:
    """x0 from v = alpha eps - sigma x0 (ArchiSound Eq 16; Salimans and Ho 2022)."""
    return (alpha * x - sigma * v) / (alpha**2 + sigma**2)


def x0_from_eps(x: Array, eps: Array, alpha: Array, sigma: Array) -> Array:
    """x0 from eps (Ho et al. 2020, Eq 15). Alpha must be above 0: pure noise holds no x0."""
    return (x - sigma * eps) / alpha


def x0_from_x0(x: Array, x0: Array, alpha: Array, sigma: Array) -> Array:
    """x0 itself, for networks that return it."""
    return x0


def x0_from_flow(x: Array, u: Array, alpha: Array, sigma: Array) -> Array:
    """x0 from the flow velocity u = eps - x0, which is dx/dt for alpha = 1 - t, sigma = t."""
    return (x - sigma * u) / (alpha + sigma)


def x0_from_edm(
    x: Array, f: Array, alpha: Array, sigma: Array, sigma_data: float = SIGMA_DATA
) -> Array:
    """x0 from EDM's raw network output F (piano continuation Eq 24).

    `f` is F(c_in x / alpha; c_noise), with the coefficients at sigma / alpha. Alpha above 0.
    """
    level = sigma / alpha
    total = level**2 + sigma_data**2
    return (sigma_data**2 / total) * (x / alpha) + (level * sigma_data / total**0.5) * f


def v_target(x0: Array, eps: Array, alpha: Array, sigma: Array) -> Array:
    """v = alpha eps - sigma x0."""
    return alpha * eps - sigma * x0


def eps_target(x0: Array, eps: Array, alpha: Array, sigma: Array) -> Array:
    """eps itself."""
    return eps


def x0_target(x0: Array, eps: Array, alpha: Array, sigma: Array) -> Array:
    """x0 itself."""
    return x0


def flow_target(x0: Array, eps: Array, alpha: Array, sigma: Array) -> Array:
    """u = eps - x0."""
    return eps - x0


def edm_target(
    x0: Array, eps: Array, alpha: Array, sigma: Array, sigma_data: float = SIGMA_DATA
) -> Array:
    """The target of F: (x0 - c_skip y) / c_out with y = x / alpha (EDM Eq 8). Sigma above 0."""
    level = sigma / alpha
    total = level**2 + sigma_data**2
    y = x0 + level * eps
    return (x0 - (sigma_data**2 / total) * y) / (level * sigma_data / total**0.5)


def preserving_norm(alpha: Array, sigma: Array) -> Array:
    """What (alpha, sigma) is divided by so that alpha^2 + sigma^2 = 1."""
    return (alpha**2 + sigma**2) ** 0.5


def exploding_norm(alpha: Array, sigma: Array) -> Array:
    """What (alpha, sigma) is divided by so that alpha = 1."""
    return alpha


def linear_norm(alpha: Array, sigma: Array) -> Array:
    """What (alpha, sigma) is divided by so that alpha + sigma = 1."""
    return alpha + sigma


def circle_time(alpha: Array, sigma: Array) -> Array:
    """Time on the circle, 0 (clean) to 1 (noise): its angle over pi / 2 (ArchiSound Eq 14)."""
    own = hasattr(sigma, "arctan2")  # of torch
    return (sigma.arctan2(alpha) if own else np.arctan2(sigma, alpha)) * (2 / np.pi)


def sigma_level(alpha: Array, sigma: Array) -> Array:
    """Sigma itself: the time of a flow, or the level of a network that returns x0."""
    return sigma


def log_level(alpha: Array, sigma: Array) -> Array:
    """EDM's c_noise, ln(sigma) / 4 at alpha = 1. Sigma above 0."""
    return edm_coefficients(sigma / alpha).noise


@dataclass(frozen=True)
class Parameterisation:
    """One kind of output that a network may have, and the input that such a network expects.

    Attributes
    ----------
    name : str
    to_x0 : callable
        (x, output, alpha, sigma) to x0.
    target : callable
        (x0, eps, alpha, sigma) to the output of a perfect network.
    norm : callable
        (alpha, sigma) to the number by which x, alpha and sigma are divided to lie on the schedule
        that such networks are usually trained on.
    level : callable
        (alpha, sigma) on that schedule to the noise level that the network takes.
    preconditioned : bool
        The network's input and output are scaled by `edm_coefficients`; the functions take
        `sigma_data`.
    """

    name: str
    to_x0: Callable[..., Array]
    target: Callable[..., Array]
    norm: Callable[[Array, Array], Array]
    level: Callable[[Array, Array], Array]
    preconditioned: bool = False


PARAMETERISATIONS: Mapping[str, Parameterisation] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Parameterisation("v", x0_from_v, v_target, preserving_norm, circle_time),
            Parameterisation("eps", x0_from_eps, eps_target, preserving_norm, circle_time),
            Parameterisation("x0", x0_from_x0, x0_target, exploding_norm, sigma_level),
            Parameterisation("flow", x0_from_flow, flow_target, linear_norm, sigma_level),
            Parameterisation("edm", x0_from_edm, edm_target, exploding_norm, log_level, True),
        )
    }
)


def find_parameterisation(name: str) -> Parameterisation:
    """The row of the table with that name.

    Raises
    ------
    ConfigError
        Unknown name.
    """
    entry = PARAMETERISATIONS.get(name)
    if entry is None:
        raise ConfigError(
            f"Unknown parameterisation {name!r}: choose one of {', '.join(PARAMETERISATIONS)}"
        )
    return entry


def x0_from_network(
    name: str,
    network: Callable[[Array, Array], Array],
    x: Array,
    alpha: Array,
    sigma: Array,
    sigma_data: float = SIGMA_DATA,
) -> Array:
    """x0 from a network of parameterisation `name`, at any (alpha, sigma).

    Parameters
    ----------
    network : (x, level) to its output, on the schedule that it was trained on.
    x : alpha x0 + sigma eps. alpha and sigma have its number of dimensions.
    sigma_data : standard deviation of the data, for `edm`.

    Raises
    ------
    ConfigError
        Unknown name.
    """
    row = find_parameterisation(name)
    norm = row.norm(alpha, sigma)
    x, alpha, sigma = x / norm, alpha / norm, sigma / norm
    level = row.level(alpha, sigma)
    if not row.preconditioned:
        return row.to_x0(x, network(x, level), alpha, sigma)
    output = network(edm_coefficients(sigma, sigma_data).in_ * x, level)
    return row.to_x0(x, output, alpha, sigma, sigma_data)
