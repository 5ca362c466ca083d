"""Snapshots: recall one by its name, save, delete, and compare A with B."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from gui.models.snapshots import SLOTS
from gui.session import Session

__all__ = ["SnapshotBar", "compare_buttons"]


def compare_buttons(session: Session) -> dict[str, QPushButton]:
    """A and B, of which one is lit."""
    snapshots = session.snapshots
    buttons: dict[str, QPushButton] = {}
    for slot in SLOTS:
        button = buttons[slot] = QPushButton(slot)
        button.setCheckable(True)
        button.setFixedWidth(36)
        button.setAccessibleName(f"Compare {slot}")
        button.setToolTip(
            f"Hear the controls as they are under {slot}; those of now are kept under the other "
            f"(Ctrl+B)"
        )
        button.clicked.connect(lambda _, s=slot: go(s))

    def go(slot: str) -> None:
        snapshots.compare(slot)
        refresh()  # a click on the one that is lit must not put it out

    # No QButtonGroup: it would leave only the lit one to the Tab key.
    def refresh() -> None:
        for slot, button in buttons.items():
            button.setChecked(slot == snapshots.slot)
            button.setEnabled(session.transport.is_connected)

    snapshots.changed.connect(refresh)
    session.transport.changed.connect(refresh)
    refresh()
    return buttons


class SnapshotBar(QWidget):
    """One line."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._snapshots = session, session.snapshots
        self.names = QComboBox()
        self.names.setAccessibleName("Snapshots")
        self.names.setToolTip("Set all controls as kept under a name")
        self.names.setPlaceholderText("no snapshot")
        self.names.setMinimumWidth(140)
        self.names.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.names.textActivated.connect(self._snapshots.recall)
        self.save = QToolButton()
        self.save.setText("Save\N{HORIZONTAL ELLIPSIS}")
        self.save.setToolTip("Keep all controls under a name, or forget one (Ctrl+S)")
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.save.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        menu = QMenu(self)
        self.save_as = menu.addAction("Save under a new name\N{HORIZONTAL ELLIPSIS}")
        self.save_as.triggered.connect(self.ask_and_save)
        self.save_over = menu.addAction("")
        self.save_over.triggered.connect(lambda: self._snapshots.save(self.names.currentText()))
        self.delete = menu.addAction("")
        self.delete.triggered.connect(lambda: self._snapshots.delete(self.names.currentText()))
        menu.aboutToShow.connect(self._name_entries)
        self.save.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.names)
        row.addWidget(self.save)
        row.addSpacing(6)
        self.compare = compare_buttons(session)
        for part in self.compare.values():
            row.addWidget(part)
        for part in (self.names, self.save, *self.compare.values()):
            part.setFixedHeight(36)
        self._snapshots.changed.connect(self.refresh)
        session.transport.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the names there are, and which one is heard."""
        there, snapshots = self._session.transport.is_connected, self._snapshots
        shown = [self.names.itemText(i) for i in range(self.names.count())]
        if shown != list(snapshots.names):
            self.names.clear()
            self.names.addItems(snapshots.names)
        place = self.names.findText(snapshots.current) if snapshots.current else -1
        self.names.setCurrentIndex(place)
        self.names.setEnabled(there and bool(snapshots.names))
        self.save.setEnabled(there)

    def ask_and_save(self) -> None:
        """Ask for a name, without holding the window up, and save under it."""
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Save a snapshot")
        dialog.setLabelText("Name of the snapshot of all controls:")
        dialog.setTextValue(self._free_name())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(lambda name: self._snapshots.save(name.strip()))
        dialog.open()

    def _free_name(self) -> str:
        numbers = (f"Snapshot {i}" for i in range(1, 10_001))
        return next((name for name in numbers if name not in self._snapshots.names), "")

    def _name_entries(self) -> None:
        name = self.names.currentText()
        for action, text in ((self.save_over, "Save over"), (self.delete, "Delete")):
            action.setText(f"{text} \N{LEFT DOUBLE QUOTATION MARK}{name}"
                           "\N{RIGHT DOUBLE QUOTATION MARK}")  # fmt: skip
            action.setVisible(bool(name))
