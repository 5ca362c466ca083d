"""Models of all controls that the engine describes.

The session calls `ControlModels.take`. Widgets find their `ControlModel` by name or iterate over
`groups()`, and rebuild themselves on `table_changed`, since another pack has other controls. Until
an engine has described its controls, they are those of the shipped pack. Qt's main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from engine.controls.control import Control, Value
from engine.controls.shipped_table import SHIPPED_TABLE
from engine.controls.table import ControlTable
from gui.models.control import FRAME, ControlModel, Send
from osc.descriptions import described

__all__ = ["ControlModels"]


class ControlModels(QObject):
    """All controls of the table, and their parts.

    Parameters
    ----------
    send : sends a message, `send(address, *arguments)`.
    now : monotonic clock in seconds.
    """

    table_changed = pyqtSignal()
    changed = pyqtSignal()  # any control

    def __init__(
        self, send: Send, now: Callable[[], float] = time.monotonic, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._send, self._now = send, now
        self.table = ControlTable()
        self._by_name: dict[str, ControlModel] = {}
        self._elsewhere: dict[str, ControlModel] = {}  # controls of other packs
        self._by_path: dict[str, ControlModel] = {}
        self._described: list[Control] = []
        self._timer = QTimer(self)
        self._timer.setInterval(round(1000 * FRAME))
        self._timer.timeout.connect(self._tick)
        self._move_to(SHIPPED_TABLE)

    def __iter__(self) -> Iterator[ControlModel]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> ControlModel:
        return self._by_name[self.table[name].name]

    def __contains__(self, name: str) -> bool:
        return name in self.table

    def groups(self) -> dict[str, list[ControlModel]]:
        """The controls by their group, in the order of the table."""
        return {g: [c for c in self if c.control.group == g] for g in self.table.groups}

    def parts(self, model: ControlModel) -> list[ControlModel]:
        """The parts of a control."""
        return [self._by_name[part.name] for part in model.control.parts]

    def values(self) -> dict[str, Value]:
        """The shown value of every known control, by name."""
        return {c.control.name: c.value for c in self._wholes() if c.is_known}

    def reported(self) -> dict[str, Value]:
        """The engine's last value of every control that presets hold, by name."""
        return {
            c.control.name: c.reported for c in self._wholes()
            if c.control.in_presets and c.reported is not None
        }  # fmt: skip

    def restore(self, values: Mapping[str, Value]) -> None:
        """Set the controls that the pack has to earlier values."""
        for name, value in values.items():
            control = self._by_name.get(name)
            if control is not None:
                control.set(value)

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about a control.

        Raises
        ------
        ConfigError
            The message describes a control that cannot be shown.
        """
        path, _, last = address.rpartition("/")
        if address in self._by_path and arguments:
            self._by_path[address].take_value(*arguments)
        elif last == "pending" and path in self._by_path and len(arguments) >= 2:
            self._by_path[path].take_pending(float(str(arguments[-1])))
        elif address == "/controls/info" and len(arguments) == 2:
            self._described.append(described(str(arguments[1])))
        elif address == "/controls/end":
            found, self._described = self._described, []
            # else part of it came before the subscription
            if arguments and arguments[0] == len(found):
                self._move_to(ControlTable(tuple(found)))
        elif address == "/error" and arguments and arguments[0] in self._by_path:
            self._by_path[str(arguments[0])].take_refusal()
        else:
            return False
        return True

    def take_lost(self) -> None:
        """The engine is gone."""
        self._described.clear()
        for control in self:
            control.take_lost()

    def _wholes(self) -> Iterator[ControlModel]:
        return (c for c in self if not c.control.part_of)

    def _move_to(self, table: ControlTable) -> None:
        """Use another table; controls that are the same keep their model."""
        before = dict(self._by_name)
        models: dict[str, ControlModel] = {}
        kept: list[tuple[ControlModel, Control]] = []
        for control in table.with_parts:
            model = before.pop(control.name, None) or self._elsewhere.pop(control.name, None)
            if model is not None and _looks_alike(model.control, control):
                kept.append((model, control))
            else:
                model = ControlModel(control, self._send, self._now, self)
                model.changed.connect(self._wake)
            models[control.name] = model
        is_new = len(kept) < len(models)
        self.table, self._by_name = table, models
        self._by_path = {c.path: c for c in self}
        for model, control in kept:  # listeners find all the others in place
            model.take_control(control)
        if is_new or before:
            self.table_changed.emit()
        self._elsewhere.update(before)

    def _wake(self) -> None:
        self.changed.emit()
        if not self._timer.isActive():
            self._timer.start()

    def _tick(self) -> None:
        """Called 60 times a second while something changes."""
        for control in self:
            control.flush()
        if not any(c.is_busy for c in self):
            self._timer.stop()


def _looks_alike(one: Control, other: Control) -> bool:
    """Whether the same widgets can show both."""
    return replace(
        one, default=other.default, about=other.about, graph_input="", codes=(), length=0
    ) == replace(other, graph_input="", codes=(), length=0)
