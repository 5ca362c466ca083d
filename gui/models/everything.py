"""The models of one engine together: made in order, fed in turn, told when it comes and goes.

`EngineModels.take` gives a message to the first model that it is about; refusals also go to the
log, but for those that are an answer and no news. Qt's main thread.
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
from gui.models.punches import Punches
from gui.models.transport import Transport

__all__ = ["EngineModels"]

Send = Callable[..., bool]
_QUIET = ("/undo", "/redo", "/midi/mappings")


class EngineModels(QObject):
    """All of them.

    Parameters
    ----------
    send : sends a message.
    turn : the same for what turns a control.
    now : seconds of a clock that only goes on.
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
        self.punches = Punches(now, self)
        self.midi = MidiMap(send, self.figures, self)
        self.log = Log(parent=self)
        self._in_turn = (
            self.controls, self.figures, self.meters, self.transport, self.presets, self.moments,
            self.history,
            self.punches, self.midi,
        )  # fmt: skip

    def take(self, address: str, arguments: tuple[object, ...]) -> None:
        """A message of the engine.

        Raises
        ------
        AttaccaError, ValueError
            It says what no model understands: an engine of another version, say.
        """
        taken = any(model.take(address, arguments) for model in self._in_turn)
        if address == "/error":
            if arguments and arguments[0] not in _QUIET:
                self.log.take(address, arguments)
        elif not taken:
            self.log.take(address, arguments)

    def take_opened(self) -> None:
        """An engine answers."""
        self.presets.take_connected(True)
        self.moments.take_connected(True)
        self.history.take_connected(True)
        self.transport.take_connected(True)

    def take_lost(self) -> None:
        """It is gone."""
        for model in (self.controls, self.figures, self.meters, self.punches, self.midi):
            model.take_lost()
        for other in (self.presets, self.moments, self.history, self.transport):
            other.take_connected(False)
