"""Values from callers: numbers of any library, and their text in messages.

Pure functions, any thread. Standard library only.
"""

from __future__ import annotations

import math
import reprlib
from numbers import Real
from typing import Any

__all__ = ["number_of", "plain", "shown"]

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: object) -> str:
    """A value as short text in one line, for messages."""
    return " ".join(_SHORT.repr(value).split())


def number_of(value: object) -> float:
    """A real number of any library as a float; NaN for everything else, also for booleans."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def plain(value: Any) -> object:
    """A scalar of numpy or torch as a Python number; other values unchanged."""
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        return value.item()
    return value
