"""The top bar: play, record, save, new piece, undo, PANIC. Every button sends one OSC message.

The play button also starts the engine if none is running.
"""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, QTimer
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.icons import icon
from gui.session import Session
from gui.widgets.menus import add_entry
from gui.widgets.moments_button import MomentsButton
from gui.widgets.preset_bar import PresetBar

__all__ = ["KEEP", "PANIC_KEY", "TransportBar", "play_button"]

# easy to find blindly; Esc alone leaves a field and must not stop the music
PANIC_KEY = "Shift+Esc"
KEEP = (10, 30, 60)  # seconds on offer
_STOP_RECORDING, _ICON = "Stop recording", 52  # pixels of icon and margins
_AFTER = 5  # the place of the presets in the upper row
_TICK = 100  # ms between two updates of the remaining time


def play_button(session: Session) -> QPushButton:
    """Play, Pause, or the start of an engine."""
    button = QPushButton()
    button.setObjectName("play")

    def refresh() -> None:
        playing = session.transport.is_playing
        button.setText("Pause" if playing else "Play")
        button.setIcon(icon("pause" if playing else "play"))
        button.setEnabled(session.state in ("idle", "playing", "failed"))
        button.setToolTip("Pause (Space)" if playing else "Play (Space)")

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
    """Fade out, and stay silent until Play."""
    button = QPushButton("PANIC")
    button.setObjectName("panic")
    button.setToolTip(f"Fade out and stay silent until Play ({PANIC_KEY})")
    button.clicked.connect(session.transport.panic)

    def refresh() -> None:
        button.setEnabled(session.transport.is_connected)

    session.transport.changed.connect(refresh)
    refresh()
    return button


def record_button(session: Session) -> QPushButton:
    """Start a recording, or end it."""
    button = QPushButton()
    button.setObjectName("record")

    def refresh() -> None:
        recording = session.transport.is_recording
        button.setText(_STOP_RECORDING if recording else "Record")
        button.setIcon(icon("stop" if recording else "record"))
        button.setEnabled(session.transport.is_connected)
        button.setToolTip("Record the output to a file (Ctrl+R)")

    button.clicked.connect(lambda: session.transport.record(not session.transport.is_recording))
    session.transport.changed.connect(refresh)
    refresh()
    return button


class TransportBar(QFrame):
    """The bar: one row, or two where the window is narrow."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.play = play_button(session)
        self.record = record_button(session)
        self.panic = panic_button(session)
        self.presets = PresetBar(session)
        self.moments = MomentsButton(session)
        self.waiting = QLabel()
        self.waiting.setToolTip("Actions that wait for the next beat or bar (see Quantise)")
        self.waiting.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.new_piece, self.keep = QPushButton("New piece"), QToolButton()
        self.undo, self.redo = QToolButton(), QToolButton()
        self.play.setMinimumWidth(96)
        wide = self.record.fontMetrics().horizontalAdvance(_STOP_RECORDING)
        self.record.setMinimumWidth(wide + _ICON)  # the same for both texts
        self.panic.setMinimumWidth(120)
        for part in (self.play, self.record, self.keep, self.new_piece, self.undo, self.redo,
                     self.panic):  # fmt: skip
            part.setMinimumHeight(36)
        self.new_piece.setToolTip(
            "Start a new piece with the next block; audio already generated still plays (Ctrl+N)"
        )
        self.new_piece.clicked.connect(session.transport.reset)
        self._keep_menu()
        self._history()
        self._lay_out()
        session.transport.changed.connect(self._refresh)
        session.quantised_actions.changed.connect(self._show_waiting)
        self._tick = QTimer(self)
        self._tick.timeout.connect(self._show_waiting)
        self._refresh()

    def _lay_out(self) -> None:
        self._more = QWidget()  # goes into a second row if there is no room
        more = QHBoxLayout(self._more)
        more.setContentsMargins(0, 0, 0, 0)
        more.setSpacing(6)
        more.addWidget(self.presets, 1)
        more.addWidget(self.moments)
        more.addSpacing(8)
        more.addWidget(self.undo)
        more.addWidget(self.redo)
        more.addSpacing(4)
        more.addWidget(self.waiting, 1)
        self._top, self._below = QHBoxLayout(), QHBoxLayout()
        for row in (self._top, self._below):
            row.setSpacing(6)
        for part in (self.play, self.record, self.keep, self.new_piece):
            self._top.addWidget(part)
        self._top.addSpacing(8)
        self._top.addWidget(self._more, 1)
        self._top.addStretch(0)
        self._top.addWidget(self.panic)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 2)
        column.setSpacing(6)
        column.addLayout(self._top)
        column.addLayout(self._below)
        # The width of everything in one row, plus room for waiting actions.
        parts = (self.play, self.record, self.keep, self.new_piece, self._more, self.panic)
        self._one_row = sum(
            max(part.sizeHint().width(), part.minimumWidth()) + 6 for part in parts
        ) + 40  # fmt: skip

    def minimumSizeHint(self) -> QSize:  # noqa: N802, D102
        parts = (self.play, self.record, self.keep, self.new_piece, self.panic)
        wide = sum(max(p.minimumSizeHint().width(), p.minimumWidth()) + 6 for p in parts) + 30
        return QSize(
            max(wide, self._more.minimumSizeHint().width() + 20), super().minimumSizeHint().height()
        )

    def resizeEvent(self, a0: QResizeEvent | None) -> None:  # noqa: N802, D102
        super().resizeEvent(a0)
        narrow = self.width() < self._one_row
        if narrow != (self._below.count() > 0):
            home, away = (self._below, self._top) if narrow else (self._top, self._below)
            away.removeWidget(self._more)
            home.insertWidget(0 if narrow else _AFTER, self._more, 1)

    def _show_waiting(self) -> None:
        text = self._session.quantised_actions.text
        self.waiting.setText(f"\N{BLACK RIGHT-POINTING SMALL TRIANGLE} {text}" if text else "")
        if not text:
            self._tick.stop()
        elif not self._tick.isActive():
            self._tick.start(_TICK)

    def _keep_menu(self) -> None:
        menu = QMenu(self)
        for seconds in KEEP:
            add_entry(
                menu, f"Save the last {seconds} seconds",
                lambda s=seconds: self._session.transport.keep(s),
            )  # fmt: skip
        _with_menu(self.keep, "Save last\N{HORIZONTAL ELLIPSIS}", menu)
        self.keep.setToolTip("Save the last seconds you heard, even if you weren't recording")

    def _history(self) -> None:
        history = self._session.history
        for button, name, act, keys in (
            (self.undo, "undo", history.undo, "Ctrl+Z"),
            (self.redo, "redo", history.redo, "Ctrl+Shift+Z"),
        ):
            button.setIcon(icon(name))
            button.setAccessibleName(name.capitalize())
            button.setToolTip(f"{name.capitalize()} the last change of a control ({keys})")
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.clicked.connect(act)
        history.changed.connect(self._refresh)

    def _refresh(self) -> None:
        there = self._session.transport.is_connected
        self.new_piece.setEnabled(there)
        self.keep.setEnabled(there)
        self.undo.setEnabled(there and self._session.history.can_undo)
        self.redo.setEnabled(there and self._session.history.can_redo)


def _with_menu(button: QToolButton, text: str, menu: QMenu) -> None:
    button.setText(text)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
