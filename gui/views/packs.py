"""The page of packs: details, whether this machine can play them, and changing the pack.

Return, a double click or the button loads the selected pack in the background while the current one
plays. A damaged pack shows what is wrong and cannot be loaded.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from gui.models.controls import ControlModels
from gui.models.packs import Pack, Packs

__all__ = ["PacksView"]

_NAME = Qt.ItemDataRole.UserRole
_ROWS = ("Name", "Licence", "Sound", "Blocks", "Size", "This machine", "Controls", "Problem")


class PacksView(QWidget):
    """Shows the packs.

    Parameters
    ----------
    packs : the list of packs.
    controls : of the current pack.
    """

    def __init__(
        self, packs: Packs, controls: ControlModels, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._packs, self._controls = packs, controls
        controls.table_changed.connect(self._show_chosen)
        self.list = QListWidget()
        self.list.setAccessibleName("Packs")
        self.list.setStyleSheet("QListWidget::item { padding: 4px; }")
        self.list.itemActivated.connect(lambda _: self.choose())
        self.list.currentItemChanged.connect(lambda *_: self._show_chosen())
        self.title = QLabel()
        self.title.setObjectName("title")
        font = self.title.font()
        font.setPointSizeF(font.pointSizeF() * 1.3)
        font.setBold(True)
        self.title.setFont(font)
        self.cells: dict[str, QLabel] = {}
        self.load = QPushButton("Play this pack")
        self.load.clicked.connect(self.choose)
        self.again = QPushButton("Refresh")
        self.again.clicked.connect(packs.list)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.bar.setFixedWidth(180)
        self.line = QLabel()
        self.line.setWordWrap(True)
        # reserves two lines
        self.line.setFixedHeight(2 * self.line.fontMetrics().lineSpacing() + 4)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        middle = QSplitter(Qt.Orientation.Horizontal)
        middle.setChildrenCollapsible(False)
        middle.addWidget(self.list)
        self.details = self._details()
        middle.addWidget(self.details)
        middle.setStretchFactor(1, 2)
        row = QHBoxLayout()
        for part in (self.load, self.again, self.bar):
            row.addWidget(part)
        row.addWidget(self.line, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(middle, 1)
        column.addLayout(row)
        self._listed: object = None
        packs.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the packs and the current one."""
        packs = self._packs
        listed = (packs.packs, packs.current)
        if listed != self._listed:
            self._listed = listed
            self._list()
        self.bar.setVisible(bool(packs.loading))
        self.bar.setValue(round(100 * packs.progress))
        text, kind = "", ""
        if packs.problem:
            text, kind = f"\N{WARNING SIGN} {packs.problem}", "bad"
        elif packs.loading:
            text = f"Loading {packs.loading}; {packs.current} keeps playing."
        if text != self.line.text() or kind != self.line.objectName():
            self.line.setObjectName(kind)
            self.line.setText(text)
            self.line.setAccessibleName(text)
            self.line.setToolTip(text)
        self.again.setEnabled(bool(packs.current) and not packs.is_listing)
        self._show_chosen()

    def choose(self) -> None:
        """Load the selected pack."""
        pack = self._chosen()
        if pack is not None and not pack.trouble:
            self._packs.load(pack.name)

    # ------------------------------------------------------------------ parts

    def _details(self) -> QScrollArea:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(14, 4, 8, 4)
        column.addWidget(self.title)
        form = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(6)
        for name in _ROWS:
            value = self.cells[name] = QLabel()
            value.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            caption = QLabel(name)
            caption.setObjectName("dim")
            form.addRow(caption, value)
        self._form = form
        column.addLayout(form)
        column.addStretch(1)
        area = QScrollArea()
        area.setAccessibleName("About the pack")
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(inside)
        return area

    def _list(self) -> None:
        chosen = self._chosen()
        wanted = chosen.name if chosen is not None else self._packs.current
        self.list.clear()
        for pack in self._packs.packs:
            plays = pack.name == self._packs.current
            mark = "\N{BLACK RIGHT-POINTING TRIANGLE} " if plays else ""
            state = " (plays)" if plays else " (damaged)" if pack.trouble else ""
            item = QListWidgetItem(f"{mark}{pack.title or pack.name}{state}")
            item.setData(_NAME, pack.name)
            font = item.font()
            font.setBold(plays)
            item.setFont(font)
            self.list.addItem(item)
            if pack.name == wanted:
                self.list.setCurrentItem(item)

    def _chosen(self) -> Pack | None:
        item = self.list.currentItem()
        name = item.data(_NAME) if item is not None else None
        return next((p for p in self._packs.packs if p.name == name), None)

    def _show_chosen(self) -> None:
        pack = self._chosen()
        there = pack is not None and not self._packs.loading
        self.load.setEnabled(
            there and pack is not None and not pack.trouble and pack.name != self._packs.current
        )
        self.title.setText((pack.title or pack.name) if pack is not None else "")
        for name, cell in self.cells.items():
            text = _TEXTS[name](pack) if pack is not None else ""
            if name == "Controls" and pack is not None:
                text = self._controls_text() if pack.name == self._packs.current else ""
            cell.setText(text)
            self._form.setRowVisible(cell, bool(text))

    def _controls_text(self) -> str:
        """The names of the current pack's controls."""
        names = [c.short.replace("_", " ") for c in self._controls.table.pack]
        return ", ".join(names) or "none of its own"


def _sound(pack: Pack) -> str:
    channels = {1: "mono", 2: "stereo"}.get(pack.channels, f"{pack.channels} channels")
    return f"{pack.rate / 1000:g} kHz, {channels}" if pack.rate else ""


_TEXTS: dict[str, Callable[[Pack], str]] = {
    "Name": lambda p: f"{p.name} {p.version}".strip(),
    "Licence": lambda p: p.licence,
    "Sound": _sound,
    "Blocks": lambda p: f"{p.block_seconds:.2f} s" if p.block_seconds else "",
    "Size": lambda p: f"{p.megabytes:.1f} MB" if p.megabytes else "",
    "This machine": lambda p: "" if p.trouble else p.verdict_text,
    "Controls": lambda p: "",
    "Problem": lambda p: f"\N{WARNING SIGN} {p.trouble}" if p.trouble else "",
}
