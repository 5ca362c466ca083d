"""`attacca play --link` as a process, beside another peer of the same Link session."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest
from command_line import ROOT, running

sys.path.insert(0, str(ROOT / "tests" / "osc"))
from osc_program import Program

link = pytest.importorskip("link", reason="LinkPython-extern is not installed")

TINY = ROOT / "tests" / "data" / "packs" / "tiny"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_tempo_turned_over_osc_turns_the_session_and_the_sessions_shows_over_osc(tmp_path: Path):
    peer = link.Link(88.0)
    peer.enabled = True
    time.sleep(1.0)  # Link takes the older session's tempo
    port = free_port()
    arguments = ("--pack", TINY, "--device", "none", "--link", "--osc-port", port, "--duration", 60)
    with running("play", *arguments, "--no-status", cwd=tmp_path) as process:
        one = Program(port)
        try:
            end = time.monotonic() + 40
            bpm = 0.0
            while bpm != 88.0:
                assert process.poll() is None
                assert time.monotonic() < end, one.heard[-5:]
                one.send("/tempo")
                bpm = next((m[1] for m in one.listen(0.2) if m[0] == "/tempo"), 0.0)
            one.send("/status")
            one.wait("/status/tempo/locked")
            got = {m[0].removeprefix("/status/tempo/"): m[1] for m in one.heard}
            assert (got["source"], got["peers"], got["locked"]) == ("link", 1, 1)
            one.send("/tempo", 133.0)
            while abs(peer.captureAppSessionState().tempo() - 133.0) > 1e-3:
                assert time.monotonic() < end
                time.sleep(0.02)
        finally:
            one.close()
            peer.enabled = False
