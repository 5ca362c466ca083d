"""Classifier-free guidance on x0, with the unconditional branch evaluated in some rows only.

Pure functions: any thread or process may call them; the walkers of engine/execution apply them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.sampling.samplers import Table

__all__ = ["GuidedRow", "guidance_rows"]


@dataclass(frozen=True)
class GuidedRow:
    """How one row of a table is guided: x0 = cond + factor * residual.

    `unconditional`: evaluate that branch too, and keep residual = cond - uncond from this row on.
    """

    unconditional: bool
    factor: float


def guidance_rows(
    table: Table, scale: float, every: int, sigma_data: float
) -> tuple[GuidedRow, ...]:
    """The rows of a guided table; empty where the scale is 1, which is no guidance.

    x0 = uncond + scale (cond - uncond) (Ho and Salimans 2022, Eq 6, on x0). The unconditional
    branch is evaluated in every `every`-th row, from the first. Between, the last residual is used
    again, scaled down with the noise: x0 = cond + (scale - 1) residual f / f_then, with f = sigma^2
    / (sigma^2 + alpha^2 sigma_data^2). Without the scaling, the late rows, where the two branches
    agree, would be guided too strongly; f is exact for two Gaussians of equal variance. The reuse
    follows StreamDiffusion's residual guidance (Kodaira et al. 2023).

    Parameters
    ----------
    scale : 0 is unconditional, 1 conditional, above 1 guided.
    every : 1 or more; 1 evaluates both branches in every row.
    sigma_data : standard deviation of the data that the network was trained on.

    Raises
    ------
    ConfigError
        A scale that is negative or not finite, every below 1, sigma_data not above 0.
    """
    if not (0 <= scale < math.inf):
        raise ConfigError(f"Invalid guidance scale {scale!r}: choose 0 or more; 1 is none")
    if every < 1:
        raise ConfigError(f"Invalid guidance interval {every!r}: choose 1 or more")
    if not (0 < sigma_data < math.inf):
        raise ConfigError(f"Invalid sigma_data {sigma_data!r}: choose a number above 0")
    if scale == 1:
        return ()
    variance = float(sigma_data) ** 2
    rows: list[GuidedRow] = []
    then = 1.0
    levels = zip(table.alpha.tolist(), table.sigma.tolist(), strict=True)
    for index, (alpha, sigma) in enumerate(levels):
        share = sigma**2 / (sigma**2 + alpha**2 * variance)
        unconditional = index % every == 0
        if unconditional:
            then = share
        rows.append(GuidedRow(unconditional, (scale - 1) * share / then))
    return tuple(rows)
