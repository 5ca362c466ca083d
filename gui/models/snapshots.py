"""Snapshots: their names, and two of them to compare. The engine keeps the files.

A and B are snapshots of two names of their own. Going to the other keeps the controls as they are
under the one, then recalls the other; the first time, both are the same. Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

__all__ = ["SLOTS", "Snapshots"]

SLOTS = {"A": "compare A", "B": "compare B"}


class Snapshots(QObject):
    """The snapshots of the engine that answers.

    Attributes
    ----------
    names : those of a performer, without A and B.
    current : the one recalled or saved last; "" once a control was turned since.
    slot : `A` or `B`, the one that is heard.
    waiting : what was asked for and is not done yet, a name; "" otherwise.
    """

    changed = pyqtSignal()

    def __init__(self, send: Callable[..., bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._send = send
        self.names: tuple[str, ...] = ()
        self.current = self.waiting = ""
        self.slot = "A"
        self._kept: set[str] = set()  # slots that hold something

    def save(self, name: str) -> None:
        """Keep all controls under a name."""
        self._ask("/snapshot/save", name)

    def recall(self, name: str) -> None:
        """Set all controls as kept under a name."""
        self._ask("/snapshot/recall", name)

    def delete(self, name: str) -> None:
        """Forget one."""
        self._ask("/snapshot/delete", name)

    def refresh(self) -> None:
        """Ask for the names."""
        self._send("/snapshot/list")

    def compare(self, slot: str) -> None:
        """Go to A or B; where one is, it is kept first."""
        if slot == self.slot or not self._send("/snapshot/save", SLOTS[self.slot]):
            return
        self._kept.add(self.slot)
        # The engine does one after the other, so the first is kept before the other is heard.
        self._send("/snapshot/recall" if slot in self._kept else "/snapshot/save", SLOTS[slot])
        self._kept.add(slot)
        self.slot = slot
        self.changed.emit()

    def note_change(self) -> None:
        """A control was turned: it is not the snapshot any more."""
        if self.current:
            self.current = ""
            self.changed.emit()

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was about snapshots."""
        if address == "/snapshot/list":
            self.names = tuple(n for a in arguments if (n := str(a)) not in SLOTS.values())
            self.changed.emit()
            return True
        about = str(arguments[0]) if arguments else ""
        if address not in ("/done", "/error") or not about.startswith("/snapshot/"):
            return False
        self.waiting = ""
        if address == "/done" and about != "/snapshot/list":
            self._done(about, str(arguments[-1]))
        self.changed.emit()
        return True

    def take_connected(self, connected: bool) -> None:
        """An engine answers, or none does. A and B begin anew."""
        self.current = self.waiting = ""
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
        if about == "/snapshot/delete":
            self.current = "" if self.current == name else self.current
        elif name not in SLOTS.values():
            self.current = name
        if about != "/snapshot/recall":
            self.refresh()
