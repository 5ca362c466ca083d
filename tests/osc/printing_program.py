"""Another program in a test: a process of its own, watched by the lines that it prints."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest


def need(program: str, package: str) -> None:
    """Skip where a program is not installed; on CI its absence is a failure."""
    if shutil.which(program) is None:
        text = f"not installed: {package}; './run test' installs it"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)


class Printing:
    """What it has printed so far; a thread reads it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.strip())

    def wait(self, wanted: Callable[[str], bool], timeout: float = 20.0) -> str:
        """The first line, of all it ever printed, that `wanted` takes."""
        end, seen = time.monotonic() + timeout, 0
        while time.monotonic() < end:
            ended = self._process.poll() is not None
            for line in self.lines[seen:]:
                seen += 1
                if wanted(line):
                    return line
            if ended and seen == len(self.lines):
                self._reader.join(1.0)
                if seen == len(self.lines):
                    break
            time.sleep(0.01)
        raise AssertionError(f"the line never came; its last: {self.lines[-12:]}")

    def ended(self, timeout: float = 20.0) -> list[str]:
        """All that it printed, once it has ended by itself."""
        self._process.wait(timeout)
        self._reader.join(5.0)
        return self.lines


@contextlib.contextmanager
def printing(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[Printing]:
    """Run it; it is ended after the block if it has not ended by then."""
    process = subprocess.Popen(
        command, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    made = Printing(process)
    try:
        yield made
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        made.ended()
        assert process.stdout is not None
        process.stdout.close()


def wait_until(true: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.01)
