"""Names in the order that people expect: 1, 2, 10, whatever their case. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["in_natural_order"]

_NUMBER = re.compile(r"(\d+)")


def in_natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """The names with the numbers in them compared as numbers."""
    return tuple(sorted(names, key=_key))


def _key(name: str) -> tuple[list[tuple[int, str]], str]:
    # Text and numbers take turns, text first, so that like is compared with like.
    parts = enumerate(_NUMBER.split(name.casefold()))
    key = [(int(part), "") if i % 2 else (0, part) for i, part in parts]
    return key, name
