"""A line about a defect of the window, with buttons: copy a report, show the log, dismiss."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QStyle, QWidget

from gui.faults import Fault, Faults
from gui.widgets.message_slot import Message

__all__ = ["FaultBar"]

_URGENCY = 60  # below a lost engine, above everything else


class FaultBar(Message):
    """Shown after a fault, until it is dismissed.

    Parameters
    ----------
    faults : shown.
    report : copies a report.
    show_log : opens the log.
    """

    def __init__(
        self, faults: Faults, report: Callable[[], None], show_log: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setObjectName("banner")
        self.setProperty("level", "error")
        self.setAccessibleName("Defect of the window")
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.copy, self.look, self.dismiss = map(
            QPushButton, ("Copy a report", "Show the log", "Dismiss")
        )
        self._dismissed: set[str] = set()
        self._shown = ""
        self.copy.clicked.connect(lambda: (report(), self.copy.setText("Copied")))
        self.look.clicked.connect(show_log)
        self.dismiss.clicked.connect(self._dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 4)
        icon, style = QLabel(), self.style()
        assert style is not None
        warning = style.standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        icon.setPixmap(warning.pixmap(20, 20))
        row.addWidget(icon)
        for part in (self.label, self.copy, self.look, self.dismiss):
            row.addWidget(part)
        self.copy.setMinimumWidth(self.copy.sizeHint().width())  # "Copied" is shorter
        faults.caught.connect(self._caught)

    def _caught(self, fault: Fault) -> None:
        if fault.trace in self._dismissed:
            return
        times = f" ({fault.times} times)" if fault.times > 1 else ""
        text = (
            f"The window met a defect{times}: {fault.text}. The music keeps playing; please report "
            "it."
        )
        if self._shown != fault.trace:
            self._shown = fault.trace
            self.copy.setText("Copy a report")
        self.label.setText(text)
        self.setAccessibleDescription(text)
        self.set_urgency(_URGENCY)

    def _dismiss(self) -> None:
        self._dismissed.add(self._shown)
        self.set_urgency(0)
