"""liblo's own programs, `oscsend` and `oscdump`, as clients, over UDP and TCP."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def liblo() -> None:
    if not (shutil.which("oscsend") and shutil.which("oscdump")):
        text = "not installed: liblo-tools; './run test' installs it"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)


def oscsend(server, *arguments: object, tcp: bool = False) -> None:
    where = f"osc.tcp://127.0.0.1:{server.port}/" if tcp else f"osc.udp://127.0.0.1:{server.port}/"
    subprocess.run(["oscsend", where, *map(str, arguments)], check=True, timeout=10)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dump:
    """What an oscdump prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []

    def wait(self, words: str, timeout: float = 8.0) -> str:
        assert self._process.stdout is not None
        end = time.monotonic() + timeout
        os.set_blocking(self._process.stdout.fileno(), False)
        while time.monotonic() < end:
            line = self._process.stdout.readline()
            if not line:
                time.sleep(0.01)
                continue
            self.lines.append(line.strip())
            if words in line:
                return line.strip()
        raise AssertionError(f"{words!r} never came: {self.lines[-8:]}")


@contextlib.contextmanager
def oscdump(port: int) -> Iterator[Dump]:
    process = subprocess.Popen(
        ["stdbuf", "-oL", "oscdump", "-L", str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 5
        while time.monotonic() < end:  # until it has its port
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    break
            time.sleep(0.02)
        yield Dump(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)


def wait_until(true, timeout=5.0):
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(("arguments", "name", "value"), [
    (["/gain", "f", "-4.5"], "gain", -4.5), (["/gain", "i", "3"], "gain", 3.0),
    (["/gain", "d", "-1.25"], "gain", -1.25), (["/seed", "h", "77"], "seed", 77),
    (["/steps", "s", "5"], "steps", 5), (["/sampler", "s", "heun"], "sampler", "heun"),
    (["/sampler", "i", "1"], "sampler", "ddim"), (["/pause", "T"], "pause", True),
    (["/gain/norm", "f", "1"], "gain", 12.0), (["/temp*", "f", "0.5"], "temperature", 0.5),
    (["/{seed,none}", "I"], "seed", 1),
])  # fmt: skip
def test_oscsend_sets(server, instrument, tcp, arguments, name, value):
    instrument.set(seed=5)
    oscsend(server, *arguments, tcp=tcp)
    wait_until(lambda: instrument.settings[name] == value)


def test_oscdump_receives_what_oscsend_sets(server):
    port = free_port()
    with oscdump(port) as dump:
        oscsend(server, "/subscribe", "i", port)
        wait_until(lambda: _subscribed(server))
        oscsend(server, "/gain", "f", "-2.5")
        assert dump.wait("/gain").split()[-3:] == ["/gain", "f", "-2.500000"]
        oscsend(server, "/temperature", "f", "0.75")
        assert "ff 0.750000" in dump.wait("/temperature/pending")
        assert dump.wait("/temperature/pending ff 0.750000 0.000000")
        oscsend(server, "/stop", "i", 1)
        assert dump.wait("/pause i 1")
        oscsend(server, "/play")
        assert dump.wait("/pause i 0")
        oscsend(server, "/lead", "fi", 20, port)
        assert dump.wait("/lead f")


def _subscribed(server) -> bool:
    from osc_program import Program

    one = Program(server.port)
    one.send("/status")
    clients = one.wait("/status/osc/clients")[1]
    one.close()
    return clients == 1
