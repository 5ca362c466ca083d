"""Entries of menus. Qt's main thread."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu

__all__ = ["add_entry"]


def add_entry(menu: QMenu, text: str, act: Callable[[], object] | None) -> QAction:
    """Append an entry that calls `act` when it is chosen; without `act` it is greyed out."""
    action = QAction(text, menu)
    if act is None:
        action.setEnabled(False)
    else:
        action.triggered.connect(lambda: act())
    menu.addAction(action)
    return action
