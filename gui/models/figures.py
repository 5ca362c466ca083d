"""The latest values of `/status`, by their names below `/status/`.

Contract: `figures["load"]` is None until the engine has sent it (an older engine may never);
`changed` is emitted once per poll, not once per value. Qt's main thread.
"""

from __future__ import annotations

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

__all__ = ["Figures"]

Figure = float | int | str
_PREFIX = "/status/"


class Figures(QObject):
    """All values; read-only except for `take`."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Figure] = {}
        # A poll is answered in several bundles; listeners are called once.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.changed)

    def __getitem__(self, name: str) -> Figure | None:
        return self._values.get(name)

    def all(self) -> dict[str, Figure]:
        """Every value received so far."""
        return dict(self._values)

    def number(self, name: str, otherwise: float = 0.0) -> float:
        """A value that is a number; `otherwise` if it is unknown."""
        value = self._values.get(name)
        return float(value) if isinstance(value, (int, float)) else otherwise

    def text(self, name: str) -> str:
        """A value that is text; "" if it is unknown."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was a status value."""
        if not address.startswith(_PREFIX) or len(arguments) != 1:
            return False
        if isinstance(arguments[0], (int, float, str)):
            self._values[address.removeprefix(_PREFIX)] = arguments[0]
            if not self._soon.isActive():
                self._soon.start(0)
        return True

    def take_lost(self) -> None:
        """The connection is lost: forget all values."""
        self._values.clear()
        self._soon.start(0)
