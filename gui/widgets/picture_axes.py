"""Positions and texts of the marks on the picture's axes. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["frequency_marks", "time_marks"]

_HZ = {50: "50 Hz", 100: "100", 200: "200", 500: "500", 1_000: "1k", 2_000: "2k", 5_000: "5k",
       10_000: "10k", 20_000: "20k"}  # fmt: skip
_STEPS = (1, 2, 5, 10, 20)  # seconds between two marks
_MOST = 12


def frequency_marks(frequencies: Sequence[float]) -> list[tuple[float, str]]:
    """Marks of an axis whose bands are equally high, lowest first: (0 bottom to 1 top, text)."""
    count = len(frequencies)
    if count < 2:
        return []
    logs = [math.log(f) for f in frequencies]
    found: list[tuple[float, str]] = []
    for hz, text in _HZ.items():
        wanted = math.log(hz)
        if not logs[0] <= wanted <= logs[-1]:
            continue
        above = next(i for i, place in enumerate(logs) if place >= wanted)
        below = max(above - 1, 0)
        span = logs[above] - logs[below]
        band = below + ((wanted - logs[below]) / span if span > 0 else 0.0)
        found.append(((band + 0.5) / count, text))
    return found


def time_marks(low: float, high: float) -> list[tuple[float, str]]:
    """Marks between two times in seconds from the playhead: (seconds, text)."""
    step = next((s for s in _STEPS if (high - low) / s <= _MOST), _STEPS[-1])
    found: list[tuple[float, str]] = []
    for n in range(math.ceil(low / step), math.floor(high / step) + 1):
        away = n * step
        sign = "+" if away > 0 else "\N{MINUS SIGN}"
        found.append((float(away), f"{sign}{abs(away)} s" if away else "now"))
    return found
