"""One control: its name, a knob or another widget, its value, and when it applies.

The lowest line says `live` or `block`, and `in 1.2 s` until a block control applies. A right click,
or the menu key, shows the default, the OSC address, and MIDI learn if the engine has MIDI.
"""

from __future__ import annotations

import random

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QFontMetrics, QGuiApplication
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.models.control import ControlModel
from gui.models.midi_map import MidiMap
from gui.widgets.choice_list import ChoiceList
from gui.widgets.entry import Entry
from gui.widgets.fader import Fader
from gui.widgets.knob import Knob
from gui.widgets.menus import add_entry

__all__ = ["ControlCell", "waiting_text"]

_WIDE, _NARROW = 84, 46  # pixels, at least
_TEXT = 320  # pixels of a field for words
_LONGEST_TEXT = 2_000  # characters
_TOP = 58  # pixels of height above the entry, so that all entries are in one line
_MOST_TURNS = 100_000  # a wider range is typed, without a knob


def waiting_text(model: ControlModel) -> str:
    """When the shown value applies, in a word or two."""
    pending = model.pending_seconds
    if pending is None:
        return model.control.when
    return f"in {pending:.1f} s" if pending else "waiting"


class ControlCell(QWidget):
    """A control of any kind.

    Parameters
    ----------
    model : shown.
    midi : the MIDI mappings.
    narrow : a slider in a narrow column instead of a knob, for rows of the same kind.
    """

    def __init__(
        self, model: ControlModel, midi: MidiMap, *, narrow: bool = False,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.model, self._midi = model, midi
        self._narrow = narrow
        self.parts: list[QWidget] = []  # widgets in the order of the Tab key
        self._waiting = QLabel()
        self._waiting.setObjectName("dim")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        small = self.font()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        self._waiting.setFont(small)
        name = QLabel(model.name)
        name.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 2, 3, 2)
        layout.setSpacing(3)
        layout.addWidget(name)
        top, entry = self._parts()
        layout.addWidget(self._placed(top, _TOP))
        layout.addWidget(self._placed(entry, Entry(model).sizeHint().height()))
        layout.addStretch(1)
        layout.addWidget(self._waiting)
        # Wide enough for its longest line, whatever the font.
        least = max(
            QFontMetrics(small).horizontalAdvance("waiting"),
            QFontMetrics(self.font()).horizontalAdvance(model.name),
        )
        self.setMinimumWidth(max(_NARROW if narrow else _WIDE, least + 8))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)
        model.changed.connect(self.refresh)
        midi.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the model holds; also called as time passes, while something is pending."""
        learning = self._midi.learning == self.model.path
        text = "move it" if learning else waiting_text(self.model)
        if self._waiting.text() != text:
            self._waiting.setText(text)
        lines = [self.model.control.about, self.model.path]
        if learning:
            lines.append("Move the MIDI controller for this control.")
        elif self.model.path in self._midi.mappings:
            lines.append(f"MIDI: {self._midi.mappings[self.model.path]}")
        if self.toolTip() != (tip := "\n".join(lines)):
            self.setToolTip(tip)

    # ------------------------------------------------------------------ parts

    def _placed(self, part: QWidget | None, height: int) -> QWidget:
        """A part in the middle of a field of a height, so that cells are alike."""
        field = QWidget()
        field.setFixedHeight(height)
        row = QHBoxLayout(field)
        row.setContentsMargins(0, 0, 0, 0)
        if part is not None:
            self._describe(part)
            self.parts.append(part)
            row.addWidget(part, 0, Qt.AlignmentFlag.AlignCenter)
        return field

    def _parts(self) -> tuple[QWidget, QWidget | None]:
        """The widget that changes it, and the entry for typing."""
        kind, control = self.model.control.kind, self.model.control
        if kind == "choice":
            return Choice(self.model), None
        if kind == "switch":
            return Switch(self.model), None
        if kind == "action":
            return Action(self.model), None
        entry = Entry(self.model)
        if not control.has_position:  # a text, chords, keys
            entry.setFixedWidth(_TEXT)
            entry.setAlignment(Qt.AlignmentFlag.AlignLeft)
            entry.setMaxLength(_LONGEST_TEXT)
            entry.setPlaceholderText(control.span())
            return entry, None
        entry.setFixedWidth((_NARROW if self._narrow else _WIDE) - 6)
        if self._narrow:
            return Fader(self.model, _TOP), entry
        if control.high - control.low > _MOST_TURNS:
            another = QPushButton("Random")
            another.setToolTip("Choose a random seed")
            another.clicked.connect(lambda: self.model.set(random.randint(1, 999_999)))
            another.setEnabled(self.model.is_enabled)
            self._another = another
            self.model.changed.connect(self._enable_another)  # a method: it ends with the cell
            return another, entry
        return Knob(self.model), entry

    def _enable_another(self) -> None:
        self._another.setEnabled(self.model.is_enabled)

    def _describe(self, part: QWidget) -> None:
        control = self.model.control
        whole = control.part_of.rpartition("/")[2].replace("_", " ").capitalize()
        what = f"{whole} " if whole else ""
        unit = f", {control.unit}" if control.unit else ""
        part.setAccessibleName(f"{what}{self.model.name}{unit}")
        part.setAccessibleDescription(f"{control.about} {control.span()}. {control.when} control.")

    def _menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        model = self.model
        add_entry(menu, "Back to the default", model.reset if model.is_enabled else None)
        if model.control.free:
            add_entry(menu, "Let the music decide (free)", model.free)
        menu.addSeparator()
        self._midi_entries(menu)
        add_entry(menu, f"Copy the OSC address {model.path}", self._copy)
        menu.popup(self.mapToGlobal(at))

    def _midi_entries(self, menu: QMenu) -> None:
        midi, path = self._midi, self.model.path
        if not self.model.control.has_position:
            return
        if not midi.is_there:
            add_entry(menu, "MIDI is not available", None)
        elif midi.learning == path:
            add_entry(menu, "Cancel MIDI learn", lambda: midi.learn(""))
        else:
            add_entry(menu, "Learn MIDI: move a controller next", lambda: midi.learn(path))
        if path in midi.mappings:
            text = f"Remove MIDI mapping ({midi.mappings[path]})"
            add_entry(menu, text, lambda: midi.forget(path))

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.model.path)


class Choice(ChoiceList):
    """One of several names."""

    def __init__(self, model: ControlModel, parent: QWidget | None = None) -> None:
        super().__init__(model.name, parent)
        self._model = model
        self.addItems([c.replace("_", " ") for c in model.control.choices])
        self.setFixedWidth(_WIDE - 6)
        self.setMinimumContentsLength(4)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.activated.connect(model.set)
        model.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the model holds."""
        self.setCurrentIndex(self._model.control.choices.index(str(self._model.value)))
        self.setEnabled(self._model.is_enabled)


class Action(QPushButton):
    """Does something once, with the next block."""

    def __init__(self, model: ControlModel, parent: QWidget | None = None) -> None:
        super().__init__(model.name, parent)
        self._model = model
        self.setFixedWidth(_WIDE - 6)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.clicked.connect(lambda: model.set(1))
        model.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show whether it is enabled."""
        self.setEnabled(self._model.is_enabled)


class Switch(QPushButton):
    """On or off, in a word."""

    def __init__(self, model: ControlModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.setCheckable(True)
        self.setFixedWidth(52)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.clicked.connect(self._turn)
        model.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the model holds."""
        self.setChecked(bool(self._model.value))
        self.setText(self._model.text)
        self.setEnabled(self._model.is_enabled)

    def _turn(self, on: bool) -> None:
        self._model.set(int(on))
        self.refresh()
