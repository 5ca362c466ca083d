"""Closing the window: asks while a take runs, hides at once, and lets the engine end behind it."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, Qt, QTimer
from PyQt6.QtWidgets import QMessageBox, QWidget

from gui.models.home import shortened
from gui.session import Session

__all__ = ["Closing"]

_LIMIT = 2_000  # ms that the end of a take may take before the window parts without it


class Closing(QObject):
    """What happens between the wish to close and the end.

    Parameters
    ----------
    window : closed.
    session : its engine.
    leave : whether the engine is left playing.
    part : called once, when the window may be hidden and the session ended, with `leave`.
    """

    def __init__(
        self, window: QWidget, session: Session, leave: Callable[[], bool],
        part: Callable[[bool], None],
    ) -> None:  # fmt: skip
        super().__init__(window)
        self._window, self._session, self._leave, self._part = window, session, leave, part
        self.question: QMessageBox | None = None
        self.is_closing = False

    def ask(self) -> None:
        """Close, after a question where a take runs."""
        if self._session.transport.is_recording:
            self._ask_about_take()
        else:
            self.begin()

    def begin(self, *, leave: bool = False) -> None:
        """Close without a question; `leave` has the engine play on in any case."""
        if not self.is_closing:
            self.is_closing = True
            self._part(leave or self._leave())

    def _ask_about_take(self) -> None:
        if self.question is not None:
            self.question.raise_()
            return
        transport = self._session.transport
        box = self.question = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Close Attacca")
        box.setText("A take is being recorded.")
        box.setInformativeText(shortened(transport.recording))
        end = box.addButton("End the take and close", QMessageBox.ButtonRole.AcceptRole)
        keep = box.addButton("Close and keep recording", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def finished() -> None:
            clicked, self.question = box.clickedButton(), None
            if clicked is end:
                self._end_take()
            elif clicked is keep:
                self.begin(leave=True)

        box.finished.connect(finished)
        box.open()

    def _end_take(self) -> None:
        """End the take, then close; the window is out of sight meanwhile."""
        transport = self._session.transport
        self._window.hide()
        limit = QTimer(self)
        limit.setSingleShot(True)
        limit.timeout.connect(self.begin)
        limit.start(_LIMIT)
        transport.changed.connect(lambda: None if transport.is_recording else self.begin())
        if transport.is_recording:
            transport.record(False)
        else:  # it has ended while the question stood there
            self.begin()
