"""A fixed line of the layout for messages: nothing else moves when they come and go.

Of several messages the most urgent one is shown. One that takes more room than the line lies over
what is below, for as long as it is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QSize, pyqtSignal
from PyQt6.QtGui import QMoveEvent, QResizeEvent
from PyQt6.QtWidgets import QFrame, QSizePolicy, QWidget

__all__ = ["Message", "MessageSlot"]


class Message(QFrame):
    """A message for the line. A subclass calls `set_urgency` whenever it changes.

    Attributes
    ----------
    urgency : of the current message; 0 without one.
    """

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.urgency = 0
        self.setAutoFillBackground(True)
        self.hide()

    def set_urgency(self, urgency: int) -> None:
        """Set the urgency."""
        self.urgency = urgency
        self.changed.emit()


class MessageSlot(QWidget):
    """The line.

    Parameters
    ----------
    messages : for this line; the first one of the same urgency is shown.
    height : of the line, in pixels.
    """

    def __init__(
        self, messages: Sequence[Message], height: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._messages = list(messages)
        self._height = height
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for message in self._messages:
            message.changed.connect(self._place)

    def add(self, message: Message) -> None:
        """Add a message."""
        self._messages.append(message)
        message.changed.connect(self._place)
        self._place()

    @property
    def shown(self) -> Message | None:
        """The message that is shown."""
        most = max(self._messages, key=lambda m: m.urgency)
        return most if most.urgency else None

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(100, self._height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802, D102
        return self.sizeHint()

    def moveEvent(self, a0: QMoveEvent | None) -> None:  # noqa: N802, D102
        self._place()

    def resizeEvent(self, a0: QResizeEvent | None) -> None:  # noqa: N802, D102
        self._place()

    def event(self, a0: QEvent | None) -> bool:  # noqa: D102
        event = a0
        done = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._place()
        return done

    def _place(self) -> None:
        """Place the message over the line, and over more if it is higher."""
        page, shown = self.parentWidget(), self.shown
        if page is None:
            return
        for message in self._messages:
            if message.parentWidget() is not page:
                message.setParent(page)
            if message is not shown:
                message.hide()
        if shown is not None:
            height = max(self._height, shown.heightForWidth(self.width()))
            shown.setGeometry(self.x(), self.y(), self.width(), height)
            shown.show()
            shown.raise_()
