"""Stage mode: large controls for a dark stage, protected against accidents.

Every target is at least 44 pixels high. Only the gain can be changed, the window does not close,
and leaving takes a button held for a second, or a key that is not hit by chance.
"""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.models.transport import Transport
from gui.session import Session
from gui.theme import STAGE_SCALE
from gui.widgets.banner import Banner
from gui.widgets.entry import Entry
from gui.widgets.knob import Knob
from gui.widgets.level_meter import LevelMeter
from gui.widgets.message_slot import MessageSlot
from gui.widgets.preset_bar import compare_buttons
from gui.widgets.preset_pages import PresetPages
from gui.widgets.record_line import long
from gui.widgets.transport_bar import panic_button, play_button, record_button

__all__ = ["LEAVE_KEY", "Stage"]

LEAVE_KEY = "Ctrl+F11"
_HOLD = 1_000  # ms
_LEAST, _MOST, _MESSAGE = 64, 88, 52  # pixels; 44 is the least to hit


class Stage(QWidget):
    """The page of stage mode."""

    left = pyqtSignal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("stage")  # by which the theme makes its text larger
        self.play, self.record = play_button(session), record_button(session)
        self.panic = panic_button(session)
        self.compare = compare_buttons(session)
        self.presets = PresetPages(session)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 12)
        column.setSpacing(10)
        top = QHBoxLayout()
        top.setSpacing(14)
        for part in (self.play, self.record, self.panic):
            part.setMinimumHeight(_LEAST)
            part.setMaximumHeight(_MOST)
            part.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            part.setIconSize(QSize(28, 28))
            top.addWidget(part, 1)
        column.addLayout(top)
        self.banner = Banner(session)
        self.banner.button.setMinimumHeight(44)
        column.addWidget(MessageSlot([self.banner], _MESSAGE))
        middle = QHBoxLayout()
        middle.setSpacing(20)
        middle.addWidget(self.presets, 1)
        middle.addLayout(self._gain())
        column.addLayout(middle, 1)
        self.meter = LevelMeter(session.meters, STAGE_SCALE)
        column.addWidget(self.meter)
        column.addLayout(self._below())
        session.transport.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the recording."""
        self._recording.setText(_recording_text(self._session.transport))

    def _gain(self) -> QVBoxLayout:
        gain = self._session.controls["gain"]
        column = QVBoxLayout()
        name, entry = QLabel("Gain"), Entry(gain)
        name.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        knob = Knob(gain, 150)
        knob.setAccessibleName("Gain, dB")
        entry.setAccessibleName("Gain, dB")
        entry.setFixedWidth(150)
        entry.setMinimumHeight(44)
        column.addStretch(1)
        column.addWidget(name)
        column.addWidget(knob)
        column.addWidget(entry)
        column.addStretch(1)
        return column

    def _below(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(10)
        for button in self.compare.values():
            button.setFixedWidth(72)
            button.setMinimumHeight(56)
            row.addWidget(button)
        self._recording = QLabel()
        row.addSpacing(14)
        row.addWidget(self._recording, 1)
        leave = QPushButton("Hold to leave stage mode")
        leave.setObjectName("quiet")
        leave.setMinimumHeight(44)
        leave.setToolTip(f"Hold it for a second, or press {LEAVE_KEY}")
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(self.left)
        leave.pressed.connect(lambda: timer.start(_HOLD))
        leave.released.connect(timer.stop)
        row.addWidget(leave)
        return row


def _recording_text(transport: Transport) -> str:
    if transport.is_recording:
        return f"\N{BLACK CIRCLE} {long(transport.recorded_seconds)}"
    return "not recording"
