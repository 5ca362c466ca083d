"""Sound devices: the list, the current one, and changing it.

The engine searches for devices and opens them. If a change fails, the current device keeps playing
and the error is kept here. Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures

__all__ = ["NONE", "Device", "Devices"]

NONE = "none"  # the name of no device


@dataclass(frozen=True)
class Device:
    """A device as in `/device/info`: rate in Hz, lowest latency in ms."""

    name: str
    host_api: str
    channels: int
    rate: int
    latency_ms: float
    is_default: bool

    @property
    def label(self) -> str:
        """The name in `/device/select` and `/status/device`; a name may be in two APIs."""
        return f"{self.name} ({self.host_api})"


class Devices(QObject):
    """The devices of the connected engine.

    Attributes
    ----------
    devices : result of the last search.
    is_looking : whether the engine is searching.
    has_looked : whether it has searched since it was connected.
    changing : the device that is being opened; "" if none.
    problem : the engine's error of the last change or search; "" if it succeeded.
    """

    changed = pyqtSignal()
    selected = pyqtSignal(str)  # the device chosen here plays: its label, or `none`

    def __init__(
        self, send: Callable[..., bool], figures: Figures, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._send, self._figures = send, figures
        self.devices: tuple[Device, ...] = ()
        self.is_looking, self.changing, self.problem = False, "", ""
        self.has_looked = False
        self._coming: list[Device] = []
        self._after: Callable[[], None] | None = None
        self._shown = ""
        figures.changed.connect(self._look)

    @property
    def current(self) -> str:
        """The label of the current device, `none`, or "" without an engine."""
        return self._figures.text("device")

    def is_current(self, device: Device) -> bool:
        """Whether it is the current device."""
        return self.current.casefold() in (device.label.casefold(), device.name.casefold())

    def groups(self) -> dict[str, list[Device]]:
        """The devices by host API, the one of the default device first."""
        found: dict[str, list[Device]] = {}
        for device in sorted(self.devices, key=lambda d: not d.is_default):
            found.setdefault(device.host_api, []).append(device)
        return found

    def find(self) -> None:
        """Let the engine search again."""
        if not self.is_looking and self._send("/device/list"):
            self.is_looking, self.has_looked, self.problem = True, True, ""
            self._coming.clear()
            self.changed.emit()

    def select(self, label: str, after: Callable[[], None] | None = None) -> None:
        """Change to a device, or to `none`; `after` is called when it plays."""
        if not self.changing and self._send("/device/select", label):
            self.changing, self.problem, self._after = label, "", after
            self.changed.emit()

    # ------------------------------------------------------------------ the engine

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about devices."""
        about = str(arguments[0]) if arguments else ""
        if address == "/device/info" and len(arguments) == 6:
            self._coming.append(_device(arguments))
        elif address == "/device/list/end":
            self.devices, self._coming = tuple(self._coming), []
            self.is_looking = False
            self.changed.emit()
        elif address in ("/done", "/error") and about == "/device/select":
            self._end_change("" if address == "/done" else str(arguments[-1]))
        elif address == "/error" and about == "/device/list":
            self.is_looking, self.problem = False, str(arguments[-1])
            self.changed.emit()
        else:
            return False
        return True

    def take_connected(self, connected: bool) -> None:
        """The connection is open, or lost."""
        self.is_looking, self.changing, self._after = False, "", None
        self.has_looked = False
        self._coming.clear()
        if not connected:
            self.devices, self.problem = (), ""
        self.changed.emit()

    def _end_change(self, problem: str) -> None:
        label, after = self.changing, self._after
        self.changing, self.problem, self._after = "", problem, None
        self._send("/status")  # show the current device at once
        if label and not problem:
            self.selected.emit(label)
            if after is not None:
                after()
        self.changed.emit()

    def _look(self) -> None:
        if self.current != self._shown:
            self._shown = self.current
            self.changed.emit()


def _device(arguments: tuple[object, ...]) -> Device:
    channels, rate, latency, default = (
        float(a) if isinstance(a, (int, float)) else 0.0 for a in arguments[2:]
    )
    return Device(
        str(arguments[0]), str(arguments[1]), int(channels), int(rate), latency, bool(default)
    )  # fmt: skip
