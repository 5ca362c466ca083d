"""Checks in a child process whether a window can be opened, because Qt aborts if it cannot.

Does not import Qt. The child runs while this process imports the window, so it takes little time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence

from engine.errors import DisplayError

__all__ = ["DisplayCheck", "reason"]

_PATIENCE = 10.0  # seconds until a display counts as hung
_CHILD = """
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it may abort: no core file
from PyQt6.QtWidgets import QApplication
QApplication(["attacca"])
"""
_FIX = "start it in a desktop session (over ssh: ssh -X), or use 'attacca play' without a window"


class DisplayCheck:
    """Opens a Qt application in a child process.

    Parameters
    ----------
    command : of the child process.
    patience : its time limit in seconds.
    """

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-P", "-c", _CHILD),
        patience: float = _PATIENCE,
    ) -> None:
        self._patience = patience
        self._child: subprocess.Popen[bytes] | None = None
        if sys.platform not in ("win32", "darwin"):  # other systems always have a desktop
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )  # fmt: skip

    def finish(self) -> None:
        """Wait for the result.

        Raises
        ------
        DisplayError
            No window can be opened; the message has the reason and what to do.
        """
        if self._child is None:
            return
        try:
            output = self._child.communicate(timeout=self._patience)[1]
        except subprocess.TimeoutExpired:
            self.stop()
            raise DisplayError(
                f"the window cannot open: the display {_named(os.environ)} has not answered for "
                f"{self._patience:g} s; {_FIX}"
            ) from None
        if self._child.returncode != 0:
            why = reason(output.decode(errors="replace"), os.environ)
            raise DisplayError(f"the window cannot open: {why}")

    def stop(self) -> None:
        """End the child without a result."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()


def reason(output: str, environment: Mapping[str, str]) -> str:
    """Why Qt found no display, and what to do, from its output on standard error."""
    if unknown := re.search(r'Could not find the Qt platform plugin "(.*?)"', output):
        return f"QT_QPA_PLATFORM is {unknown[1]!r}, which Qt does not support; unset it"
    if "could not connect to display" in output:
        name = _named(environment)
        what = f"no display answers as {name}" if name else "there is no display"
        return f"{what}; {_FIX}"
    if "is needed to load the Qt xcb" in output:
        return "a system library is missing; run './run gui' to install it"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    first = lines[0].removeprefix("qt.qpa.plugin: ") if lines else "Qt ended without a message"
    return f"{first}; {_FIX}"


def _named(environment: Mapping[str, str]) -> str:
    return environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY") or ""
