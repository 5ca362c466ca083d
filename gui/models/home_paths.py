"""Paths for display: ~ for the home folder is shorter, and hides the user name. Pure functions."""

from __future__ import annotations

from pathlib import Path

__all__ = ["home_folder", "shortened"]


def home_folder() -> str:
    """The home folder, or "" if the user has none."""
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def shortened(text: str) -> str:
    """`text` with ~ in place of the home folder in every path."""
    home = home_folder()
    return text.replace(home + "/", "~/").replace(home + "\\", "~\\") if len(home) > 1 else text
