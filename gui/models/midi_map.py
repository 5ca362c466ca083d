"""MIDI mappings and learning. The engine keeps the mappings.

`learning` is the address that waits for a controller to move, as in `/status/midi/learning`, also
if another client started it. Without MIDI in the engine `is_there` is False. Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures

__all__ = ["MidiMap"]


class MidiMap(QObject):
    """The mappings of the connected engine.

    Attributes
    ----------
    is_there : whether the engine has MIDI; true once it has sent its mappings.
    learning : the address that waits to be learned; "" for none.
    mappings : the name of the controller for each address.
    """

    changed = pyqtSignal()

    def __init__(
        self, send: Callable[..., bool], figures: Figures, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._send, self._figures = send, figures
        self.is_there = False
        self.learning = ""
        self.mappings: Mapping[str, str] = {}
        self._coming: dict[str, str] = {}
        self._requested = False
        figures.changed.connect(self._look)

    def learn(self, path: str) -> None:
        """Map the next controller that moves to an address; "" cancels."""
        self._send("/midi/learn", path)

    def forget(self, path: str) -> None:
        """Remove the mapping of an address."""
        self._send("/midi/forget", path)
        self._send("/midi/mappings")

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about mappings."""
        if address == "/event" and arguments[:1] == ("midi",) and self.is_there:
            self._send("/midi/mappings")  # the mode of a controller may have changed
            return False
        if address == "/midi/learn" and len(arguments) == 1:
            self._set_learning(str(arguments[0]))
        elif address == "/midi/mapping" and len(arguments) == 2:
            self._coming[str(arguments[0])] = str(arguments[1])
        elif address == "/midi/mappings/end":
            self.mappings, self._coming = self._coming, {}
            self.is_there = True
            self.changed.emit()
        else:
            refused = address == "/error" and arguments[:1] == ("/midi/mappings",)
            return refused or address == "/midi/forget"
        return True

    def take_lost(self) -> None:
        """The connection is lost."""
        self.mappings, self._coming = {}, {}
        self._requested = self.is_there = False
        self._set_learning("")
        self.changed.emit()

    def _look(self) -> None:
        if self._figures["midi/in"] is not None and not self._requested:
            self._requested = True
            self._send("/midi/mappings")
        path = self._figures["midi/learning"]
        if isinstance(path, str) and path != self.learning:
            self._set_learning(path)

    def _set_learning(self, path: str) -> None:
        if path == self.learning:
            return
        if self.learning and not path:  # learned or cancelled
            self._send("/midi/mappings")
        self.learning = path
        self.changed.emit()
