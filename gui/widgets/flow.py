"""A layout that sets widgets side by side and begins a new row where the window ends."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRect, QSize, Qt
from PyQt6.QtWidgets import QLayout, QLayoutItem, QWidget

__all__ = ["FlowLayout"]


class FlowLayout(QLayout):
    """Rows from the left; all of a row are as high as its highest, and share what is left over."""

    def __init__(self, parent: QWidget | None = None, spacing: int = 8) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem | None) -> None:  # noqa: N802, D102
        if item is not None:
            self._items.append(item)

    def count(self) -> int:  # noqa: D102
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802, D102
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802, D102
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802, D102
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:  # noqa: N802, D102
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802, D102
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:  # noqa: N802, D102
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return self.minimumSize()

    def minimumSize(self) -> QSize:  # noqa: N802, D102
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _rows(self, width: int) -> list[list[QLayoutItem]]:
        rows: list[list[QLayoutItem]] = [[]]
        used = 0
        for item in self._items:
            wide = item.sizeHint().width()
            if rows[-1] and used + wide > width:
                rows.append([])
                used = 0
            rows[-1].append(item)
            used += wide + self.spacing()
        return [row for row in rows if row]

    def _place(self, rect: QRect, *, move: bool) -> int:
        left, top, right, bottom = self.getContentsMargins()
        inner = rect.adjusted(left or 0, top or 0, -(right or 0), -(bottom or 0))
        y = inner.y()
        for row in self._rows(inner.width()):
            height = max(item.sizeHint().height() for item in row)
            if move:
                self._place_row(row, QRect(inner.x(), y, inner.width(), height))
            y += height + self.spacing()
        return y - self.spacing() - rect.y() + (bottom or 0)

    def _place_row(self, row: list[QLayoutItem], rect: QRect) -> None:
        widths = [item.sizeHint().width() for item in row]
        spare = rect.width() - sum(widths) - self.spacing() * (len(row) - 1)
        x = rect.x()
        for i, (item, wide) in enumerate(zip(row, widths, strict=True)):
            more = spare * (i + 1) // len(row) - spare * i // len(row)
            item.setGeometry(QRect(QPoint(x, rect.y()), QSize(wide + more, rect.height())))
            x += wide + more + self.spacing()
