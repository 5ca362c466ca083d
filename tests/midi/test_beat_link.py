"""Ableton Link: two processes in one session, over loopback, share their tempo and their bars."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from bare_controls import TempoDesk

from midi import beat_link
from midi.beat_link import BeatLink

pytest.importorskip(
    "link", reason="LinkPython-extern is not installed (pip install LinkPython-extern)"
)

# A peer of its own: answers each line with peers, tempo and phase in a bar of 4 at the time of
# time.monotonic that it says; a number in the line is a tempo to be set.
PEER = """
import sys, time, link
session = link.Link(float(sys.argv[1]))
session.enabled = True
for line in sys.stdin:
    clock = session.clock()
    state = session.captureAppSessionState()
    if line.strip():
        state.setTempo(float(line), clock.micros())
        session.commitAppSessionState(state)
    micros, now = clock.micros(), time.monotonic()
    state = session.captureAppSessionState()
    print(session.numPeers(), state.tempo(), state.phaseAtTime(micros, 4.0), now, flush=True)
"""


class Peer:
    def __init__(self, bpm: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PEER, str(bpm)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def say(self, tempo: str = "") -> tuple[float, float, float, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(tempo + "\n")
        self._process.stdin.flush()
        peers, bpm, phase, now = map(float, self._process.stdout.readline().split())
        return peers, bpm, phase, now

    def close(self) -> None:
        self._process.communicate("", timeout=10)


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer(93.0)
    yield made
    made.close()


class Desk(TempoDesk):
    def __init__(self, **controls) -> None:
        super().__init__(**controls)
        self.tempo.attach("link", BeatLink(time.monotonic))


def until(true, timeout=15.0):
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def test_two_peers_share_tempo_and_bars_both_ways(peer):
    assert peer.say()[1] == 93.0
    time.sleep(1.5)  # Link takes the older session's tempo, older by half a second at least
    desk = Desk(tempo=140.0, tempo_source="link")
    try:
        until(lambda: desk.tempo.status().peers == 1 and peer.say()[0] == 1)
        until(lambda: abs(desk.tempo.timeline().bpm - 93.0) < 1e-3)
        assert desk.settings["tempo"] == 93.0
        desk.set(tempo=151.0)
        desk.tempo.timeline()
        until(lambda: abs(peer.say()[1] - 151.0) < 1e-3)
        peer.say("77.5")
        until(lambda: abs(desk.tempo.timeline().bpm - 77.5) < 1e-3)
        assert desk.settings["tempo"] == 77.5

        def apart() -> float:
            """Beats between the two bars at one time, the shorter way round."""
            phase, now = peer.say()[2:]
            between = abs(desk.tempo.timeline().phase(now) - phase)
            return min(between, 4 - between)

        until(lambda: apart() < 0.02)  # 15 ms
        status = desk.tempo.status()
        assert (status.source, status.locked) == ("link", True)
        # A bar of ours cannot be begun over the heads of others.
        desk.tempo.start()
        until(lambda: apart() < 0.02)
    finally:
        desk.tempo.close()
    until(lambda: peer.say()[0] == 0)  # it has left


def test_alone_in_a_session_a_bar_begins_on_request():
    desk = Desk(tempo=100.0, tempo_source="link")
    try:
        assert desk.tempo.timeline().bpm == pytest.approx(100.0)
        time.sleep(0.3)
        desk.tempo.start()
        assert desk.tempo.timeline().phase(time.monotonic()) < 0.2
    finally:
        desk.tempo.close()


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch):
    def missing(name: str):
        raise ImportError(name)

    monkeypatch.setattr(beat_link.importlib, "import_module", missing)
    desk = Desk(tempo_source="link")
    desk.tempo.timeline()
    missing = (
        "Ableton Link needs LinkPython-extern; install it with 'pip install LinkPython-extern'"
    )
    assert desk.said == [f"{missing}; the tempo stays internal"]
    assert desk.settings["tempo_source"] == "own"
