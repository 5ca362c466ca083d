"""Paths for people: the user's folder as ~, which is shorter, and names nobody. Pure functions."""

from __future__ import annotations

from pathlib import Path

__all__ = ["home_folder", "shortened"]


def home_folder() -> str:
    """The user's folder, or nothing for a user who has none."""
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def shortened(text: str) -> str:
    """`text` with every path below the user's folder beginning with ~."""
    home = home_folder()
    return text.replace(home + "/", "~/").replace(home + "\\", "~\\") if len(home) > 1 else text
