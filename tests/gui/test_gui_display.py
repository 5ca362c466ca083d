"""Without a display the window says so in one line, with status 1, and starts no engine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import DisplayError
from gui.display import DisplayCheck, reason

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="X11 and Wayland")
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "XDG_RUNTIME_DIR")


def gui(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in DISPLAYS}
    return subprocess.run(
        [sys.executable, "-m", "attacca", "gui", "--device", "none"], cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(folder), **more},
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@linux_only
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "there is no display; start it in a desktop session"),
        ({"DISPLAY": ":97"}, "no display answers as :97; start it in"),
        ({"WAYLAND_DISPLAY": "wayland-97"}, "no display answers as wayland-97; start it in"),
        (
            {"QT_QPA_PLATFORM": "nonsense"},
            "QT_QPA_PLATFORM is 'nonsense', which Qt does not support",
        ),
        ({"QT_QPA_PLATFORM": "wayland"}, 'Could not load the Qt platform plugin "wayland"'),
    ],
)
def test_without_a_display_it_is_one_line_and_status_1(
    more: dict[str, str], why: str, tmp_path: Path
) -> None:
    done = gui(tmp_path, **more)
    assert done.returncode == 1
    assert done.stderr.startswith("attacca: the window cannot open: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("engine-*")), "an engine was started"
    assert not list(tmp_path.glob("core*"))


@linux_only
def test_a_display_that_accepts_and_never_answers_is_abandoned_after_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        number = deaf.getsockname()[1] - 6000
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{number}")
        monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
        check, began = DisplayCheck(patience=2.0), time.monotonic()
        with pytest.raises(DisplayError, match=rf"127\.0\.0\.1:{number} has not answered for 2 s"):
            check.finish()
    assert time.monotonic() - began < 10


@linux_only
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="no Xvfb")
def test_a_display_that_answers_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "640x480x24"], pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    try:
        number = os.read(read, 20).decode().strip()
        assert number
        monkeypatch.setenv("DISPLAY", f":{number}")
        monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
        DisplayCheck().finish()
    finally:
        os.close(read)
        server.terminate()
        server.wait()


def test_a_library_that_is_missing_is_named_only_where_it_is_the_reason() -> None:
    needed = "qt.qpa.plugin: From 6.5.0, xcb-cursor0 is needed to load the Qt xcb platform plugin."
    assert "./run gui" in reason(needed, {"DISPLAY": ":0"})
    both = f"qt.qpa.xcb: could not connect to display :9\n{needed}"
    assert "no display answers as :9" in reason(both, {"DISPLAY": ":9"})
    assert reason("", {}).startswith("Qt ended without a message; ")
