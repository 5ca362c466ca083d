"""Closing the window: asks if a recording runs, hides at once, and ends the engine afterwards."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, Qt, QTimer
from PyQt6.QtWidgets import QMessageBox, QWidget

from gui.models.home_paths import shortened
from gui.session import Session

__all__ = ["Closing"]

_LIMIT = 2_000  # ms to wait for the end of a recording


class Closing(QObject):
    """The steps of closing.

    Parameters
    ----------
    window : to close.
    session : with its engine.
    leave : returns whether the engine keeps playing.
    part : called once with `leave`, to hide the window and end the session.
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
        """Close, after a question if a recording runs."""
        if self._session.transport.is_recording:
            self._ask_about_recording()
        else:
            self.begin()

    def begin(self, *, leave: bool = False) -> None:
        """Close without a question; with `leave` the engine keeps playing in any case."""
        if not self.is_closing:
            self.is_closing = True
            self._part(leave or self._leave())

    def _ask_about_recording(self) -> None:
        if self.question is not None:
            self.question.raise_()
            return
        transport = self._session.transport
        box = self.question = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Close Attacca")
        box.setText("A recording is running.")
        box.setInformativeText(shortened(transport.recording))
        end = box.addButton("Stop recording and close", QMessageBox.ButtonRole.AcceptRole)
        keep = box.addButton("Close and keep recording", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def finished() -> None:
            clicked, self.question = box.clickedButton(), None
            if clicked is end:
                self._end_recording()
            elif clicked is keep:
                self.begin(leave=True)

        box.finished.connect(finished)
        box.open()

    def _end_recording(self) -> None:
        """Hide the window, end the recording, then close."""
        transport = self._session.transport
        self._window.hide()
        limit = QTimer(self)
        limit.setSingleShot(True)
        limit.timeout.connect(self.begin)
        limit.start(_LIMIT)
        transport.changed.connect(lambda: None if transport.is_recording else self.begin())
        if transport.is_recording:
            transport.record(False)
        else:  # it has ended meanwhile
            self.begin()
