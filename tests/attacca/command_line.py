"""Runs the command line in tests: as a process, and as a process in a terminal of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIANO = ROOT / "packs" / "piano"

# Makes the terminal on standard input the controlling one, as a shell would, then becomes attacca.
_IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.executable, [sys.executable, '-W', 'error', '-m', 'attacca', *sys.argv[1:]])"
)


def environment(**more: str) -> dict[str, str]:
    """This process's environment with the checkout on the path."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def no_sound(folder: Path) -> dict[str, str]:
    """An environment in which PortAudio finds nothing."""
    return environment(
        XDG_RUNTIME_DIR=str(folder),
        PULSE_SERVER=f"unix:{folder}/nobody",
        JACK_NO_START_SERVER="1",
        JACK_DEFAULT_SERVER="nobody",
    )


def attacca(
    *arguments: object, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "attacca", *map(str, arguments)],
        cwd=cwd, env=env or environment(), capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@contextlib.contextmanager
def running(
    *arguments: object, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process whose lines are read as they come; killed if the test leaves it running."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "attacca", *map(str, arguments)],
        cwd=cwd, env=env or environment(), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Terminal:
    """The far end of a pseudo-terminal in which attacca runs."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self.process, self._fd = process, fd
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def wait_for(self, text: str, timeout: float = 40.0) -> None:
        """Read until `text` comes after what an earlier call has found."""
        self.seen = self._until(text, timeout)

    def _until(self, text: str, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        seen = ""
        while text not in seen:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} never came; last: {seen[-1500:]!r}")
            if select.select([self._fd], [], [], 0.2)[0]:
                seen += os.read(self._fd, 65536).decode(errors="replace")
        return seen

    def end(self, timeout: float = 20.0) -> int:
        """Read on until the process ends. Returns its status."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self._fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self._fd, 65536).decode(errors="replace")
        return self.process.wait(1)


@contextlib.contextmanager
def terminal(
    *arguments: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    more: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """attacca in a terminal of 100 by 30, if `more` variables do not say otherwise."""
    near, far = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_TERMINAL, *map(str, arguments)],
        cwd=cwd,
        env={
            **(env or environment()), "TERM": "xterm", "COLUMNS": "100", "LINES": "30",
            **(more or {}),
        },
        stdin=far, stdout=far, stderr=far, start_new_session=True,
    )  # fmt: skip
    try:
        yield Terminal(process, near)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(near)
        os.close(far)
