"""What the window costs while music plays: processor time of its process, and xruns beside it.

    python -m benchmarks.window_cost [--seconds 40] [--rounds 2] [--out docs]

A real engine process plays into a PulseAudio null sink; the real window steers it from a process of
its own, under Xvfb, with the picture in view. Rounds with and without the window take turns, with a
pause between. Needs the `gui` extra, PulseAudio and Xvfb. Main thread only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.live import cpu_seconds, resident_mb
from engine.child_process import child_command, child_environment
from engine.errors import AttaccaError
from osc.packets import message, read

_MOST = 15.0  # % of one core
# The product's own window; it prints how often its picture was drawn.
_WINDOW = """
import sys
from pathlib import Path
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication
from gui.application import Start, make_window
from gui.theme import apply_theme
app = QApplication(["attacca"])
apply_theme(app, "dark")
window = make_window(Start("127.0.0.1", int(sys.argv[1]), None, Path(sys.argv[2])))
window.resize(1280, 800)
window.show()
timer = QTimer()
timer.timeout.connect(lambda: print(window.pages.picture.frames, flush=True))
timer.start(1000)
app.exec()
"""


@dataclass(frozen=True)
class Span:
    """One round. Percent of one core; frames a second; what the engine counted meanwhile."""

    window: bool
    seconds: float
    window_cpu: float
    server_cpu: float
    engine_cpu: float
    frames: float
    xruns: int
    gaps: int
    resident: float


class Remote:
    """Reads the engine's status over UDP, one request at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(1.0)
        self._engine = ("127.0.0.1", port)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def status(self) -> dict[str, Any]:
        """All values of the engine's status; none while it does not reply."""
        figures: dict[str, Any] = {}
        with contextlib.suppress(OSError):
            self._socket.sendto(message("/status"), self._engine)
            while "osc/faults" not in figures:
                for one in read(self._socket.recv(65_536)):
                    figures[one.address.removeprefix("/status/")] = one.arguments[0]
        return figures

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until the engine plays.

        Raises
        ------
        AttaccaError
            It does not reply, or does not play.
        """
        until = time.monotonic() + seconds
        while self.status().get("lead", 0.0) <= 500.0:
            if time.monotonic() > until:
                raise AttaccaError(f"The engine did not begin to play in {seconds:g} s.")
            time.sleep(0.5)


def measure(remote: Remote, engine: int, seconds: float, display: Display | None) -> Span:
    """One round of so many seconds; with a display the window is on it."""
    with contextlib.ExitStack() as stack:
        window = stack.enter_context(_window(remote, display)) if display is not None else None
        time.sleep(6.0)  # it has started, and has requested the values it requests once
        pids = [engine, *([window.pid, display.pid] if window and display else [])]
        frames = window.frames() if window is not None else 0
        before, began, earlier = [cpu_seconds(p) for p in pids], time.monotonic(), remote.status()
        time.sleep(seconds)
        lasted = time.monotonic() - began
        used = [100 * (cpu_seconds(p) - b) / lasted for p, b in zip(pids, before, strict=True)]
        after = remote.status()
        drawn = (window.frames() - frames) / lasted if window is not None else 0.0
        resident = resident_mb(window.pid) if window is not None else 0.0
    used += [0.0] * (3 - len(used))
    return Span(
        display is not None, lasted, used[1], used[2], used[0], drawn,
        after["xruns"] - earlier["xruns"], after["gaps"] - earlier["gaps"], resident,
    )  # fmt: skip


class Display:
    """An X server without a screen."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x900x24", "-nolisten", "tcp"],
            pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as pipe:
            self.name = f":{pipe.readline().strip()}"

    @property
    def pid(self) -> int:
        """Of the server."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


class _Window:
    """The window's process."""

    def __init__(self, process: subprocess.Popen[str], printed: Path) -> None:
        self.pid, self._printed = process.pid, printed

    def frames(self) -> int:
        """Pictures drawn so far, as last printed."""
        lines = self._printed.read_text(encoding="utf-8").split()
        return int(lines[-1]) if lines else 0


@contextlib.contextmanager
def _window(remote: Remote, display: Display) -> Iterator[_Window]:
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder) / "frames"
        with printed.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _WINDOW, str(remote._engine[1]), folder],
                stdout=out, text=True,
                env=child_environment(DISPLAY=display.name, QT_QPA_PLATFORM="xcb"),
            )  # fmt: skip
        try:
            yield _Window(process, printed)
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _engine(pack: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        child_command(
            "attacca", "play", "--no-status", "--pack", pack, "--seed", "7", "--osc-port", str(port)
        ),
        env=child_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def section(spans: list[Span], loads: list[float]) -> str:
    """The table of all rounds and what follows from it."""
    rows = []
    for span in spans:
        rows.append((
            "with" if span.window else "without", f"{span.seconds:.0f} s",
            f"{span.window_cpu:.1f} %" if span.window else "",
            f"{span.frames:.1f}" if span.window else "",
            f"{span.server_cpu:.1f} %" if span.window else "", f"{span.engine_cpu:.1f} %",
            span.xruns, span.gaps, f"{span.resident:.0f} MB" if span.window else "",
        ))  # fmt: skip
    header = ("window", "for", "its process", "pictures a second", "X server", "engine's process",
              "xruns", "gaps", "resident")  # fmt: skip
    cost = float(np.mean([s.window_cpu for s in spans if s.window]))
    verdict = "held" if cost <= _MOST else "**not held**"
    busy = ", ".join(f"{load:.1f}" for load in loads)
    return (
        f"{report.table(header, rows)}\n\nMean of the window's process: {cost:.1f} % of one core; "
        f"at most {_MOST:g} %: {verdict}. Load average at the beginning of each round: {busy}."
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.window_cost", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--pack", default="piano")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=2, help="with and without the window")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between rounds")
    parser.add_argument("--out", type=Path, help="folder of benchmarks.md, to refresh it: docs")
    args = parser.parse_args()
    from tests.sound_servers import PULSE_PROGRAMS, missing, pulse_server

    if absent := missing((*PULSE_PROGRAMS, "Xvfb")):
        print(f"window_cost: not installed: {', '.join(absent)}", file=sys.stderr)
        return 1
    port, spans, loads = _free_port(), list[Span](), list[float]()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            pulse_server(Path(folder)),
            _engine(args.pack, port) as engine,
            contextlib.closing(Display()) as display,
            contextlib.closing(Remote(port)) as remote,
        ):
            remote.wait()
            for n in range(2 * args.rounds):
                time.sleep(args.pause)
                loads.append(os.getloadavg()[0])
                spans.append(measure(remote, engine.pid, args.seconds, display if n % 2 else None))
                print(spans[-1], flush=True)
    except AttaccaError as error:
        print(f"window_cost: {error}", file=sys.stderr)
        return 1
    report.deliver(
        "window_cost", section(spans, loads), {"rounds": [asdict(s) for s in spans]}, args.out
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
