"""Ratios of paired measurements, with an interval. Pure functions.

Two things that are measured in turns, a moment apart, are disturbed alike: a machine that is busy,
or a clock that changes its pace, is in both. So each pair gives a ratio, and the ratios' median and
its interval say what one is to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Ratio", "paired_ratio"]

_RESAMPLED = 2000


@dataclass(frozen=True)
class Ratio:
    """Median of the pairs' ratios, and the interval that holds it with 95 %."""

    value: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def paired_ratio(ours: Sequence[float], theirs: Sequence[float], rng: np.random.Generator) -> Ratio:
    """`ours` over `theirs`, pair by pair; the interval is a percentile bootstrap's."""
    ratios = np.array(ours) / np.array(theirs)
    drawn = rng.choice(ratios, (_RESAMPLED, ratios.size))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return Ratio(float(np.median(ratios)), float(low), float(high), int(ratios.size))
