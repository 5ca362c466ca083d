"""Every Python that the program starts runs the program's modules, not those of the current folder.

The folder holds a module of each name that a child imports early; each leaves a mark when it runs.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.audio.scan import scan
from engine.child_process import child_command, child_environment
from engine.errors import DeviceError
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest
from engine.stream.generator import Generator
from engine.stream.requests import make_request

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "data" / "packs" / "tiny"
NAMES = (
    "random", "json", "struct", "queue", "threading", "typing", "dataclasses", "subprocess",
    "hashlib", "tempfile", "argparse", "sitecustomize", "usercustomize", "numpy", "scipy",
    "onnxruntime", "sounddevice", "attacca", "engine", "osc", "gui", "midi", "export",
)  # fmt: skip


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The current folder for the test; tells which of its modules ran."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in NAMES:
        mark = f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r} + ' ')\n"
        if name in ("numpy", "scipy", "attacca", "engine", "osc", "gui", "midi", "export"):
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(mark)
        else:
            (folder / f"{name}.py").write_text(mark)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)  # ./run sets it
    # As in a process that was started by `python -m`, and in an interactive one.
    monkeypatch.setattr(sys, "path", ["", str(folder), *sys.path])

    def ran() -> list[str]:
        return (tmp_path / "ran").read_text().split() if (tmp_path / "ran").exists() else []

    return ran


def test_the_folder_is_hostile(hostile):
    """So that the tests below can fail."""
    subprocess.run([sys.executable, "-m", "random"], check=False, capture_output=True)
    assert "random" in hostile()


def test_the_generator_plays(hostile):
    generator = Generator(TINY)
    request = make_request(make_plan(read_manifest(TINY)), 0, steps=2)
    try:
        generator.start()
        assert np.abs(generator.make(request).samples).max() > 0
    finally:
        generator.stop()
    assert hostile() == []


def test_devices_are_listed(hostile):
    with contextlib.suppress(DeviceError):  # of a machine without PortAudio
        scan()
    assert hostile() == []


def test_the_front_door_plays(hostile, tmp_path):
    done = subprocess.run(
        child_command("attacca", "render", "--pack", str(TINY), "--seconds", "1",
                      str(tmp_path / "a.wav")),
        env=child_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert hostile() == []


def test_a_folder_that_the_user_put_on_the_path_stays_there(hostile, tmp_path, monkeypatch):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for value in (str(chosen), os.pathsep.join([str(chosen), str(Path.cwd())])):
        monkeypatch.setenv("PYTHONPATH", value)
        monkeypatch.setattr(sys, "path", [*value.split(os.pathsep), *sys.path[2:]])
        shown = subprocess.run(
            [*child_command("json.tool")[:2], "-S", "-c", "import sys; print(repr(sys.path))"],
            env=child_environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        for place in value.split(os.pathsep):
            assert place in shown.stdout


def test_a_child_finds_the_program_where_this_process_found_it_by_the_empty_entry(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", ["", *(p for p in sys.path if Path(p) != ROOT)])
    places = child_environment()["PYTHONPATH"].split(os.pathsep)
    assert str(ROOT) in places
    assert "" not in places
