"""The engine as a separate process: starts `attacca play`, notices its end, ends it.

It has its own session, no input, and a log file for its output, so that it outlives the window:
neither a crash of this process nor a closed terminal interrupts the music. Qt's main thread;
nothing here waits.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from gui.engine_mark import EngineMark

__all__ = ["EngineProcess"]

_LOOK = 150  # ms between two checks whether it is running
_PATIENCE = 4.0  # seconds to fade out and end before it is killed
_LARGEST_LOG = 1_000_000  # bytes; a larger log is cleared at the next start


class EngineProcess(QObject):
    """At most one engine at a time, on one port.

    Parameters
    ----------
    options : of `attacca play`, without the port; the list may be changed before a start.
    port : of its OSC server.
    folder : for the log; created if it does not exist.
    command : the command before the options.
    """

    died = pyqtSignal(str)  # crashed; its last line of output
    ended = pyqtSignal()  # as requested

    def __init__(
        self, options: Sequence[str], port: int, folder: Path, *,
        command: Sequence[str] = (sys.executable, "-P", "-m", "attacca", "play"),
        now: Callable[[], float] = time.monotonic, parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        # Options to use if it cannot start with the others, for instance if a device is missing.
        self.fallback: list[str] | None = None
        self.options, self.port, self._command = list(options), port, tuple(command)
        self.log = folder / f"engine-{port}.log"
        self.mark = EngineMark(folder, port)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0  # size of the log before this start
        self._now, self._kill_at = now, 0.0
        self._ending = False
        self.has_started = False  # whether the last engine was started here
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)

    @property
    def is_alive(self) -> bool:
        """Whether the engine started here is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process number."""
        return self._process.pid if self._process is not None else None

    def set_option(self, name: str, value: str) -> None:
        """Set an option for the next start."""
        option = f"--{name}"
        while option in self.options:
            place = self.options.index(option)
            del self.options[place : place + 2]
        self.options += [option, value]

    def start(self) -> str:
        """Start the engine, if none is running. Returns the error, or ""."""
        if self.is_alive:
            return ""
        arguments = [*self._command, "--no-status", "--osc-port", str(self.port), *self.options]
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            large = self.log.exists() and self.log.stat().st_size > _LARGEST_LOG
            with self.log.open("wb" if large else "ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True, creationflags=_detached(),
                )  # fmt: skip
            self.mark.set(self._process.pid)
        except OSError as error:
            return f"The engine cannot be started: {error.filename}: {error.strerror}"
        self._ending, self.has_started = False, True
        self._timer.start(_LOOK)
        return ""

    def end(self) -> None:
        """Let it fade out and end; then `ended` is emitted."""
        self._ending = True
        self.mark.clear()
        if self._process is None or self._process.poll() is not None:
            QTimer.singleShot(0, self._look)
            return
        self._process.terminate()
        self._kill_at = self._now() + _PATIENCE
        self._timer.start(_LOOK)

    def kill(self) -> None:
        """Kill an engine that does not answer."""
        if self._process is not None:
            self._process.kill()

    def leave(self) -> None:
        """Let it play on without this window."""
        self._timer.stop()
        if self._process is not None and self._process.poll() is None:
            self._process.returncode = 0  # left running on purpose: Popen would warn
        self._process = None

    def last_words(self) -> str:
        """Its last line of output, or how it ended."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                text = log.read().decode(errors="replace")
        except OSError:
            text = ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1].removeprefix("attacca: ")
        status = self._process.poll() if self._process is not None else None
        return "" if status is None else f"it ended with status {status}"

    def _look(self) -> None:
        if self.is_alive:
            if self._ending and self._now() > self._kill_at:
                self.kill()
            return
        self._timer.stop()
        words = self.last_words()
        self._process = None
        if self._ending:
            self.ended.emit()
        else:
            self.died.emit(words)


def _detached() -> int:
    """Flags that detach a process from its console on Windows."""
    if sys.platform != "win32":
        return 0
    return subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
