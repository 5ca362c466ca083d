"""Qt without a screen, an engine to speak to, and a session that speaks to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PyQt6", reason="PyQt6 is not installed; './run test' installs it")

from PyQt6.QtWidgets import QApplication

from engine.instrument import Instrument
from gui.application import Start, make_window
from gui.main_window import MainWindow
from gui.session import Session
from gui.theme import apply_theme
from osc.server import OscServer


@pytest.fixture
def server(instrument: Instrument, tmp_path: Path) -> Iterator[OscServer]:
    with OscServer(instrument, port=0, library=tmp_path / "library", version="1.2.3") as made:
        yield made


@pytest.fixture
def session(server: OscServer, qtbot) -> Iterator[Session]:
    """Connected, with the controls known."""
    made = Session("127.0.0.1", server.port)
    made.begin()
    qtbot.waitUntil(lambda: made.controls["gain"].is_known, timeout=10_000)
    qtbot.waitUntil(lambda: made.figures["pack"] is not None, timeout=10_000)
    yield made
    made.connection.stop()


@pytest.fixture
def window(
    server: OscServer, instrument: Instrument, tmp_path, qtbot, until
) -> Iterator[MainWindow]:
    """The whole window with all its pages, as users have it, before a real engine."""
    instrument.set(gain=0.0, temperature=1.0, pause=False)
    apply_theme(QApplication.instance(), "light")  # as the program does
    opened = make_window(Start("127.0.0.1", server.port, None, tmp_path))
    qtbot.addWidget(opened, before_close_func=lambda w: setattr(w, "_may_close", True))
    opened.resize(1280, 800)
    opened.show()
    opened.activateWindow()
    qtbot.waitActive(opened)
    until(lambda: opened.session.figures["pack"] is not None)
    until(lambda: opened.session.controls["gain"].is_known)
    yield opened
    opened.session.connection.stop()


@pytest.fixture
def until(qtbot) -> Callable[..., None]:
    """Waits, with Qt's event loop running, until something is true."""

    def wait(true: Callable[[], object], seconds: float = 10.0) -> None:
        qtbot.waitUntil(lambda: bool(true()), timeout=round(1000 * seconds))

    return wait
