"""Packs: what there are, which one plays, and going over to another while it plays on.

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
    """One as `/packs/info` tells: frames a second, seconds of a block, megabytes on disk.

    `trouble` says what is wrong with it, `verdict` what `attacca bench` found on the engine's
    machine; either may be empty.
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
        """What was measured, or how to measure it."""
        return self.verdict or f"not measured here: run \N{LEFT SINGLE QUOTATION MARK}attacca " \
            f"bench {self.name}\N{RIGHT SINGLE QUOTATION MARK}"  # fmt: skip


class Packs(QObject):
    """The packs of the engine that answers.

    Attributes
    ----------
    packs : as listed last.
    is_listing : whether the engine lists them now.
    loading : the one that is being loaded, by name; "" when none is.
    progress : how far that is, 0 to 1.
    problem : why the last one could not be loaded, the engine's line; "" when it could.
    """

    changed = pyqtSignal()
    loaded = pyqtSignal(str)  # a name that was chosen here

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
        """The name of the pack that plays; "" where no engine is."""
        return self._figures.text("pack")

    @property
    def title(self) -> str:
        """The title of the pack that plays, or its name where it is not listed."""
        titles = {p.name: p.title for p in self.packs}
        return titles.get(self.current) or self.current

    def list(self) -> None:
        """Ask for them anew."""
        if not self.is_listing and self._send("/packs/list"):
            self.is_listing = True
            self._coming.clear()
            self.changed.emit()

    def load(self, name: str) -> None:
        """Go over to another."""
        if not self.loading and name != self.current and self._send("/packs/load", name):
            self.loading, self.progress, self.problem = name, 0.0, ""
            self.changed.emit()

    # ------------------------------------------------------------------ the engine

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was about packs."""
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
        """An engine answers, or none does."""
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
        self._send("/status")  # what plays now is shown at once
        if name and not problem:
            self.loaded.emit(name)
        self.changed.emit()

    def _look(self) -> None:
        if self.current != self._shown:
            self._shown = self.current
            self.changed.emit()


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _pack(told: tuple[object, ...]) -> Pack:
    name, title, version, licence = map(str, told[:4])
    rate, channels, block, size = map(_number, told[4:8])
    return Pack(
        name, title, version, licence, int(rate), int(channels), block, size, str(told[8]),
        str(told[9]),
    )  # fmt: skip
