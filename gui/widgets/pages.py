"""Pages with tabs: the wheel over a tab does not change the page."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QTabBar, QTabWidget, QWidget

__all__ = ["Pages"]


class Pages(QTabWidget):
    """Its tabs receive the focus; the widget around them does not, or Tab would return to them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        bar = _Tabs()
        bar.setAccessibleName("Pages")
        self.setTabBar(bar)
        self.setDocumentMode(True)
        self.setFocusProxy(None)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)


class _Tabs(QTabBar):
    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        if event is not None:
            event.ignore()
