"""A sampling job as the plain numbers that walkers loop over. Pure functions, any thread."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.execution.protocols import SamplingJob
from engine.sampling.guidance import GuidedRow, guidance_rows
from engine.sampling.replace import Fixed, place

__all__ = ["Row", "Walk", "plan_walk"]


@dataclass(frozen=True)
class Row:
    """One row of a table as plain numbers: array scalars would cost time in every step.

    `saved`: `a` multiplies the x that an earlier row saved. `save_x`, `save_x0`: the next row needs
    this row's x or x0. `guided`: None without guidance.
    """

    alpha: float
    sigma: float
    a: float
    b: float
    c: float
    d: float
    saved: bool
    save_x: bool
    save_x0: bool
    guided: GuidedRow | None


@dataclass(frozen=True, eq=False)
class Walk:
    """All rows of a job, the place of its clean values, and how often the network is evaluated."""

    rows: tuple[Row, ...]
    fixed: Fixed | None
    clean: NDArray[np.floating[Any]] | None
    evaluations: int


def plan_walk(job: SamplingJob, shape: tuple[int, ...], out: NDArray[Any]) -> Walk:
    """Check a job for blocks of `shape`, and lay it out.

    Raises
    ------
    ConfigError
        A value cannot be used, or `out` has another shape.
    """
    if out.shape != shape:
        raise ConfigError(f"Invalid output shape {out.shape}: the block has {shape}")
    if not (0 <= job.temperature < math.inf):
        raise ConfigError(
            f"Invalid temperature {job.temperature!r}: choose 0 or more; 1 is neutral"
        )
    guided = guidance_rows(job.table, job.scale, job.every, job.sigma_data)
    if guided and job.free is None:
        raise ConfigError(
            f"Invalid guidance scale {job.scale!r} without an unconditional branch: choose 1"
        )
    table = job.table
    columns = (table.alpha, table.sigma, table.a, table.b, table.c, table.d, table.saved)
    values = list(zip(*(column.tolist() for column in columns), strict=True))
    rows = tuple(
        Row(
            *row,
            save_x=after is not None and after[6],
            save_x0=after is not None and after[4] != 0,
            guided=how,
        )
        for row, after, how in zip(
            values, [*values[1:], None], guided or [None] * len(values), strict=True
        )
    )
    known = job.known
    return Walk(
        rows,
        None if known is None else place(known, shape, len(rows)),
        None if known is None else known.context,
        len(rows) + sum(g.unconditional for g in guided),
    )
