"""Large buttons for presets, on pages, so that each button keeps its place."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.session import Session

__all__ = ["PresetPages"]

_COLUMNS, _ROWS = 4, 3
_PAGE = _COLUMNS * _ROWS
_LEAST, _MOST, _TURN = 48, 88, 48  # pixels of height


class PresetPages(QWidget):
    """Recalls presets, in the order of the model, twelve on a page."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._presets = session, session.presets
        self.page = 0
        self.buttons: list[QPushButton] = []
        self.back, self.on = (
            QPushButton("\N{BLACK LEFT-POINTING TRIANGLE}"),
            QPushButton("\N{BLACK RIGHT-POINTING TRIANGLE}"),
        )
        self.place = QLabel()
        self.place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._none = QLabel("No presets yet. Save one in the normal view; it then appears here.")
        self._none.setObjectName("dim")
        self._none.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._none)
        column.addLayout(self._grid(), 1)
        column.addLayout(self._page_buttons())
        self._presets.changed.connect(self.refresh)
        session.transport.changed.connect(self.refresh)
        self.refresh()

    @property
    def pages(self) -> int:
        """The number of pages, at least one."""
        return max(1, -(-len(self._presets.names) // _PAGE))

    def refresh(self) -> None:
        """Show the presets of the current page."""
        presets, there = self._presets, self._session.transport.is_connected
        self.page = min(self.page, self.pages - 1)
        names = presets.names[self.page * _PAGE :][:_PAGE]
        for i, button in enumerate(self.buttons):
            name = names[i] if i < len(names) else ""
            current = bool(name) and name == presets.current
            button.setVisible(bool(name))
            button.setChecked(current and not presets.is_changed)
            button.setEnabled(there)
            changed = current and presets.is_changed
            button.setAccessibleName(f"{name}, changed" if changed else name)
            button.setToolTip(f"Recall all controls saved as {name}")
            button.setText(self._elided(button, f"* {name}" if changed else name))
        self._none.setVisible(not presets.names)
        for part in (self.back, self.place, self.on):
            part.setVisible(self.pages > 1)
        self.place.setText(f"{self.page + 1} of {self.pages}")
        self.back.setEnabled(self.page > 0)
        self.on.setEnabled(self.page < self.pages - 1)

    def turn(self, pages: int) -> None:
        """Go forward or back by a number of pages."""
        self.page = min(max(self.page + pages, 0), self.pages - 1)
        self.refresh()

    def resizeEvent(self, a0: QResizeEvent | None) -> None:  # noqa: N802, D102
        super().resizeEvent(a0)
        self.refresh()

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(10)
        for i in range(_PAGE):
            button = QPushButton()
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
            button.setMinimumHeight(_LEAST)
            button.setMaximumHeight(_MOST)
            button.clicked.connect(lambda _, i=i: self._recall(i))
            grid.addWidget(button, i // _COLUMNS, i % _COLUMNS)
            self.buttons.append(button)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        for row in range(_ROWS):
            grid.setRowMinimumHeight(row, _LEAST)  # also if a page has fewer
            grid.setRowStretch(row, 8)
        grid.setRowStretch(_ROWS, 1)
        return grid

    def _page_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for button, name, pages in (
            (self.back, "Previous presets", -1), (self.on, "More presets", 1),
        ):  # fmt: skip
            button.setMinimumSize(2 * _TURN, _TURN)
            button.setAccessibleName(name)
            button.setToolTip(name)
            button.clicked.connect(lambda _, n=pages: self.turn(n))
        row.addStretch(1)
        for part in (self.back, self.place, self.on):
            row.addWidget(part)
        row.addStretch(1)
        return row

    def _recall(self, i: int) -> None:
        names = self._presets.names[self.page * _PAGE :]
        if i < len(names):
            self._presets.recall(names[i])
        self.refresh()  # a click must not check it before the engine has recalled it

    @staticmethod
    def _elided(button: QPushButton, text: str) -> str:
        room = max(20, button.width() - 28)
        return button.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideRight, room
        ).replace("&", "&&")  # fmt: skip
