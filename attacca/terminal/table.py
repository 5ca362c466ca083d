"""Columns of text, the same in a terminal and in a pipe. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns"]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad every column but the last to its widest cell; two spaces between.

    >>> columns([("a", "b"), ("long", "c")])
    ['a     b', 'long  c']
    """
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
