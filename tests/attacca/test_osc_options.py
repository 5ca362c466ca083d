"""OSC from the command line: the options of play, and the list of addresses."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from command_line import attacca, environment, running
from control_tables import SHIPPED_SPACE, SHIPPED_TABLE

sys.path.insert(0, str(Path(__file__).parents[1] / "osc"))
from osc_program import Program

FEW = ["--steps", "2", "--device", "none"]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answered(port: int, seconds: float = 30.0) -> bool:
    one, end = Program(port), time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            one.send("/ping")
            if any(m[0] == "/pong" for m in one.listen(0.2)):
                return True
        return False
    finally:
        one.close()


def test_play_is_steered_by_osc_and_recorded_in_the_users_folder(tmp_path: Path) -> None:
    port = free_port()
    env = environment(XDG_DATA_HOME=str(tmp_path / "data"), HOME=str(tmp_path))
    with running("play", *FEW, "--osc-port", port, cwd=tmp_path, env=env) as process:
        assert answered(port)
        one = Program(port)
        assert one.ask("/gain", -6.0) == ("/gain", -6.0)
        one.send("/record", "mine")
        path = Path(one.wait("/done")[2])
        assert path == tmp_path / "data" / "attacca" / "recordings" / "mine.flac"
        time.sleep(0.5)
        one.send("/record", 0)
        one.wait("/done")
        assert path.is_file()
        one.close()
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "played" in out


def test_a_requested_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = attacca("play", *FEW, "--osc-port", port, "--duration", 1, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert re.search(rf"port {port} is in use.*--osc-port", done.stderr)


def test_the_usual_port_may_be_taken_and_the_music_goes_on(tmp_path: Path) -> None:
    from osc import PORT

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        try:
            taken.bind(("127.0.0.1", PORT))
        except OSError:
            pytest.skip(f"port {PORT} is taken by another program here")
        done = attacca("play", *FEW, "--duration", 0.5, cwd=tmp_path)
        quiet = attacca("play", *FEW, "--duration", 0.5, "--no-osc", cwd=tmp_path)
    assert done.returncode == 0
    assert f"port {PORT} is in use" in done.stderr
    assert "playing without OSC" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_listening_to_the_network_is_announced_and_the_list_is_checked(tmp_path: Path) -> None:
    options = ["--osc-listen", "0.0.0.0", "--osc-port", free_port(), "--duration", 0.5]
    done = attacca("play", *FEW, *options, cwd=tmp_path)
    assert done.returncode == 0
    assert "any machine on the network" in done.stderr
    assert "--osc-allow" in done.stderr
    wrong = attacca("play", *FEW, *options, "--osc-allow", "my phone", cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "'my phone' is not an address" in wrong.stderr


def test_the_list_has_every_address_in_every_format(tmp_path: Path) -> None:
    outputs = {
        form: attacca("osc", "--format", form, cwd=tmp_path).stdout
        for form in ("text", "markdown", "json")
    }
    listed = json.loads(outputs["json"])["addresses"]
    assert [a["path"] for a in listed] == [a.path for a in SHIPPED_SPACE.addresses]
    by_control = {a["control"]: a for a in listed if a["kind"] == "control"}
    for p in SHIPPED_TABLE:
        entry = by_control[p.name]
        default = p.default if not isinstance(p.default, tuple) else list(p.default)
        assert entry.get("default", []) == default
        assert entry.get("unit", "") == p.unit
        assert entry.get("choices", []) == list(p.choices)
        assert entry["when"] == p.when
        assert entry["about"] == p.about
        if p.kind in ("number", "whole"):
            assert entry["range"] == [p.low, p.high]
    for address in SHIPPED_SPACE.addresses:
        if address.kind != "norm":
            assert f"`{address.path}`" in outputs["markdown"]
            assert re.search(rf"^  {address.path} ", outputs["text"], re.MULTILINE)
    page = Path(__file__).parents[2] / "docs" / "osc.md"
    assert outputs["markdown"].rstrip("\n") == page.read_text("utf-8").rstrip("\n")


def test_play_answers_oscquery_on_the_requested_port(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    options = ["--osc-port", ports[0], "--oscquery-port", ports[1]]
    with running("play", *FEW, *options, cwd=tmp_path) as process:
        assert answered(ports[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/?HOST_INFO", timeout=10) as got:
            assert json.load(got)["OSC_PORT"] == ports[0]
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
