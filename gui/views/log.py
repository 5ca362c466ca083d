"""The log page: messages of the engine and the window, with a filter and a report to copy."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.models.log import Line, Log
from gui.widgets.choice_list import ChoiceList
from gui.widgets.field import Field

__all__ = ["LogView", "copied"]

_SAID = 2_000  # ms
_MOST = 500  # rows, as many as the log keeps
_LEVELS = {"All": ("note", "warning", "error"), "Warnings and errors": ("warning", "error"),
           "Errors": ("error",)}  # fmt: skip
_WORDS = {"note": "note", "warning": "\N{WARNING SIGN} warning",
          "error": "\N{HEAVY MULTIPLICATION X} error"}  # fmt: skip
_LINE = Qt.ItemDataRole.UserRole


def copied(text: str) -> None:
    """Copy text to the clipboard."""
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)


class LogView(QWidget):
    """Shows a log.

    Parameters
    ----------
    log : the lines to show.
    diagnostics : returns the text of a report.
    """

    def __init__(
        self, log: Log, diagnostics: Callable[[], str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._diagnostics = diagnostics
        self.rows = QTreeWidget()
        self.rows.setHeaderLabels(["Time", "Level", "Source", "Message"])
        self.rows.setRootIsDecorated(False)
        self.rows.setUniformRowHeights(True)
        self.rows.setStyleSheet("QTreeWidget::item { padding: 2px; }")
        self.rows.setAccessibleName("Log")
        self.rows.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.rows.header()
        assert header is not None
        for column, wide in enumerate((84, 96, 130)):
            header.resizeSection(column, wide)
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
        self.words = Field()
        self.words.setPlaceholderText("Filter by words")
        self.words.setAccessibleName("Filter")
        self.words.setClearButtonEnabled(True)
        self.words.textChanged.connect(self.refresh)
        self.level = ChoiceList("Levels")
        self.level.addItems(list(_LEVELS))
        self.level.currentTextChanged.connect(self.refresh)
        self.copy = QPushButton("Copy diagnostics")
        self.copy.setToolTip(
            "Copy versions, status and the last lines for a report; check it before you send it"
        )
        self.copy.setMinimumWidth(self.copy.sizeHint().width())  # "Copied" is shorter
        self.copy.clicked.connect(self._copy)
        self._said = QTimer(self)
        self._said.setSingleShot(True)
        self._said.timeout.connect(lambda: self.copy.setText("Copy diagnostics"))
        row = QHBoxLayout()
        row.addWidget(self.words, 1)
        row.addWidget(self.level)
        row.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.addLayout(row)
        column.addWidget(self.rows, 1)
        lines = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.rows)
        lines.setContext(Qt.ShortcutContext.WidgetShortcut)
        lines.activated.connect(self._copy_lines)
        for line in log.lines:
            self._add(line)
        log.added.connect(self._add)

    def refresh(self) -> None:
        """Show the lines that match the filter."""
        for i in range(self.rows.topLevelItemCount()):
            item = self.rows.topLevelItem(i)
            if item is not None:
                item.setHidden(not self._is_wanted(item.data(0, _LINE)))

    def shown(self) -> list[str]:
        """The text of the rows that are shown, for copying and for tests."""
        rows = [self.rows.topLevelItem(i) for i in range(self.rows.topLevelItemCount())]
        return [_text(row) for row in rows if row is not None and not row.isHidden()]

    def _is_wanted(self, line: Line) -> bool:
        words = self.words.text().casefold().split()
        text = f"{line.kind} {line.text}".casefold()
        level = line.level in _LEVELS[self.level.currentText()]
        return level and all(word in text for word in words)

    def _add(self, line: object) -> None:
        assert isinstance(line, Line)
        bar = self.rows.verticalScrollBar()
        assert bar is not None
        follows = bar.value() == bar.maximum()
        item = QTreeWidgetItem(
            [f"{line.at:%H:%M:%S}", _WORDS[line.level], line.kind, line.text]
        )  # fmt: skip
        item.setData(0, _LINE, line)
        item.setToolTip(3, line.text)
        self.rows.addTopLevelItem(item)
        item.setHidden(not self._is_wanted(line))
        while self.rows.topLevelItemCount() > _MOST:
            self.rows.takeTopLevelItem(0)
        if follows:
            self.rows.scrollToBottom()

    def _copy(self) -> None:
        copied(self._diagnostics())
        self.copy.setText("Copied")
        self._said.start(_SAID)

    def _copy_lines(self) -> None:
        copied("\n".join(_text(item) for item in self.rows.selectedItems()))


def _text(item: QTreeWidgetItem) -> str:
    return "  ".join(item.text(column) for column in range(4))
