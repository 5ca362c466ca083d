"""Presets: their names, and two of them to compare. The engine keeps the files.

A and B are presets of two names of their own. Going to the other keeps the controls as they are
under the one, then recalls the other; the first time, both are the same. Qt's main thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from PyQt6.QtCore import QObject, pyqtSignal

from engine.controls.control import Value
from gui.models.natural_order import in_natural_order

__all__ = ["SLOTS", "Presets"]

SLOTS = {"A": "compare A", "B": "compare B"}


class Presets(QObject):
    """The presets of the connected engine.

    Parameters
    ----------
    send : sends a message.
    values : returns the last reported controls, by name.

    Attributes
    ----------
    names : without A and B, in natural order.
    current : the last one recalled or saved here, while it exists; or "".
    is_changed : whether the controls differ from `current`.
    slot : `A` or `B`, the one in use.
    waiting : name of the preset of a command that is not done yet; or "".
    """

    changed = pyqtSignal()

    def __init__(
        self, send: Callable[..., bool], values: Callable[[], Mapping[str, Value]],
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._send, self._values = send, values
        self._as_kept: Mapping[str, Value] = {}  # the controls of `current`
        self._as_sent: Mapping[str, Value] = {}  # those that were saved last
        self.is_changed = False
        self.names: tuple[str, ...] = ()
        self.current = self.waiting = ""
        self.slot = "A"
        self._kept: set[str] = set()  # slots in use

    def save(self, name: str) -> None:
        """Save all controls under a name."""
        self._as_sent = dict(self._values())
        self._ask("/preset/save", name)

    def recall(self, name: str) -> None:
        """Recall all controls saved under a name."""
        self._ask("/preset/recall", name)

    def delete(self, name: str) -> None:
        """Delete a preset."""
        self._ask("/preset/delete", name)

    def refresh(self) -> None:
        """Request the names."""
        self._send("/preset/list")

    def compare(self, slot: str) -> None:
        """Switch to A or B; first save the current one."""
        if slot == self.slot or not self._send("/preset/save", SLOTS[self.slot]):
            return
        self._kept.add(self.slot)
        # The engine works in order, so the first is saved before the other is recalled.
        self._send("/preset/recall" if slot in self._kept else "/preset/save", SLOTS[slot])
        self._kept.add(slot)
        self.slot = slot
        self.changed.emit()

    def look(self) -> None:
        """Check whether the controls have changed."""
        changed = bool(self.current) and not _alike(self._values(), self._as_kept)
        if changed != self.is_changed:
            self.is_changed = changed
            self.changed.emit()

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about presets."""
        if address == "/preset/list":
            self.names = in_natural_order(
                n for a in arguments if (n := str(a)) not in SLOTS.values()
            )  # fmt: skip
            if self.current not in self.names:  # it was deleted
                self._set_current("")
            self.changed.emit()
            return True
        about = str(arguments[0]) if arguments else ""
        if address not in ("/done", "/error") or not about.startswith("/preset/"):
            return False
        self.waiting = ""
        if address == "/done" and about != "/preset/list":
            self._done(about, str(arguments[-1]))
        self.changed.emit()
        return True

    def take_connected(self, connected: bool) -> None:
        """The connection is open, or lost. Reset A and B."""
        self._set_current("")
        self.waiting = ""
        self._kept.clear()
        self.slot = "A"
        if connected:
            self.refresh()
        else:
            self.names = ()
        self.changed.emit()

    def _ask(self, address: str, name: str) -> None:
        if self._send(address, name):
            self.waiting = name
            self.changed.emit()

    def _done(self, about: str, name: str) -> None:
        if about == "/preset/delete":
            self.names = tuple(n for n in self.names if n != name)
            self._set_current("" if self.current == name else self.current)
        elif name not in SLOTS.values():
            self.names = in_natural_order({*self.names, name})
            self._set_current(name)
            if about == "/preset/save":  # a control may have been turned since
                self._as_kept = self._as_sent

    def _set_current(self, name: str) -> None:
        """Make a preset the current one."""
        self.current, self.is_changed = name, False
        self._as_kept = dict(self._values()) if name else {}


def _alike(one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    """Whether they are equal within the precision of float32."""
    return one.keys() == other.keys() and all(
        math.isclose(value, twin, rel_tol=1e-5, abs_tol=1e-5)
        if isinstance(value, float) and isinstance(twin := other[name], float)
        else value == other[name]
        for name, value in one.items()
    )  # fmt: skip
