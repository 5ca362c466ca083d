"""The bar on top: play, stop, record, keep, undo, PANIC. Every button sends one OSC message.

The play button starts an engine where none plays, so that music is one click away.
"""

from __future__ import annotations

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from gui.icons import icon
from gui.session import Session
from gui.widgets.snapshot_bar import SnapshotBar

__all__ = ["KEEP", "PANIC_KEY", "TransportBar", "play_button"]

PANIC_KEY = "Shift+Esc"  # found blindly; Esc alone leaves a field, and must not end the music
KEEP = (10, 30, 60)  # seconds on offer
_TICK = 100  # ms between two looks at how long is left of what waits


def play_button(session: Session) -> QPushButton:
    """Play, Pause, or the start of an engine."""
    button = QPushButton()
    button.setObjectName("play")

    def refresh() -> None:
        playing = session.transport.is_playing
        button.setText("Pause" if playing else "Play")
        button.setIcon(icon("pause" if playing else "play"))
        button.setEnabled(session.state in ("idle", "playing", "failed"))
        button.setToolTip("Hold the music (Space)" if playing else "Let the music play (Space)")

    def press() -> None:
        if session.connection.is_open:
            session.transport.toggle()
        else:
            session.play()

    button.clicked.connect(press)
    session.transport.changed.connect(refresh)
    session.state_changed.connect(refresh)
    refresh()
    return button


def panic_button(session: Session) -> QPushButton:
    """Fade out, drop everything made, begin anew."""
    button = QPushButton("PANIC")
    button.setObjectName("panic")
    button.setToolTip(f"Fade out, drop everything made, begin anew ({PANIC_KEY})")
    button.clicked.connect(session.transport.panic)

    def refresh() -> None:
        button.setEnabled(session.transport.is_connected)

    session.transport.changed.connect(refresh)
    refresh()
    return button


def record_button(session: Session) -> QPushButton:
    """Begin a recording, or end it."""
    button = QPushButton()
    button.setObjectName("record")

    def refresh() -> None:
        recording = session.transport.is_recording
        button.setText("End take" if recording else "Record")
        button.setIcon(icon("stop" if recording else "record"))
        button.setEnabled(session.transport.is_connected)
        button.setToolTip("Record what is heard into a file (Ctrl+R)")

    button.clicked.connect(lambda: session.transport.record(not session.transport.is_recording))
    session.transport.changed.connect(refresh)
    refresh()
    return button


class TransportBar(QFrame):
    """The bar."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.play = play_button(session)
        self.record = record_button(session)
        self.panic = panic_button(session)
        self.snapshots = SnapshotBar(session)
        self.waiting = QLabel()
        self.waiting.setToolTip("What waits for the next beat or bar, as Quantise has it")
        self.waiting.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.stop, self.keep = QToolButton(), QToolButton()
        self.undo, self.redo = QToolButton(), QToolButton()
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 10, 4)
        row.setSpacing(6)
        for part in (self.play, self.stop, self.record, self.keep):
            row.addWidget(part)
        row.addSpacing(14)
        row.addWidget(self.snapshots)
        row.addSpacing(14)
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        row.addSpacing(8)
        row.addWidget(self.waiting, 1)
        row.addWidget(self.panic)
        self.play.setMinimumWidth(96)
        self.record.setMinimumWidth(96)
        self.panic.setMinimumWidth(120)
        for part in (self.play, self.stop, self.record, self.keep, self.undo, self.redo,
                     self.panic):  # fmt: skip
            part.setMinimumHeight(36)
        self._stop_menu()
        self._keep_menu()
        self._history()
        session.transport.changed.connect(self._refresh)
        session.punches.changed.connect(self._waits)
        self._tick = QTimer(self)
        self._tick.timeout.connect(self._waits)
        self._refresh()

    def _waits(self) -> None:
        text = self._session.punches.text
        self.waiting.setText(f"\N{BLACK RIGHT-POINTING SMALL TRIANGLE} {text}" if text else "")
        if not text:
            self._tick.stop()
        elif not self._tick.isActive():
            self._tick.start(_TICK)

    def _stop_menu(self) -> None:
        menu = QMenu(self)
        self.new_piece = menu.addAction("New piece, from the next block on")
        self.new_piece.triggered.connect(self._session.transport.reset)
        self.end = menu.addAction("Stop the engine")
        self.end.triggered.connect(self._session.stop)
        self.end.setVisible(self._session.owns_engine)
        _with_menu(self.stop, "Stop\N{HORIZONTAL ELLIPSIS}", menu)
        self.stop.setIcon(icon("stop"))
        self.stop.setToolTip("Begin a new piece, or stop the engine")

    def _keep_menu(self) -> None:
        menu = QMenu(self)
        for seconds in KEEP:
            menu.addAction(f"Keep the last {seconds} seconds").triggered.connect(
                lambda _, s=seconds: self._session.transport.keep(s)
            )
        _with_menu(self.keep, "Keep\N{HORIZONTAL ELLIPSIS}", menu)
        self.keep.setToolTip("Write what was just heard into a file, though nobody recorded")

    def _history(self) -> None:
        history = self._session.history
        for button, name, act, keys in (
            (self.undo, "undo", history.undo, "Ctrl+Z"),
            (self.redo, "redo", history.redo, "Ctrl+Shift+Z"),
        ):
            button.setIcon(icon(name))
            button.setAccessibleName(name.capitalize())
            button.setToolTip(f"{name.capitalize()} what was turned ({keys})")
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.clicked.connect(act)
        history.changed.connect(self._refresh)

    def _refresh(self) -> None:
        there = self._session.transport.is_connected
        self.stop.setEnabled(there)
        self.keep.setEnabled(there)
        self.undo.setEnabled(there and self._session.history.can_undo)
        self.redo.setEnabled(there and self._session.history.can_redo)


def _with_menu(button: QToolButton, text: str, menu: QMenu) -> None:
    button.setText(text)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
