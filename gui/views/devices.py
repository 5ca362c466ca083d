"""The page of sound devices, by host API, with the choices "no device" and "to a file".

Return, a double click or the button changes to the selected device; the current one is marked. If a
change fails, the page shows the reason, and the current device keeps playing.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.models.devices import NONE, Device, Devices
from gui.models.transport import Transport

__all__ = ["FILE", "DevicesView"]

FILE = "to a file"  # not a device: a choice of the window
_WITHOUT = "Without a sound device"
_PLAYS = "\N{BLACK RIGHT-POINTING TRIANGLE} plays"
_NUMBERS = (2, 3, 4)  # columns
_LABEL = Qt.ItemDataRole.UserRole


class DevicesView(QWidget):
    """Shows the devices.

    Parameters
    ----------
    devices : the list of devices.
    transport : records if the music goes to a file.
    """

    def __init__(
        self, devices: Devices, transport: Transport, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._devices, self._transport = devices, transport
        self._listed: object = None
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Device", "Now", "Channels", "Rate", "Lowest latency"])
        self.tree.setAccessibleName("Sound devices")
        self.tree.setAllColumnsShowFocus(True)
        self.tree.setStyleSheet("QTreeWidget::item { padding: 3px 6px; }")
        self.tree.setRootIsDecorated(False)
        self.tree.setItemsExpandable(False)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.itemActivated.connect(lambda _: self.choose())
        self.tree.currentItemChanged.connect(lambda *_: self._offer())
        head = self.tree.headerItem()
        assert head is not None
        for column in _NUMBERS:
            head.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
        header = self.tree.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.play = QPushButton("Use this device")
        self.play.clicked.connect(self.choose)
        self.again = QPushButton("Search again")
        self.again.setToolTip("Search for sound devices again; the music keeps playing")
        self.again.clicked.connect(devices.find)
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedWidth(120)
        self.line = QLabel()
        self.line.setWordWrap(True)
        # reserves two lines
        self.line.setFixedHeight(2 * self.line.fontMetrics().lineSpacing() + 4)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout()
        row.addWidget(self.play)
        row.addWidget(self.again)
        row.addWidget(self.busy)
        row.addWidget(self.line, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(self.tree, 1)
        column.addLayout(row)
        devices.changed.connect(self.refresh)
        transport.changed.connect(self._mark)
        self.refresh()

    def refresh(self) -> None:
        """Show the devices and the current one."""
        devices = self._devices
        self._look_once()
        if self._listed != devices.devices or not self.tree.topLevelItemCount():
            self._listed = devices.devices
            self._list()
        self._mark()
        self.busy.setVisible(bool(devices.changing) or devices.is_looking)
        text, kind = "", ""
        if devices.problem:
            text, kind = f"\N{WARNING SIGN} {devices.problem}", "bad"
        elif devices.changing:
            text = f"Changing to {_said(devices.changing)}. The music keeps playing."
        elif devices.is_looking:
            text = "Searching for sound devices."
        elif devices.current and not devices.devices:
            text = "No sound device found. Connect one and search again, or record to a file."
        if text != self.line.text() or kind != self.line.objectName():
            self.line.setObjectName(kind)
            self.line.setText(text)
            self.line.setAccessibleName(text)
            self.line.setToolTip(text)
        self.again.setEnabled(bool(devices.current) and not devices.is_looking)
        self._offer()

    def choose(self) -> None:
        """Change to the selected device."""
        item = self.tree.currentItem()
        label = item.data(0, _LABEL) if item is not None else None
        if label == FILE:
            self._into_file()
        elif label and not self._plays(str(label)):
            self._devices.select(str(label))

    def showEvent(self, a0: QShowEvent | None) -> None:  # noqa: N802, D102
        super().showEvent(a0)
        self._look_once()

    def _look_once(self) -> None:
        """Search once per engine, when the page is visible."""
        if self.isVisible() and self._devices.current and not self._devices.has_looked:
            self._devices.find()

    # ------------------------------------------------------------------ the list

    def _list(self) -> None:
        chosen = self.tree.currentItem()
        before = chosen.data(0, _LABEL) if chosen is not None else None
        self.tree.clear()
        for host_api, devices in self._devices.groups().items():
            group = self._group(host_api)
            for device in devices:
                group.addChild(_item(device))
        group = self._group(_WITHOUT)
        for label, text in ((NONE, "No device (silent)"), (FILE, "To a file")):
            item = QTreeWidgetItem([text])
            item.setData(0, _LABEL, label)
            group.addChild(item)
        self.tree.expandAll()
        for item in self._items():
            if item.data(0, _LABEL) == before:
                self.tree.setCurrentItem(item)

    def _group(self, title: str) -> QTreeWidgetItem:
        group = QTreeWidgetItem([title])
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        font = group.font(0)
        font.setBold(True)
        group.setFont(0, font)
        self.tree.addTopLevelItem(group)
        group.setFirstColumnSpanned(True)
        return group

    def _items(self) -> list[QTreeWidgetItem]:
        groups = [self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount())]
        found = [g.child(i) for g in groups if g is not None for i in range(g.childCount())]
        return [item for item in found if item is not None]

    def _mark(self) -> None:
        for item in self._items():
            plays = self._plays(str(item.data(0, _LABEL)))
            text = _PLAYS if plays else ""
            if item.text(1) != text:
                item.setText(1, text)
                font = item.font(0)
                font.setBold(plays)
                item.setFont(0, font)

    def _plays(self, label: str) -> bool:
        current = self._devices.current
        if label in (NONE, FILE):
            into_file = self._transport.is_recording
            return current == NONE and into_file == (label == FILE)
        return any(d.label == label and self._devices.is_current(d) for d in self._devices.devices)

    def _offer(self) -> None:
        item = self.tree.currentItem()
        label = str(item.data(0, _LABEL) or "") if item is not None else ""
        self.play.setEnabled(
            bool(label and self._devices.current) and not self._devices.changing
            and not self._plays(label)
        )  # fmt: skip

    def _into_file(self) -> None:
        record: Callable[[], None] = lambda: self._transport.record(True)  # noqa: E731
        if self._devices.current != NONE:
            self._devices.select(NONE, record)
        elif not self._transport.is_recording:
            record()


def _item(device: Device) -> QTreeWidgetItem:
    name = f"{device.name}  (the system's default)" if device.is_default else device.name
    item = QTreeWidgetItem(
        [name, "", f"{device.channels}", f"{device.rate / 1000:g} kHz",
         f"{device.latency_ms:.1f} ms"]
    )  # fmt: skip
    item.setData(0, _LABEL, device.label)
    for column in _NUMBERS:
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item


def _said(label: str) -> str:
    return "no device" if label == NONE else label
