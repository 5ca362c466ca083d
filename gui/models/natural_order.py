"""Natural sort order of names: 1, 2, 10, ignoring case. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["in_natural_order"]

_NUMBER = re.compile(r"(\d+)")


def in_natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names, comparing the numbers in them as numbers."""
    return tuple(sorted(names, key=_key))


def _key(name: str) -> tuple[list[tuple[int, str]], str]:
    # Text and numbers alternate, text first, so that the same types are compared.
    parts = enumerate(_NUMBER.split(name.casefold()))
    key = [(int(part), "") if i % 2 else (0, part) for i, part in parts]
    return key, name
