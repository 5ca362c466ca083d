"""Command line and environment of a child Python process, which runs a module of the program.

With `-m`, Python looks for modules in the current folder first. A file there with the name of a
module that the child imports would replace it. Therefore a child is started with `-P`, and with the
import paths of this process except the current folder. Any thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["child_command", "child_environment"]

_HOME = Path(__file__).resolve().parents[1]  # the folder of the program's packages


def child_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of the program."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(**changes: str) -> dict[str, str]:
    """The environment of a child: this process's, the import paths, and `changes`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(_places(os.environ)), **changes}


def _places(environment: Mapping[str, str]) -> list[str]:
    """The import paths of this process, without the current folder unless the user added it."""
    try:
        current = Path.cwd()
    except OSError:  # it was deleted, with all modules at relative paths
        places = [Path(p) for p in sys.path if Path(p).is_absolute()]
        return list(map(str, places if _HOME in places else [_HOME, *places]))
    wanted = {
        Path(p).absolute() for p in environment.get("PYTHONPATH", "").split(os.pathsep) if p
    } | {_HOME}
    places = [Path(p).absolute() for p in sys.path if p]
    kept = [p for p in places if p in wanted or p.resolve() != current.resolve()]
    return list(map(str, kept if _HOME in kept else [_HOME, *kept]))
