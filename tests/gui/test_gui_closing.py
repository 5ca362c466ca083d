"""Closing the window: asks while a take runs, is out of sight at once, and ends within a limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QMessageBox
from test_gui_engine_process import PLAY, ROOT, free_port, lives

from gui.application import Start, make_window
from gui.main_window import MainWindow


@pytest.fixture
def closed(window: MainWindow) -> list[float]:
    """When the window had parted from the engine."""
    found: list[float] = []
    window.closed.connect(lambda: found.append(time.monotonic()))
    return found


@pytest.fixture
def take(window: MainWindow, instrument, until) -> Path:
    window.session.transport.record(True)
    until(lambda: window.session.transport.is_recording)
    yield Path(window.session.transport.recording)
    if instrument.status().recording is not None:
        instrument.record(None)


def answer(window: MainWindow, text: str) -> None:
    box = window.closing.question
    assert isinstance(box, QMessageBox)
    button = next(b for b in box.buttons() if b.text().replace("&", "") == text)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_without_a_take_it_closes_without_a_question(window, closed, until):
    window.close()
    assert not window.isVisible()
    assert window.closing.question is None
    until(lambda: closed)


def test_while_a_take_runs_it_asks_and_may_stay(window, instrument, take, closed, until):
    window.close()
    assert window.isVisible()
    window.close()  # a second time: there is one question
    assert str(take.name) in window.closing.question.informativeText()
    answer(window, "Cancel")
    QTest.qWait(200)
    assert window.isVisible()
    assert instrument.status().recording == take
    assert not closed


def test_a_question_left_by_escape_is_a_no(window, take, closed):
    window.close()
    QTest.keyClick(window.closing.question, Qt.Key.Key_Escape)
    QTest.qWait(100)
    assert window.isVisible()
    assert not closed
    assert window.closing.question is None


def test_the_take_is_ended_and_can_be_read_when_the_window_has_closed(
    window, instrument, take, closed, until
):
    QTest.qWait(300)
    window.close()
    answer(window, "Stop recording and close")
    assert not window.isVisible(), "out of sight at once"
    until(lambda: closed)
    assert instrument.status().recording is None
    assert soundfile.info(str(take)).frames > 1_000


def test_the_window_closes_and_the_take_goes_on(window, instrument, take, closed, until):
    window.close()
    answer(window, "Close and keep recording")
    assert not window.isVisible()
    until(lambda: closed)
    assert instrument.status().recording == take


def test_a_signal_closes_also_in_stage_mode_where_a_hand_cannot(window, closed, until):
    window.set_stage(True)
    window.close()
    assert window.isVisible()
    window.closing.begin()  # what SIGTERM does
    assert not window.isVisible()
    until(lambda: closed)


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def test_it_is_gone_from_sight_at_once_while_its_engine_fades_out_and_ends(
    at_home, qtbot, until: Callable[..., None]
):
    port = free_port()
    window = make_window(Start("127.0.0.1", port, PLAY, at_home))
    qtbot.addWidget(window, before_close_func=lambda w: setattr(w, "_may_close", True))
    window.show()
    window.session.play()
    until(lambda: window.session.transport.is_playing, 30)
    engine = window.session.engine.pid
    closed: list[float] = []
    window.closed.connect(lambda: closed.append(time.monotonic()))
    start = time.monotonic()
    window.close()
    assert time.monotonic() - start < 0.3
    assert not window.isVisible()
    until(lambda: closed, 10)
    assert closed[0] - start < 6.0
    assert not lives(engine)


def test_the_program_ends_by_sigterm_while_nothing_plays(at_home):
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    program = subprocess.Popen(
        [sys.executable, "-P", "-m", "attacca", "gui", "--osc-port", str(free_port())],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        settings = at_home / "data"
        deadline = time.monotonic() + 20
        while not list(settings.rglob("*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2.0)
        assert program.poll() is None
        program.send_signal(signal.SIGTERM)
        assert program.wait(5) == 0
    finally:
        program.kill()
        program.communicate()
