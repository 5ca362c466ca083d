"""`attacca play` under hostile packets: it answers, plays on, and is no larger for it."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from osc_program import Program

from benchmarks.live import resident_mb
from tests.fuzz.hostile import packets

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"
DATAGRAMS, STREAMS = 10_000, 60
GROWTH = 24.0  # MB; 2,000 datagrams of 64 KiB that were kept would be 128


class Player(Program):
    """A program beside a player of its own."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        super().__init__(port)
        self.process = process

    def answers(self, timeout: float = 20.0) -> float:
        """Seconds until a /ping is answered; asked again, since a full socket drops datagrams."""
        began = time.monotonic()
        while time.monotonic() - began < timeout:
            assert self.process.poll() is None, "the player has ended"
            self.send("/ping")
            if any(said[0] == "/pong" for said in self.listen_once(1.0)):
                return time.monotonic() - began
        raise AssertionError(f"no /pong within {timeout} s")

    def listen_once(self, timeout: float) -> list[tuple[object, ...]]:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            said = self._once(end - time.monotonic())
            if any(one[0] == "/pong" for one in said):
                return said
        return []

    def figures(self) -> dict[str, object]:
        """All of /status."""
        self.heard.clear()
        self.send("/status")
        self.wait("/status/osc/faults")
        self.listen(0.3)
        return {one[0].removeprefix("/status/"): one[1] for one in self.heard}


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    """`attacca play` with a library of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "attacca", "play", "--pack", str(TINY), "--device", "none"]
    command += ["--no-status", "--osc-port", str(port)]
    env = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    one = Player(port, process)
    try:
        one.answers(60.0)
        yield one
    finally:
        one.close()
        process.terminate()
        process.wait(20)


def test_ten_thousand_hostile_datagrams_and_streams(player):
    begun = player.figures()
    hostile = packets(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as enemy:
        enemy.setblocking(False)
        slowest, before = 0.0, 0.0
        for count, packet in enumerate(itertools.islice(hostile, DATAGRAMS)):
            try:
                enemy.sendto(packet, player.to)
            except BlockingIOError:  # the system's own buffer is full: the engine is behind
                player.answers()
            if count % 50 == 0:
                slowest = max(slowest, player.answers())
            if count == 2_000:  # everything that is kept once has been kept by now
                before = resident_mb(player.process.pid)
        for packet in itertools.islice(hostile, STREAMS):
            with socket.create_connection(player.to, timeout=5) as stream:
                stream.sendall(packet or b"\0")
                if count % 3:
                    stream.sendall(packet[::-1] or b"\xc0")
        slowest = max(slowest, player.answers())
    after = resident_mb(player.process.pid)
    player.answers()
    player.send("/play")
    time.sleep(0.5)
    figures = player.figures()
    assert (figures["osc/faults"], figures["failed"]) == (0, "")
    assert figures["osc/packets"] > DATAGRAMS / 2
    assert figures["osc/bad"] > 1_000
    assert after - before < GROWTH
    assert slowest < 10.0
    assert figures["seconds"] > begun["seconds"]
    assert figures["restarts"] == 0
