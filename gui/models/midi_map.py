"""Which MIDI controller moves which control, and learning it. The engine keeps the mappings.

`learning` is the path that waits for a controller to be moved, as `/status/midi/learning` tells it,
whoever asked. Without MIDI in the engine `is_there` is False, and nothing is offered. Qt's main
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures

__all__ = ["MidiMap"]


class MidiMap(QObject):
    """The mappings of the engine that answers.

    Attributes
    ----------
    is_there : whether the engine has MIDI: it has, once it has told its mappings.
    learning : the path that a controller is awaited for; "" for none.
    mappings : by path, the controller in words.
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
        self._asked = False
        figures.changed.connect(self._look)

    def learn(self, path: str) -> None:
        """Have the controller that moves next move a control; "" waits for none."""
        self._send("/midi/learn", path)

    def forget(self, path: str) -> None:
        """Have no controller move it."""
        self._send("/midi/forget", path)
        self._send("/midi/mappings")

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was about mappings."""
        if address == "/event" and arguments[:1] == ("midi",) and self.is_there:
            self._send("/midi/mappings")  # a controller may be read in another way now
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
        """The engine is gone."""
        self.mappings, self._coming = {}, {}
        self._asked = self.is_there = False
        self._set_learning("")
        self.changed.emit()

    def _look(self) -> None:
        if self._figures["midi/in"] is not None and not self._asked:
            self._asked = True
            self._send("/midi/mappings")
        told = self._figures["midi/learning"]
        if isinstance(told, str) and told != self.learning:
            self._set_learning(told)

    def _set_learning(self, path: str) -> None:
        if path == self.learning:
            return
        if self.learning and not path:  # something was learnt, or it was given up
            self._send("/midi/mappings")
        self.learning = path
        self.changed.emit()
