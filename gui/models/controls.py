"""All controls of the table, and what the engine says of them.

`ControlModels.take` is fed by the session; widgets take their `ControlModel` by its name, or walk
`groups()`. Qt's main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from PyQt6.QtCore import QObject, QTimer

from engine.params import GROUPS, PARAMS, Value
from gui.models.control import FRAME, ControlModel, Send
from osc.values import to_osc

__all__ = ["ControlModels"]


class ControlModels(QObject):
    """All controls of the table.

    Parameters
    ----------
    send : sends a message, `send(address, *arguments)`.
    now : seconds of a clock that only goes on.
    """

    def __init__(
        self, send: Send, now: Callable[[], float] = time.monotonic, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._by_name = {p.name: ControlModel(p, send, now, self) for p in PARAMS}
        self._by_path = {c.path: c for c in self}
        self._hears: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setInterval(round(1000 * FRAME))
        self._timer.timeout.connect(self._tick)
        for control in self:
            control.changed.connect(self._wake)

    def __iter__(self) -> Iterator[ControlModel]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> ControlModel:
        return self._by_name[name]

    def groups(self) -> dict[str, list[ControlModel]]:
        """The controls by their group, in the order of the table."""
        found = {g: [c for c in self if c.param.group == g] for g in GROUPS}
        return {g: controls for g, controls in found.items() if controls}

    def values(self) -> dict[str, Value]:
        """What every control shows that the engine has told a value of, by name."""
        return {c.param.name: c.value for c in self if c.is_known}

    def reported(self) -> dict[str, Value]:
        """What the engine said last of every control that a preset keeps, by name."""
        return {
            c.param.name: c.reported for c in self if c.param.in_presets and c.reported is not None
        }  # fmt: skip

    def restore(self, values: Mapping[str, Value]) -> None:
        """Turn controls to what they were, those that the pack hears."""
        for name, value in values.items():
            control = self._by_name.get(name)
            if control is not None and control.is_heard:
                control.set(to_osc(control.param, value))

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was about a control."""
        path, _, last = address.rpartition("/")
        if address in self._by_path and arguments:
            self._by_path[address].take_value(arguments[0])
        elif last == "pending" and path in self._by_path and len(arguments) == 2:
            self._by_path[path].take_pending(float(str(arguments[1])))
        elif address == "/hears" and len(arguments) == 2:
            self._hears.add(str(arguments[0]))
            if control := self._by_path.get(str(arguments[0])):
                control.take_default(arguments[1])
        elif address == "/hears/end":
            for control in self:
                if control.path not in self._hears:
                    control.take_unheard()
            self._hears.clear()
        elif address == "/error" and arguments and arguments[0] in self._by_path:
            self._by_path[str(arguments[0])].take_refusal()
        else:
            return False
        return True

    def take_lost(self) -> None:
        """The engine is gone."""
        self._hears.clear()
        for control in self:
            control.take_lost()

    def _wake(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _tick(self) -> None:
        """60 times a second while something is under way."""
        for control in self:
            control.flush()
        if not any(c.is_busy for c in self):
            self._timer.stop()
