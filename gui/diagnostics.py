"""The text of a defect report: versions, status, the last log lines. Pure functions.

The home folder becomes `~` and the program's folder `<attacca>`, since a report is sent to others.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from PyQt6.QtCore import PYQT_VERSION_STR, qVersion
from PyQt6.QtGui import QGuiApplication

from gui.models.home_paths import home_folder
from gui.models.log import Line

__all__ = ["diagnostics", "without_folders"]

_LINES = 60  # of the log


def diagnostics(
    *, engine: str, figures: Mapping[str, object], lines: Iterable[Line], faults: Iterable[str] = ()
) -> str:
    """The text of a report.

    Parameters
    ----------
    engine : one line about the engine.
    figures : of `/status`.
    lines : of the log, oldest first.
    faults : traces of what went wrong in the window.
    """
    versions = ", ".join(f"{name} {_version(name)}" for name in ("attacca", "numpy", "python-osc"))
    parts = [
        "Attacca diagnostics",
        f"versions: {versions}, Python {platform.python_version()}, PyQt {PYQT_VERSION_STR}, "
        f"Qt {qVersion()}",
        f"system: {platform.system()} {platform.release()} {platform.machine()}, "
        f"{QGuiApplication.platformName()}, scale {_scale():g}",
        f"engine: {engine}",
        "", "figures:",
        *(f"  {name}: {_shown(value)}" for name, value in sorted(figures.items())),
        "", "log:",
        *(f"  {_line(line)}" for line in list(lines)[-_LINES:]),
    ]  # fmt: skip
    for fault in faults:
        parts += ["", fault.rstrip()]
    return without_folders("\n".join(parts)) + "\n"


def without_folders(text: str) -> str:
    """Text without the folders of this user and of this installation."""
    root, home = str(Path(__file__).resolve().parents[1]), home_folder()
    for folder, name in ((sys.prefix, "<python>"), (root, "<attacca>"), (home, "~")):
        if len(folder) > 1:
            text = text.replace(folder, name)
    return text


def _line(line: Line) -> str:
    return f"{line.at:%Y-%m-%d %H:%M:%S} {line.level} {line.kind}: {line.text}"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "from source"


def _scale() -> float:
    screen = QGuiApplication.primaryScreen()
    return screen.devicePixelRatio() if screen is not None else 1.0
