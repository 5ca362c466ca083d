"""A button whose menu takes snapshots, returns to them, goes back and forks."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QToolButton, QWidget

from gui.session import Session

__all__ = ["MomentsButton", "reach_text"]


def reach_text(seconds: float) -> str:
    """How far back the history reaches, for people.

    >>> reach_text(75.4)
    'The music can go back 1:15'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"The music can go back {minutes}:{rest:02}"


class MomentsButton(QToolButton):
    """Its menu lists the snapshots; opening it requests their names again."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._moments = session.moments
        self._names: tuple[str, ...] | None = None  # in the menu
        self._reach: QAction | None = None
        self.setText("Snapshots")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(36)
        menu = QMenu(self)
        menu.aboutToShow.connect(self._moments.refresh)
        self.setMenu(menu)
        self._moments.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what there is to return to."""
        moments = self._moments
        self.setEnabled(moments.is_connected)
        reach = reach_text(moments.history)
        self.setToolTip(
            "Moments of the music with their controls: take one (Ctrl+T), return to the last one "
            f"(Ctrl+L), go back a bar (Ctrl+Left), fork. {reach}."
        )
        menu = self.menu()
        assert menu is not None
        if self._names != moments.names:
            self._fill(menu)
        assert self._reach is not None
        self._reach.setText(reach)

    def _fill(self, menu: QMenu) -> None:
        moments = self._moments
        self._names = moments.names
        menu.clear()
        _add(menu, "Take a snapshot", moments.take_snapshot)
        _add(menu, "Return to the last one", moments.recall).setEnabled(bool(moments.names))
        for title, act in (("Return to", moments.recall), ("Delete", moments.delete)):
            names = menu.addMenu(title)
            assert names is not None
            names.setEnabled(bool(moments.names))
            for name in moments.names:
                _add(names, name.replace("&", "&&"), lambda n=name, a=act: a(n))
        menu.addSeparator()
        for title, measure in (("a beat", "beats"), ("a bar", "bars"), ("a block", "blocks")):
            _add(menu, f"Go back {title}", lambda m=measure: moments.go_back(m))
        _add(menu, "Fork: continue with the next seed", moments.fork)
        menu.addSeparator()
        self._reach = _add(menu, "", moments.refresh)
        self._reach.setEnabled(False)


def _add(menu: QMenu, text: str, act: Callable[[], object]) -> QAction:
    action = menu.addAction(text)
    assert action is not None
    action.triggered.connect(lambda _: act())
    return action
