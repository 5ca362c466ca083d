"""A short run of the fuzzer, from a fixed seed; and that it would find something."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.osc_corpus import kept, tricky

ROOT = Path(__file__).parents[2]
SECONDS = 6


# A defect that no packet of those kept meets.
DEFECT = """
import osc.packets
read = osc.packets.read
def broken(data):
    if len(data) == 37:
        raise KeyError("a defect")
    return read(data)
osc.packets.read = broken
from tests.fuzz.osc_packets import main
main()
"""


def fuzz(start: list[str], found: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("atheris") is None:
        text = "not installed: atheris (it has wheels for Linux on x86-64, Python 3.11 to 3.13)"
        has_wheels = platform.machine() == "x86_64" and sys.version_info < (3, 14)
        expected = has_wheels and sys.platform == "linux" and os.environ.get("CI")
        pytest.fail(text) if expected else pytest.skip(text)
    command = [sys.executable, *start, "--seconds", str(seconds), "--found", str(found)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)


def test_nothing_that_comes_in_raises_stalls_or_grows(tmp_path):
    done = fuzz(["-m", "tests.fuzz.osc_packets"], tmp_path / "found", SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    (runs,) = re.findall(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    assert int(runs) > len(kept())
    (reached,) = re.findall(r"DONE +cov: (\d+)", done.stderr)
    assert int(reached) > 300  # places in osc/ and in python-osc that inputs came to
    assert not list((tmp_path / "found").iterdir())


def test_a_defect_is_found_reported_and_kept(tmp_path):
    done = fuzz(["-c", DEFECT], tmp_path / "found", 60)
    assert done.returncode == 77
    assert "KeyError" in done.stdout + done.stderr
    (crash,) = (tmp_path / "found").glob("crash-*")
    assert len(crash.read_bytes()) == 37


def test_the_kept_packets_are_those_with_names_and_what_was_found():
    packets = kept()
    assert {name: packets[name] for name in tricky()} == tricky()
    assert all(name in tricky() or name.startswith("found-") for name in packets)
