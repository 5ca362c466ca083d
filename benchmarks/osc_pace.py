"""OSC at a pace: 1,000 messages a second from four programs while the engine plays.

    python -m benchmarks.osc_pace [--seconds 60] [--out docs]

The engine is `attacca play` itself, a process of its own, into PulseAudio's null sink. Four client
processes set controls (benchmarks.osc_clients), a fifth subscribes to one of them. Before and
after, with the engine playing on, the same four speak to a bare UDP echo at the same rate: that is
this machine's floor. *Set to applied*: from just before a client's `send` until it receives the
reply with the applied value; the control is applied before the reply is sent, so this includes the
way back. *Set to published*: until the subscriber, another process, has received it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.live import resident_mb
from engine.child_process import child_command, child_environment
from engine.errors import AttaccaError
from osc.packets import message, told
from tests.sound_servers import PULSE_PROGRAMS, missing, pulse_server

# One live control and three that the next block takes; the subscriber receives the first one.
CONTROLS = (("/gain", -30.0, 0.0), ("/room", 0.0, 1.0), ("/brightness", -1.0, 1.0),
            ("/pack/harmony/c", 0.0, 1.0))  # fmt: skip
MUST_MS, MUST_MB = 5.0, 2.0
_START = 60.0  # seconds until the engine replies


@dataclass(frozen=True)
class Pace:
    """The result of one run of the four clients. Latencies in seconds, of all replies together."""

    sent: int
    latencies: np.ndarray
    first: dict[float, list[float]]  # of the first client: when each value was sent

    @property
    def lost(self) -> int:
        """Messages without a reply."""
        return self.sent - len(self.latencies)

    def text(self) -> str:
        """Median, 99th percentile, the worst."""
        p50, p99 = np.quantile(self.latencies, (0.5, 0.99)) * 1e3
        return f"{p50:.2f} / {p99:.2f} / {self.latencies.max() * 1e3:.1f} ms"


def client(*arguments: object) -> subprocess.Popen[str]:
    command = child_command("benchmarks.osc_clients", *map(str, arguments))
    # A session of its own, as programs of a desktop are: Linux shares its time out by sessions.
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, env=child_environment(), text=True, start_new_session=True
    )


def gathered(process: subprocess.Popen[str]) -> dict[str, Any]:
    output = process.communicate()[0]
    if process.returncode:
        raise AttaccaError(f"a client of the benchmark ended with status {process.returncode}")
    return json.loads(output)


def paced(port: int, rate: float, seconds: float) -> Pace:
    """The four clients at once, each at its share of the rate."""
    begin = time.monotonic() + 1.0
    share = rate / len(CONTROLS)
    # Each a little after the one before: four programs do not beat in time.
    running = [
        client("set", port, path, low, high, share, begin + i / rate, seconds)
        for i, (path, low, high) in enumerate(CONTROLS)
    ]
    found = [gathered(one) for one in running]
    first: dict[float, list[float]] = {}
    for value, at in found[0]["sent"]:
        first.setdefault(value, []).append(at)
    latencies = np.array([row[2] for one in found for row in one["replied"]])
    return Pace(sum(len(one["sent"]) for one in found), latencies, first)


class Engine:
    """`attacca play` in a process of its own, and its status."""

    def __init__(self, pack: str, folder: Path) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = child_command("attacca", "play", "--pack", pack, "--no-status")
        command += ["--osc-port", str(self.port)]
        self.process = subprocess.Popen(
            command, env=child_environment(XDG_DATA_HOME=str(folder)), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.5)
        end = time.monotonic() + _START
        while "xruns" not in self.status():
            if time.monotonic() > end or self.process.poll() is not None:
                self.close()
                raise AttaccaError(f"`attacca play` did not reply within {_START:g} s")

    def status(self) -> dict[str, Any]:
        """Its /status; empty when it does not reply."""
        found: dict[str, Any] = {}
        self._socket.sendto(message("/status"), ("127.0.0.1", self.port))
        with contextlib.suppress(TimeoutError, ConnectionRefusedError):
            while "osc/faults" not in found:
                for address, arguments in told(self._socket.recv(65_536)):
                    if address.startswith("/status/"):
                        found[address.removeprefix("/status/")] = arguments[0]
        return found

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self.process.terminate()
        self.process.wait(30)


class Memory:
    """The resident memory of a process, looked at twice a second, in MB."""

    def __init__(self, pid: int) -> None:
        self.seen: list[float] = []
        self._pid, self._stop = pid, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self.seen.append(resident_mb(self._pid))

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> float:
        """The most of the second half over what it was after a third."""
        return max(self.seen[len(self.seen) // 2 :]) - self.seen[len(self.seen) // 3]


@contextlib.contextmanager
def playing(pack: str) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder, pulse_server(Path(folder)):
        engine = Engine(pack, Path(folder))
        try:
            yield engine
        finally:
            engine.close()


def floor(rate: float, seconds: float) -> Pace:
    """The same clients and a bare echo."""
    process = client("echo")
    assert process.stdout is not None
    try:
        return paced(int(process.stdout.readline()), rate, seconds)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def published_after(pace: Pace, received: dict[str, Any]) -> np.ndarray:
    """From a send of the first client until the subscriber had that value, in seconds."""
    found = []
    for value, at in received["received"]:
        since = [at - was for was in pace.first.get(value, ()) if was <= at]
        found += [min(since)] if since else []
    return np.array(found)


def measure(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    load = os.getloadavg()[0]
    with playing(args.pack) as engine:
        time.sleep(5.0)  # until the lead is full
        floors = [floor(args.rate, args.seconds / 4)]
        before, memory = engine.status(), Memory(engine.process.pid)
        begin = time.monotonic()
        subscriber = client("subscribe", engine.port, CONTROLS[0][0], begin, args.seconds + 2)
        pace = paced(engine.port, args.rate, args.seconds)
        memory.stop()
        published = published_after(pace, gathered(subscriber))
        after = engine.status()
        floors.append(floor(args.rate, args.seconds / 4))
        device = after["device"]
    bare = np.concatenate([one.latencies for one in floors])
    p99, p99_bare = np.quantile(pace.latencies, 0.99) * 1e3, np.quantile(bare, 0.99) * 1e3
    p50, p50_bare = np.median(pace.latencies) * 1e3, np.median(bare) * 1e3
    xruns, gaps = after["xruns"] - before["xruns"], after["gaps"] - before["gaps"]
    counts = {name: after[f"osc/{name}"] - before[f"osc/{name}"] for name in ("bad", "faults")}

    def met(good: bool) -> str:
        return "yes" if good else "**no**"

    both = Pace(sum(f.sent for f in floors), bare, {})
    rows = [
        ["set to applied, p50 / p99 / worst", pace.text(), f"p99 < {MUST_MS:g} ms",
         met(p99 < MUST_MS)],
        ["the same to a bare UDP echo (the floor)", both.text(), "", ""],
        ["ratio to the floor, p50 / p99", f"{p50 / p50_bare:.1f} x / {p99 / p99_bare:.1f} x", "",
         ""],
        ["set to published, another process (at most every 10 ms, so not every value)",
         Pace(len(published), published, {}).text(), "", ""],
        ["xruns", f"{xruns}, device {device}", "0", met(xruns == 0)],
        ["the lead ran dry meanwhile", f"{gaps} times", "0", met(gaps == 0)],
        ["messages lost", f"{pace.lost} of {pace.sent}", "0", met(pace.lost == 0)],
        ["memory growth of the engine", f"{memory.growth:+.2f} MB, {memory.seen[-1]:.0f} resident",
         f"< {MUST_MB:g} MB", met(memory.growth < MUST_MB)],
    ]  # fmt: skip
    head = (
        f"{args.rate:g} messages/s from {len(CONTROLS)} processes for {args.seconds:g} s, between "
        f"two times {args.seconds / 4:g} s of the floor; {after['pack']}; load average "
        f"{load:.1f} before the run."
    )
    data = {
        "set_to_applied_ms": {"p50": p50, "p99": p99, "worst": pace.latencies.max() * 1e3},
        "floor_ms": {"p50": p50_bare, "p99": p99_bare, "worst": bare.max() * 1e3},
        "xruns": xruns, "gaps": gaps, "sent": pace.sent, "lost": pace.lost,
        "growth_mb": memory.growth, "load_before": load, **counts,
    }  # fmt: skip
    return f"{head}\n\n{report.table(('what', 'measured', 'must', 'met'), rows)}", data


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.osc_pace", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--pack", default="piano")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1_000.0, help="messages a second, of all")
    parser.add_argument("--out", type=Path, help="folder of benchmarks.md, to refresh it: docs")
    args = parser.parse_args()
    if absent := missing(PULSE_PROGRAMS):
        sys.exit(f"osc_pace: not installed: {', '.join(absent)}; './run test' installs it")
    try:
        section, data = measure(args)
    except AttaccaError as error:
        sys.exit(f"osc_pace: {error}")
    report.deliver("osc_pace", section, data, args.out)


if __name__ == "__main__":
    main()
