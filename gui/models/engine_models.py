"""All models of one engine, which receive its messages and the state of the connection.

`EngineModels.take` passes a message to the first model that handles it; errors also go to the log,
except those that are expected answers. Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject

from gui.models.controls import ControlModels
from gui.models.figures import Figures
from gui.models.history import History
from gui.models.log import Log
from gui.models.meters import Meters
from gui.models.midi_map import MidiMap
from gui.models.moments import Moments
from gui.models.presets import Presets
from gui.models.quantised_actions import QuantisedActions
from gui.models.transport import Transport

__all__ = ["EngineModels"]

Send = Callable[..., bool]
_QUIET = ("/undo", "/redo", "/midi/mappings")


class EngineModels(QObject):
    """The models.

    Parameters
    ----------
    send : sends a message.
    turn : the same, for changes of controls.
    now : monotonic clock in seconds.
    """

    def __init__(
        self, send: Send, turn: Send, now: Callable[[], float], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.controls = ControlModels(turn, now, self)
        self.figures = Figures(self)
        self.transport = Transport(send, self.controls, self.figures, self)
        self.meters = Meters(now, self)
        self.presets = Presets(send, self.controls.reported, self)
        self.controls.changed.connect(self.presets.look)
        self.moments = Moments(send, self.figures, self)
        self.history = History(send, self)
        self.quantised_actions = QuantisedActions(now, self)
        self.midi = MidiMap(send, self.figures, self)
        self.log = Log(parent=self)
        self._in_turn = (
            self.controls, self.figures, self.meters, self.transport, self.presets, self.moments,
            self.history, self.quantised_actions, self.midi,
        )  # fmt: skip

    def take(self, address: str, arguments: tuple[object, ...]) -> None:
        """Handle a message.

        Raises
        ------
        AttaccaError, ValueError
            The message cannot be parsed: the engine has another version, for instance.
        """
        taken = any(model.take(address, arguments) for model in self._in_turn)
        if address == "/error":
            if arguments and arguments[0] not in _QUIET:
                self.log.take(address, arguments)
        elif not taken:
            self.log.take(address, arguments)

    def take_opened(self) -> None:
        """The connection is open."""
        self.presets.take_connected(True)
        self.moments.take_connected(True)
        self.history.take_connected(True)
        self.transport.take_connected(True)

    def take_lost(self) -> None:
        """The connection is lost."""
        for model in (self.controls, self.figures, self.meters, self.quantised_actions, self.midi):
            model.take_lost()
        for other in (self.presets, self.moments, self.history, self.transport):
            other.take_connected(False)
