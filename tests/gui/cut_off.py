"""Which texts of a window have less room than they take."""

from __future__ import annotations

from PyQt6.QtWidgets import QAbstractButton, QLabel, QSizePolicy

from gui.main_window import MainWindow
from gui.widgets.entry import Entry

__all__ = ["cut_off"]


def cut_off(window: MainWindow) -> list[str]:
    """The texts, but for those that are shortened on purpose, with a tool tip for the rest."""
    ignored = QSizePolicy.Policy.Ignored
    cut = [
        label.text()
        for label in window.findChildren(QLabel)
        if label.isVisible() and not label.wordWrap()
        and label.sizePolicy().horizontalPolicy() != ignored
        and label.sizeHint().width() > label.width() + 1
    ]  # fmt: skip
    cut += [
        button.text()
        for button in window.findChildren(QAbstractButton)
        if button.isVisible() and button.minimumSizeHint().width() > button.width() + 1
    ]
    cut += [
        field.text()
        for field in window.findChildren(Entry)
        if field.isVisible()
        and field.fontMetrics().horizontalAdvance(field.text()) > field.width() - 6
    ]
    return cut
