"""The models of the views (picture, devices, packs, activity), connected to the session.

One object per session. The device and pack chosen here are also used for the engine's next start.
Qt's main thread.
"""

from __future__ import annotations

from PyQt6.QtCore import QObject

from gui.models.activity import Activity
from gui.models.devices import NONE, Devices
from gui.models.packs import Packs
from gui.models.picture import Picture
from gui.session import Session
from gui.settings import Settings

__all__ = ["Wiring"]

_PLAYHEAD = 10.0  # Hz; the clock fills in between
_PICTURE = ("/picture", "/picture/clear", "/block", "/playhead", "/spectrum/bands")
_DEVICES = ("/device/info", "/device/list/end", "/done", "/error")
_PACKS = ("/packs/info", "/packs/list/end", "/progress", "/done", "/error")


class Wiring(QObject):
    """Models of one session.

    Parameters
    ----------
    settings : stores the chosen device and pack.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__(session)
        self._session, self._settings = session, settings
        self.picture = Picture(parent=self)
        self.devices = Devices(session.send, session.figures, self)
        self.packs = Packs(session.send, session.figures, self)
        self.activity = Activity(session.figures, lambda: session.connection.sent, parent=self)
        for model, addresses in (
            (self.picture, _PICTURE), (self.devices, _DEVICES), (self.packs, _PACKS),
        ):  # fmt: skip
            for address in addresses:
                session.route(address, lambda arguments, m=model, a=address: m.take(a, arguments))
        session.stream("/picture", 1)
        session.stream("/blocks", 1)
        session.stream("/playhead", _PLAYHEAD)
        session.connection.opened.connect(self._opened)
        session.connection.closed.connect(self._closed)
        self.devices.selected.connect(lambda label: self._keep("device", label))
        self.packs.loaded.connect(lambda name: self._keep("pack", name))
        self._pack = ""
        session.figures.changed.connect(self._look_at_pack)
        if session.connection.is_open:
            self._opened()

    def _opened(self) -> None:
        self.devices.take_connected(True)
        self.packs.take_connected(True)

    def _look_at_pack(self) -> None:
        """Another pack may have another rate, and the picture other bands."""
        pack = self._session.figures.text("pack")
        if pack and pack != self._pack:
            self._pack = pack
            self._session.send("/spectrum/bands")

    def _closed(self, _: str) -> None:
        self._pack = ""
        self.picture.take_lost()
        self.activity.forget()
        self.devices.take_connected(False)
        self.packs.take_connected(False)

    def _keep(self, option: str, value: str) -> None:
        """Use a device or pack for later starts of the engine."""
        engine = self._session.engine
        if engine is None:
            return
        if value != NONE:  # "no device" is not stored
            self._settings.keep_option(option, value)
        flag, options = f"--{option}", engine.options
        if flag in options:
            options[options.index(flag) + 1] = value
        else:
            options += [flag, value]
