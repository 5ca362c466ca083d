"""The figures of `/status` as they were told last, by their names below `/status/`.

Contract: `figures["load"]` is None until the engine has told it (an older engine may never);
`changed` comes once a polling, not once a figure. Qt's main thread.
"""

from __future__ import annotations

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

__all__ = ["Figures"]

Figure = float | int | str
_PREFIX = "/status/"


class Figures(QObject):
    """All figures; read-only but for `take`."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Figure] = {}
        # A polling is answered in several bundles; whoever listens looks once.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.changed)

    def __getitem__(self, name: str) -> Figure | None:
        return self._values.get(name)

    def all(self) -> dict[str, Figure]:
        """Every figure that has been told."""
        return dict(self._values)

    def number(self, name: str, otherwise: float = 0.0) -> float:
        """A figure that is a number; `otherwise` where it is not told."""
        value = self._values.get(name)
        return float(value) if isinstance(value, (int, float)) else otherwise

    def text(self, name: str) -> str:
        """A figure that is text; nothing where it is not told."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was a figure."""
        if not address.startswith(_PREFIX) or len(arguments) != 1:
            return False
        if isinstance(arguments[0], (int, float, str)):
            self._values[address.removeprefix(_PREFIX)] = arguments[0]
            if not self._soon.isActive():
                self._soon.start(0)
        return True

    def take_lost(self) -> None:
        """The engine is gone, and what it told with it."""
        self._values.clear()
        self._soon.start(0)
