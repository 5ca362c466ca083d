"""A layout that places widgets in rows and starts a new row at the right edge.

An item that is too wide, and can be higher instead (another flow), wraps.
"""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRect, QSize, Qt
from PyQt6.QtWidgets import QLayout, QLayoutItem, QWidget

__all__ = ["FlowLayout"]


class FlowLayout(QLayout):
    """Rows from the left; all items of a row have the height of the highest.

    Parameters
    ----------
    spacing : pixels between two.
    fill : whether the items of a row share the remaining space; otherwise it stays empty.
    """

    def __init__(
        self, parent: QWidget | None = None, spacing: int = 8, *, fill: bool = True
    ) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._fill = fill
        self.setSpacing(spacing)

    def addItem(self, a0: QLayoutItem | None) -> None:  # noqa: N802, D102
        if a0 is not None:
            self._items.append(a0)

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

    def heightForWidth(self, a0: int) -> int:  # noqa: N802, D102
        return self._place(QRect(0, 0, a0, 0), move=False)

    def setGeometry(self, a0: QRect) -> None:  # noqa: N802, D102
        super().setGeometry(a0)
        self._place(a0, move=True)

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        margins = self.contentsMargins()
        sizes = [item.sizeHint() for item in self._shown()]
        wide = sum(s.width() for s in sizes) + self.spacing() * max(0, len(sizes) - 1)
        wide += margins.left() + margins.right()
        return QSize(wide, self.heightForWidth(wide))

    def minimumSize(self) -> QSize:  # noqa: N802, D102
        size = QSize()
        for item in self._shown():
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _rows(self, width: int) -> list[list[tuple[QLayoutItem, QSize]]]:
        rows: list[list[tuple[QLayoutItem, QSize]]] = [[]]
        used = 0
        for item in self._shown():
            size = _size(item, width)
            if rows[-1] and used + size.width() > width:
                rows.append([])
                used = 0
            rows[-1].append((item, size))
            used += size.width() + self.spacing()
        return [row for row in rows if row]

    def _place(self, rect: QRect, *, move: bool) -> int:
        left, top, right, bottom = self.getContentsMargins()
        inner = rect.adjusted(left or 0, top or 0, -(right or 0), -(bottom or 0))
        y = inner.y()
        for row in self._rows(inner.width()):
            height = max(size.height() for _, size in row)
            if move:
                self._place_row(row, QRect(inner.x(), y, inner.width(), height))
            y += height + self.spacing()
        return y - self.spacing() - rect.y() + (bottom or 0)

    def _place_row(self, row: list[tuple[QLayoutItem, QSize]], rect: QRect) -> None:
        wide = sum(size.width() for _, size in row)
        spare = rect.width() - wide - self.spacing() * (len(row) - 1) if self._fill else 0
        x = rect.x()
        for i, (item, size) in enumerate(row):
            more = spare * (i + 1) // len(row) - spare * i // len(row)
            item.setGeometry(
                QRect(QPoint(x, rect.y()), QSize(size.width() + more, rect.height()))
            )  # fmt: skip
            x += size.width() + more + self.spacing()


def _size(item: QLayoutItem, room: int) -> QSize:
    """The preferred size, or a narrower and higher one that fits."""
    size = item.sizeHint()
    if size.width() <= room or not item.hasHeightForWidth():
        return size
    return QSize(room, item.heightForWidth(room))
