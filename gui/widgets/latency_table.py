"""A popup with the parts of the latency of a control, in milliseconds and samples."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from gui.models.figures import Figures

__all__ = ["LatencyTable"]

# Values below `latency/`; `making` is the rest of the total.
_PARTS = {
    "device": ("Sound device", "reported by the device"),
    "ring": ("Output ring", "audio that waits for the device; it bridges busy moments"),
    "mixer": ("Mixer", "the look-ahead of the limiter"),
    "live": ("Live control", "gain and pause are audible after this time"),
    "lead": ("Lead", "audio that is ready when the next block is requested"),
    "making": ("Block", "generation of the block with the change"),
    "block": ("Block control, at worst", "all other controls are audible after this time"),
}
_SUMS = ("live", "block")


class LatencyTable(QFrame):
    """Shown below its button; Escape or a click elsewhere closes it."""

    def __init__(self, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._figures = figures
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName("Latency by parts")
        self.cells: dict[str, tuple[QLabel, QLabel]] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 10, 14, 10)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(5)
        for column, title in enumerate(("", "ms", "samples", "")):
            grid.addWidget(_label(title, dim=True, right=column in (1, 2)), 0, column)
        for row, (part, (name, about)) in enumerate(_PARTS.items(), 1):
            strong = part in _SUMS
            cells = self.cells[part] = (
                _label("", right=True, strong=strong),
                _label("", right=True, strong=strong),
            )
            grid.addWidget(_label(name, strong=strong), row, 0)
            grid.addWidget(cells[0], row, 1)
            grid.addWidget(cells[1], row, 2)
            grid.addWidget(_label(about, dim=True), row, 3)
        figures.changed.connect(self._look)
        self.refresh()

    def refresh(self) -> None:
        """Show the current values."""
        rate = self._figures.number("rate")
        for part, (ms, samples) in self.cells.items():
            value = self._value(part)
            ms.setText(f"{value:,.1f}")
            samples.setText(f"{value * rate / 1000:,.0f}" if rate else "\N{EN DASH}")

    def _value(self, part: str) -> float:
        if part == "making":
            return self._reported("block") - self._reported("live") - self._reported("lead")
        return self._reported(part)

    def _reported(self, part: str) -> float:
        return self._figures.number(f"latency/{part}")

    def _look(self) -> None:
        if self.isVisible():
            self.refresh()


def _label(
    text: str, *, dim: bool = False, right: bool = False, strong: bool = False
) -> QLabel:  # fmt: skip
    label = QLabel(text)
    label.setObjectName("dim" if dim else "strong" if strong else "")
    if right:
        label.setAlignment(Qt.AlignmentFlag.AlignRight)
    return label
