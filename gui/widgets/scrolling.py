"""A page that scrolls: its widgets do not change when the wheel scrolls them under the pointer.

Turning the wheel over a knob turns the knob. But a page that scrolls moves knobs under a pointer
that rests, so a wheel that scrolls a page goes on scrolling it, until the pointer has
moved and the wheel has rested. Qt's main thread.
"""

from __future__ import annotations

import time

from PyQt6.QtCore import QPoint
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QFrame, QScrollArea, QWidget

__all__ = ["ScrollPage", "is_passing"]

_REST = 0.4  # seconds without the wheel until the next turn counts as a new one
_NEAR = 6  # pixels that the pointer may move in a resting hand


class ScrollPage(QScrollArea):
    """Scrolls one widget."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._now = time.monotonic  # a test replaces this clock
        self._at, self._place = -_REST, QPoint()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def wheelEvent(self, a0: QWheelEvent | None) -> None:  # noqa: N802, D102
        event = a0
        bar = self.verticalScrollBar()
        if event is not None and bar is not None and bar.maximum() > 0:
            self._note(event)
        super().wheelEvent(event)

    def is_passing(self, event: QWheelEvent) -> bool:
        """Whether a turn of the wheel over a part of the page continues to scroll it."""
        moved = (event.globalPosition().toPoint() - self._place).manhattanLength() > _NEAR
        return not moved or self._now() - self._at < _REST

    def _note(self, event: QWheelEvent) -> None:
        self._at, self._place = self._now(), event.globalPosition().toPoint()


def is_passing(part: QWidget, event: QWheelEvent) -> bool:
    """Whether the wheel over `part` scrolls the page that it lies on."""
    page = part.parentWidget()
    while page is not None and not isinstance(page, ScrollPage):
        page = page.parentWidget()
    return page is not None and page.is_passing(event)
