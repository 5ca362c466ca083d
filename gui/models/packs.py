"""Packs: the list, the current one, and changing it while the music plays.

Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.figures import Figures

__all__ = ["Pack", "Packs"]


@dataclass(frozen=True)
class Pack:
    """A pack as in `/packs/info`: rate in Hz, seconds per block, megabytes on disk.

    `trouble`: what is wrong with it; `verdict`: the result of `attacca bench` on the engine's
    machine; both may be empty.
    """

    name: str
    title: str
    version: str
    licence: str
    rate: int
    channels: int
    block_seconds: float
    megabytes: float
    trouble: str
    verdict: str

    @property
    def verdict_text(self) -> str:
        """The measured result, or how to measure."""
        return self.verdict or f"not measured here: run \N{LEFT SINGLE QUOTATION MARK}attacca " \
            f"bench {self.name}\N{RIGHT SINGLE QUOTATION MARK}"  # fmt: skip


class Packs(QObject):
    """The packs of the connected engine.

    Attributes
    ----------
    packs : the last list.
    is_listing : whether the engine is listing packs.
    loading : name of the pack that is being loaded; "" if none.
    progress : of loading, 0 to 1.
    problem : the engine's error of the last load; "" if it succeeded.
    """

    changed = pyqtSignal()
    loaded = pyqtSignal(str)  # a pack chosen here

    def __init__(
        self, send: Callable[..., bool], figures: Figures, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._send, self._figures = send, figures
        self.packs: tuple[Pack, ...] = ()
        self.is_listing, self.loading, self.progress, self.problem = False, "", 0.0, ""
        self._coming: list[Pack] = []
        self._shown = ""
        figures.changed.connect(self._look)

    @property
    def current(self) -> str:
        """The name of the current pack; "" without an engine."""
        return self._figures.text("pack")

    @property
    def title(self) -> str:
        """The title of the current pack, or its name if it is not in the list."""
        titles = {p.name: p.title for p in self.packs}
        return titles.get(self.current) or self.current

    def list(self) -> None:
        """Request the list again."""
        if not self.is_listing and self._send("/packs/list"):
            self.is_listing = True
            self._coming.clear()
            self.changed.emit()

    def load(self, name: str) -> None:
        """Change to another pack."""
        if not self.loading and name != self.current and self._send("/packs/load", name):
            self.loading, self.progress, self.problem = name, 0.0, ""
            self.changed.emit()

    # ------------------------------------------------------------------ the engine

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about packs."""
        about = str(arguments[0]) if arguments else ""
        if address == "/packs/info" and len(arguments) == 10:
            self._coming.append(_pack(arguments))
        elif address == "/packs/list/end":
            self.packs, self._coming = tuple(self._coming), []
            self.is_listing = False
            self.changed.emit()
        elif address == "/progress" and about == "/packs/load" and len(arguments) == 2:
            self.progress = min(max(_number(arguments[1]), 0.0), 1.0)
            self.changed.emit()
        elif address in ("/done", "/error") and about == "/packs/load":
            self._end(str(arguments[-1]) if address == "/error" else "")
        elif address == "/error" and about == "/packs/list":
            self.is_listing, self.problem = False, str(arguments[-1])
            self.changed.emit()
        else:
            return False
        return True

    def take_connected(self, connected: bool) -> None:
        """The connection is open, or lost."""
        self.is_listing, self.loading, self.progress = False, "", 0.0
        self._coming.clear()
        if connected:
            self.list()
        else:
            self.packs, self.problem = (), ""
        self.changed.emit()

    def _end(self, problem: str) -> None:
        name = self.loading
        self.loading, self.progress, self.problem = "", 0.0, problem
        self._send("/status")  # show the current pack at once
        if name and not problem:
            self.loaded.emit(name)
        self.changed.emit()

    def _look(self) -> None:
        if self.current != self._shown:
            self._shown = self.current
            self.changed.emit()


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _pack(arguments: tuple[object, ...]) -> Pack:
    name, title, version, licence = map(str, arguments[:4])
    rate, channels, block, size = map(_number, arguments[4:8])
    return Pack(
        name, title, version, licence, int(rate), int(channels), block, size, str(arguments[8]),
        str(arguments[9]),
    )  # fmt: skip
