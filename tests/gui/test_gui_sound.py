"""What is heard while a window turns, dies, and comes back: a sound server, the real programs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest

from gui.application import Start, make_window
from gui.main_window import MainWindow
from gui.widgets.knob import Knob

ROOT = Path(__file__).resolve().parents[2]
TINY = str(ROOT / "tests" / "data" / "packs" / "tiny")
OPTIONS = ["--pack", TINY, "--latency", "jam", "--device", "pulse"]

# A window that somebody clicks Play in, in a process that can be killed.
CLICKED = """
import sys
from pathlib import Path
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication
from gui.application import Start, make_window
app = QApplication(["attacca"])
window = make_window(Start("127.0.0.1", int(sys.argv[1]), sys.argv[3:], Path(sys.argv[2])))
window.show()
QTimer.singleShot(500, window.transport.play.click)
app.exec()
"""


def loudness(sound: np.ndarray) -> float:
    """dB of the mean."""
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2) + 1e-20))


def pid_of_engine(port: int) -> int:
    found = subprocess.run(
        ["pgrep", "-f", f"attacca play .*--osc-port {port}"], capture_output=True, text=True
    )
    return int(found.stdout.split()[0])


@pytest.fixture
def port() -> Iterator[int]:
    """A free one; what plays on it is ended at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    yield free
    with contextlib.suppress(IndexError, ProcessLookupError):
        os.kill(pid_of_engine(free), signal.SIGKILL)


@pytest.mark.sound
@pytest.mark.slow
@pytest.mark.alone
def test_the_music_outlives_the_window_and_the_window_outlives_the_engine(
    pulse, port, tmp_path, monkeypatch, qtbot, until
):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with pulse.recording() as heard:

        def last(seconds: float) -> np.ndarray:
            """What was heard in so many seconds from now on."""
            begin = len(heard())
            until(lambda: len(heard()) - begin >= seconds * 48_000, 20)
            return heard()[begin:]

        # One click in a window, and there is music.
        doomed = subprocess.Popen(
            [sys.executable, "-c", CLICKED, str(port), str(tmp_path), *OPTIONS],
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        )
        try:
            until(lambda: len(heard()) > 24_000 and loudness(heard()[-24_000:]) > -60, 60)
        finally:
            doomed.kill()
            doomed.wait()

        # The window was killed: the music goes on, without a hole.
        sound = last(2.0)
        assert loudness(sound) > -60
        quiet = np.abs(sound).max(axis=1) < 1e-6
        assert np.convolve(quiet, np.ones(4800), "valid").max() < 4800, "a hole of 100 ms"

        # Another window takes it up; its gain knob is heard.
        window = make_window(Start("127.0.0.1", port, OPTIONS, tmp_path))
        qtbot.addWidget(window, before_close_func=lambda w: setattr(w, "_may_close", True))
        window.show()
        until(lambda: window.session.transport.is_playing, 20)
        assert window.session.engine.pid is None
        turn_gain(window, until)
        until(lambda: loudness(heard()[-48_000:]) < loudness(sound) - 20, 20)
        # 30 dB; the music itself goes up and down by some.
        assert loudness(sound) - 45 < loudness(last(2.0)) < loudness(sound) - 18

        # The engine is killed: the window says so, and there is music again as loud as it was.
        os.kill(pid_of_engine(port), signal.SIGKILL)
        until(lambda: window.session.state in ("lost", "starting"), 10)
        assert window.banner.isVisible()
        assert "the engine" in window.banner.label.text()
        until(lambda: window.session.transport.is_playing, 60)
        until(lambda: not window.banner.isVisible())
        until(lambda: window.session.controls["gain"].value == -30.0, 20)
        until(lambda: loudness(heard()[-48_000:]) > loudness(sound) - 40, 30)
        until(lambda: loudness(last(1.0)) < loudness(sound) - 20, 30)

        # Closing the window ends the engine, and the sound.
        ended = []
        window.session.ended.connect(lambda: ended.append(True))
        window.close()
        until(lambda: ended, 20)
        assert loudness(last(1.0)[24_000:]) < -100


def turn_gain(window: MainWindow, until) -> None:
    """30 dB down by the keys of its knob."""
    gain = window.controls.cells["gain"].findChild(Knob)
    gain.setFocus()
    for _ in range(3):
        QTest.keyClick(gain, Qt.Key.Key_PageDown)
    until(lambda: window.session.controls["gain"].value == -30.0)


def test_it_shows_on_an_x_server_and_a_signal_closes_it(server, session, tmp_path, until):
    from sound_servers import missing

    if missing(("xvfb-run",)):
        if os.environ.get("CI"):
            pytest.fail("xvfb-run is not installed; './run test' installs it")
        pytest.skip("xvfb-run is not installed")
    env = {
        **os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "xcb",
        "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path),
    }  # fmt: skip
    # The number of the process goes into a file: xvfb-run stands between it and us.
    command = (
        f"echo $$ >pid; exec {sys.executable} -W error -m attacca gui "
        f"--connect 127.0.0.1:{server.port}"
    )
    process = subprocess.Popen(
        ["xvfb-run", "-a", "sh", "-c", command], env=env, cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: session.figures.number("osc/clients") >= 2, 40)
        QTest.qWait(1_000)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert (process.returncode, out, err) == (0, "", "")
    assert (tmp_path / "attacca" / "window.ini").is_file()
