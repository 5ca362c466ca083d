"""The window as a program, which ends when the window is closed."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication

from gui.engine_process import EngineProcess
from gui.main_window import MainWindow
from gui.session import Session
from gui.settings import Settings
from gui.theme import apply_theme
from gui.views.assembly import add_views

__all__ = ["Start", "make_window", "run"]

_REMEMBERED = ("pack", "device")


@dataclass(frozen=True)
class Start:
    """How to start.

    Attributes
    ----------
    host, port : of the engine.
    options : of `attacca play`, for an engine started here; None starts none.
    folder : for the settings and the engine's log.
    """

    host: str
    port: int
    options: Sequence[str] | None
    folder: Path


def make_window(start: Start) -> MainWindow:
    """Create the window in an existing application, and begin its session."""
    settings = Settings(start.folder)
    engine = None
    if start.options is not None:
        engine = EngineProcess(start.options, start.port, start.folder)
        _remember(engine, settings)
    session = Session(start.host, start.port, engine)
    window = MainWindow(session, settings)
    window.pages = add_views(window)
    if engine is not None:
        session.state_changed.connect(lambda: _keep(session, engine, settings))
    session.begin()
    return window


def run(start: Start) -> int:
    """Show the window until it is closed. Returns the exit status."""
    app = QApplication(["attacca"])
    app.setApplicationName("Attacca")
    app.setDesktopFileName("attacca")
    app.setQuitOnLastWindowClosed(False)  # the engine ends after the window is hidden
    apply_theme(app, Settings(start.folder).theme)  # before any widget measures itself
    window = make_window(start)
    sys.excepthook = _defect_handler(window.session, start.folder)
    assert window.pages is not None
    window.pages.faults.install()
    hints = app.styleHints()
    assert hints is not None
    hints.colorSchemeChanged.connect(lambda: _follow_system(app, window.settings))
    window.closed.connect(app.quit)
    # Python sees a signal only when it runs. A signal asks no question: the engine closes a take.
    # One that was ignored at the start, as in the background of a script, stays ignored.
    for name in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(name) is not signal.SIG_IGN:
            signal.signal(name, lambda *_: window.closing.begin())
    wake = QTimer()
    wake.timeout.connect(lambda: None)
    wake.start(200)
    window.show()
    status = app.exec()
    sys.stdout.flush()
    return status


def _follow_system(app: QApplication, settings: Settings) -> None:
    if settings.theme == "system":
        apply_theme(app, "system")


def _remember(engine: EngineProcess, settings: Settings) -> None:
    """Start with the last pack and device, unless options name others."""
    engine.fallback = list(engine.options)
    for name in _REMEMBERED:
        kept = settings.option(name)
        if kept and f"--{name}" not in engine.options:
            engine.options += [f"--{name}", kept]
    if engine.options == engine.fallback:
        engine.fallback = None


def _keep(session: Session, engine: EngineProcess, settings: Settings) -> None:
    """Store the pack and device of an engine that plays."""
    if session.state == "playing":
        for name in _REMEMBERED:
            options = engine.options
            if f"--{name}" in options:
                value = options[options.index(f"--{name}") + 1]
                if name == "pack" and Path(value).is_dir():
                    value = str(Path(value).resolve())  # valid from any folder
                if value != "none":
                    settings.keep_option(name, value)


def _defect_handler(session: Session, folder: Path) -> Callable[..., None]:
    """The handler of defects: one line in the log, the rest in a file; the window keeps running."""

    def handle(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        try:
            with (folder / "window.log").open("a", encoding="utf-8") as file:
                traceback.print_exception(kind, error, trace, file=file)
            where = f"report it with {folder / 'window.log'}"
        except OSError as problem:
            where = f"{folder / 'window.log'} cannot be written ({problem.strerror})"
        session.log.say(
            f"a defect of the window: {kind.__name__}: {error}; {where}", "error", "defect"
        )

    return handle
