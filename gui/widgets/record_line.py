"""The current recording: time, size, free disk space and path.

One of the messages of the message line, during a recording and for some time after it.
"""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt, QTimer, QUrl
from PyQt6.QtGui import QDesktopServices, QFontMetrics, QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from gui.models.home_paths import shortened
from gui.models.transport import Transport
from gui.widgets.message_slot import Message

__all__ = ["RecordLine", "large", "long"]

_LOW_DISK = 5e8  # bytes
_STAYS = 20_000  # ms that the last recording is more urgent than a missing device
_STOPPED, _RECORDS, _RECORDED, _PAST = 45, 25, 22, 10  # how urgent


def long(seconds: float) -> str:
    """Format a time as 1:02:03."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def large(size: float) -> str:
    """Format a size in bytes."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


class RecordLine(Message):
    """Shown while something is recorded, and after that for what was recorded last."""

    def __init__(self, transport: Transport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._transport = transport
        self.figures, self.path = QLabel(), QLabel()
        self.figures.setObjectName("strong")
        self.path.setObjectName("dim")
        self.path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.path.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.show_folder = QPushButton("Show folder")
        self.show_folder.setFlat(True)
        self.show_folder.clicked.connect(self._open)
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 0, 0, 0)
        row.addWidget(self.figures)
        row.addWidget(self.path, 1)
        row.addWidget(self.show_folder)
        self._kept = transport.kept
        self._new = QTimer(self)
        self._new.setSingleShot(True)
        self._new.timeout.connect(self.refresh)
        transport.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show where it stands."""
        transport = self._transport
        if transport.is_recording:
            words = ["\N{BLACK CIRCLE} Recording", long(transport.recorded_seconds)]
            if transport.recorded_bytes:
                words.append(large(transport.recorded_bytes))
            free = transport.free_bytes
            if free is not None:
                words.append(f"{large(free)} free" + (" (low!)" if free < _LOW_DISK else ""))
            self.figures.setText("  \N{MIDDLE DOT}  ".join(words))
        else:
            self.figures.setText("Recording stopped" if transport.problem else "Recorded")
        self._elide()
        if self._kept != transport.kept:
            self._kept = transport.kept
            self._new.start(_STAYS)
        kept = (_RECORDED if self._new.isActive() else _PAST) if transport.kept else 0
        if transport.problem:
            kept = _STOPPED
        self.set_urgency(_RECORDS if transport.is_recording else kept)

    def resizeEvent(self, a0: QResizeEvent | None) -> None:  # noqa: N802, D102
        super().resizeEvent(a0)
        self._elide()

    def _elide(self) -> None:
        transport = self._transport
        path = transport.recording or transport.problem or transport.kept
        metrics = QFontMetrics(self.path.font())
        room = max(40, self.path.width())
        self.path.setText(metrics.elidedText(shortened(path), Qt.TextElideMode.ElideMiddle, room))
        self.path.setToolTip(path)

    def _open(self) -> None:
        path = self._transport.recording or self._transport.kept
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(path).parent)))
