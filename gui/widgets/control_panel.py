"""Every control that the engine describes, group by group."""

from __future__ import annotations

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QGroupBox, QWidget

from gui.models.control import ControlModel
from gui.models.controls import ControlModels
from gui.models.midi_map import MidiMap
from gui.widgets.control_cell import ControlCell
from gui.widgets.flow import FlowLayout
from gui.widgets.scrolling import ScrollPage

__all__ = ["ControlPanel"]

_TICK = 100  # ms between two updates of pending times
_ELSEWHERE = {"pause"}  # shown by the transport


class ControlPanel(ScrollPage):
    """The groups in rows, as many as fit in a row."""

    rebuilt = pyqtSignal()  # the cells were rebuilt

    def __init__(
        self, controls: ControlModels, midi: MidiMap, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.cells: dict[str, ControlCell] = {}
        self._controls, self._midi = controls, midi
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # a click beside a field leaves the field
        self._build()
        controls.table_changed.connect(self._build)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._timer.start(_TICK)

    def _build(self) -> None:
        """Build the cells of the current controls."""
        self.cells = {}
        inside = QWidget()
        flow = FlowLayout(inside)
        flow.setContentsMargins(8, 0, 8, 4)
        for group, models in self._controls.groups().items():
            shown = [m for m in models if self._is_shown(m)]
            if shown:
                flow.addWidget(self._group(group.capitalize(), shown))
        before = self.takeWidget()
        self.setWidget(inside)
        if before is not None:
            # Deleted with the panel: this may run in one of its own signals.
            before.hide()
            before.setParent(self)
        self.rebuilt.emit()

    def _is_shown(self, model: ControlModel) -> bool:
        """Pitch classes are shown by their parts, and the transport's controls elsewhere."""
        return model.control.name not in _ELSEWHERE and not self._controls.parts(model)

    def _group(self, title: str, models: list[ControlModel]) -> QGroupBox:
        box = QGroupBox(title)
        row = FlowLayout(box, 0)
        row.setContentsMargins(4, 2, 4, 2)
        for model in models:
            cell = ControlCell(model, self._midi, narrow=bool(model.control.part_of))
            self.cells[model.control.name] = cell
            row.addWidget(cell)
        return box

    def _tick(self) -> None:
        """Count down pending times."""
        if self.isVisible():
            for cell in self.cells.values():
                if cell.model.pending_seconds is not None:
                    cell.refresh()
