"""One line for an urgent message, with a button to act on it.

It shows why there is no sound (no engine, starting, connection lost, no device) and, for a while,
errors. Hidden otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QStyle, QWidget

from gui.models.log import Line
from gui.session import Session
from gui.theme import colours_of
from gui.widgets.message_slot import Message

__all__ = ["Banner"]

_EDGE = 4  # pixels of colour at the left
_STAYS = 8_000  # ms that an error stays, if nothing is more urgent
_GONE, _NOTICE, _STATE = 70, 50, 20  # how urgent


class Banner(Message):
    """Why there is no sound, and what to do."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._level = "note"
        self._notice = ""
        self._notice_over = QTimer(self)
        self._notice_over.setSingleShot(True)
        self._notice_over.timeout.connect(self._forget_notice)
        session.log.added.connect(self._note)
        self.setObjectName("banner")
        self.setAccessibleName("Message")
        self._icon = QLabel()
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.button = QPushButton("Dismiss")
        self.button.setMinimumHeight(28)
        self._do: Callable[[], None] = lambda: None
        self.button.clicked.connect(lambda: self._do())
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 4)
        for part in (self._icon, self.label, self.button):
            row.addWidget(part)
        session.state_changed.connect(self._forget_notice)  # it was about the old state
        for signal in (session.figures.changed, session.transport.changed):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the most urgent message, or nothing."""
        session, transport = self._session, self._session.transport
        level, text, button, urgency = "note", "", "", _STATE
        if session.state == "failed":
            level, text, urgency = "error", session.state_text, _GONE
            button, self._do = "Try again", session.play
        elif session.state == "lost":
            level, text, urgency = "error", session.state_text, _GONE
        elif session.state == "starting":
            text = f"{session.state_text} \N{HORIZONTAL ELLIPSIS}"
        elif session.state == "idle":
            text = session.idle_text
        elif session.figures.text("failed"):
            level, text, urgency = "error", session.figures.text("failed"), _GONE
        elif self._notice:
            level, text, urgency = "error", self._notice, _NOTICE
            button, self._do = "Dismiss", self._forget_notice
        elif session.figures.text("trouble"):
            level, text = "error", session.figures.text("trouble")
        elif session.plays_silently:
            text = "No sound device found. The music plays silently."
            if not transport.is_recording:
                text += " Choose one in Devices, or record to a file."
                button, self._do = "Record to a file", lambda: transport.record(True)
        elif session.state == "playing" and session.state_text:
            text = session.state_text
        self._show(level, text, button)
        self.set_urgency(urgency if text else 0)

    def _note(self, line: Line) -> None:
        """Show an error for a while; the log keeps it."""
        if line.level == "error" and line.kind != "defect":  # shown by the fault bar
            self._notice = line.text
            self._notice_over.start(_STAYS)
            self.refresh()

    def _forget_notice(self) -> None:
        self._notice = ""
        self.refresh()

    def _show(self, level: str, text: str, button: str) -> None:
        if self._level != level:
            self._level = level
            self.update()
        icons = QStyle.StandardPixmap
        style = self.style()
        assert style is not None
        icon = icons.SP_MessageBoxWarning if level == "error" else icons.SP_MessageBoxInformation
        self._icon.setPixmap(style.standardIcon(icon).pixmap(20, 20))
        if self.label.text() != text:
            self.label.setText(text)
            self.setAccessibleDescription(text)
        if button:
            self.button.setText(button)
        self.button.setVisible(bool(button))

    def paintEvent(self, a0: QPaintEvent | None) -> None:  # noqa: N802, D102
        super().paintEvent(a0)
        colours = colours_of(self)
        edge = colours.bad if self._level == "error" else colours.accent
        QPainter(self).fillRect(0, 0, _EDGE, self.height(), edge)
