"""Stage mode: what a performer needs in the dark, large, and nothing that goes off by accident.

Everything to hit is at least 44 pixels high. The controls are out of reach but for the gain, the
window does not close, and leaving takes a button held for a second, or a key not hit by chance.
"""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QGridLayout,
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
from gui.widgets.record_line import long
from gui.widgets.snapshot_bar import compare_buttons
from gui.widgets.transport_bar import panic_button, play_button, record_button

__all__ = ["LEAVE_KEY", "Stage"]

LEAVE_KEY = "Ctrl+F11"
_HOLD = 1_000  # ms
_SNAPSHOTS, _COLUMNS = 12, 4
_TARGET = 88  # pixels; 44 is the least


class Stage(QWidget):
    """The page that takes the place of everything else."""

    left = pyqtSignal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("stage")  # by which the theme makes its text larger
        self.play, self.record = play_button(session), record_button(session)
        self.panic = panic_button(session)
        self.compare = compare_buttons(session)
        self.snapshots: list[QPushButton] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 12)
        column.setSpacing(14)
        top = QHBoxLayout()
        top.setSpacing(14)
        for part in (self.play, self.record, self.panic):
            part.setMinimumHeight(_TARGET)
            part.setIconSize(QSize(28, 28))
            top.addWidget(part, 1)
        column.addLayout(top)
        self.banner = Banner(session)
        self.banner.button.setMinimumHeight(44)
        column.addWidget(self.banner)
        middle = QHBoxLayout()
        middle.setSpacing(20)
        middle.addLayout(self._names(), 1)
        middle.addLayout(self._gain())
        column.addLayout(middle, 1)
        self.meter = LevelMeter(session.meters, STAGE_SCALE)
        column.addWidget(self.meter)
        column.addLayout(self._below())
        session.snapshots.changed.connect(self.refresh)
        session.transport.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the snapshots and the take."""
        snapshots, transport = self._session.snapshots, self._session.transport
        for i, button in enumerate(self.snapshots):
            there = i < len(snapshots.names)
            button.setVisible(there)
            button.setText(snapshots.names[i].replace("&", "&&") if there else "")
            button.setChecked(there and snapshots.names[i] == snapshots.current)
            button.setEnabled(there and transport.is_connected)
        self._none.setVisible(not snapshots.names)
        self._take.setText(_take(transport))

    def _names(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(10)
        for i in range(_SNAPSHOTS):
            button = QPushButton()
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setFixedHeight(_TARGET)
            button.setToolTip("Set all controls as kept under this name")
            button.clicked.connect(lambda _, i=i: self._recall(i))
            grid.addWidget(button, i // _COLUMNS, i % _COLUMNS)
            self.snapshots.append(button)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        self._none = QLabel("No snapshots: those that are saved are here, to be recalled.")
        self._none.setObjectName("dim")
        grid.addWidget(self._none, 0, 0, 1, _COLUMNS)
        grid.setRowStretch(_SNAPSHOTS // _COLUMNS, 1)
        return grid

    def _recall(self, i: int) -> None:
        names = self._session.snapshots.names
        if i < len(names):
            self._session.snapshots.recall(names[i])
        self.refresh()

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
        self._take = QLabel()
        row.addSpacing(14)
        row.addWidget(self._take, 1)
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


def _take(transport: Transport) -> str:
    if transport.is_recording:
        return f"\N{BLACK CIRCLE} {long(transport.recorded_seconds)}"
    return "not recording"
