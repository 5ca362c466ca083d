"""Paths for people: the user's folder as ~, which is shorter, and names nobody. Pure functions."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shortened"]


def shortened(text: str) -> str:
    """`text` with every path below the user's folder beginning with ~."""
    home = str(Path.home())
    return text.replace(home + "/", "~/").replace(home + "\\", "~\\") if len(home) > 1 else text
