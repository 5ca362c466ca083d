"""Presets: recall one by its name, save, replace, delete, and compare A with B."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from gui.models.presets import SLOTS
from gui.session import Session
from gui.widgets.choice_list import ChoiceList
from gui.widgets.menus import add_entry

__all__ = ["PresetBar", "compare_buttons"]


def compare_buttons(session: Session) -> dict[str, QPushButton]:
    """The buttons A and B; the one in use is checked."""
    presets = session.presets
    buttons: dict[str, QPushButton] = {}
    for slot in SLOTS:
        button = buttons[slot] = QPushButton(slot)
        button.setCheckable(True)
        button.setFixedWidth(36)
        button.setAccessibleName(f"Compare {slot}")
        button.setToolTip(
            f"Use the controls as they are under {slot}; the current ones are kept under the other "
            f"(Ctrl+B)"
        )
        button.clicked.connect(lambda _, s=slot: go(s))

    def go(slot: str) -> None:
        presets.compare(slot)
        refresh()  # a click on the checked one must not uncheck it

    # No QButtonGroup: the Tab key would reach only the checked one.
    def refresh() -> None:
        for slot, button in buttons.items():
            button.setChecked(slot == presets.slot)
            button.setEnabled(session.transport.is_connected)

    presets.changed.connect(refresh)
    session.transport.changed.connect(refresh)
    refresh()
    return buttons


class PresetBar(QWidget):
    """The bar, in one row."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._presets = session, session.presets
        self.names = _Names(self._presets.refresh)
        self.names.setToolTip(
            "Recall all controls saved under a name; * means that a control has changed since"
        )
        self.names.setPlaceholderText("no preset")
        self.names.setMinimumWidth(140)
        self.names.setMaximumWidth(240)
        self.names.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.names.setSizeAdjustPolicy(
            ChoiceList.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.names.activated.connect(lambda i: self._presets.recall(self.names.itemData(i)))
        self.save = QToolButton()
        self.save.setText("Save\N{HORIZONTAL ELLIPSIS}")
        self.save.setToolTip("Save all controls under a name, or delete one (Ctrl+S)")
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.save.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        menu = QMenu(self)
        text = "Save under a new name\N{HORIZONTAL ELLIPSIS}"
        self.save_as = add_entry(menu, text, self.ask_and_save)
        self.save_over = add_entry(menu, "", lambda: self._replace(self._presets.current))
        self.delete = add_entry(menu, "", lambda: self._delete(self._presets.current))
        menu.aboutToShow.connect(self._name_entries)
        self.save.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.names)
        row.addWidget(self.save)
        row.addSpacing(6)
        self.compare = compare_buttons(session)
        for part in self.compare.values():
            row.addWidget(part)
        for part in (self.names, self.save, *self.compare.values()):
            part.setFixedHeight(36)
        self._presets.changed.connect(self.refresh)
        session.transport.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the names, the current one, and whether it has changed."""
        there, presets = self._session.transport.is_connected, self._presets
        if self.names.shown() != presets.names:
            self.names.clear()
            for name in presets.names:
                self.names.addItem(name, name)
        for i, name in enumerate(presets.names):
            changed = name == presets.current and presets.is_changed
            text = f"* {name}" if changed else name
            if self.names.itemText(i) != text:
                self.names.setItemText(i, text)
        place = self.names.findData(presets.current) if presets.current else -1
        self.names.setCurrentIndex(place)
        self.names.setEnabled(there and bool(presets.names))
        self.save.setEnabled(there)

    # ------------------------------------------------------------------ saving

    def ask_and_save(self) -> None:
        """Ask for a name, without blocking the window, and save under it."""
        self._ask_name(self._free_name())

    def _ask_name(self, proposed: str) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Save a preset")
        dialog.setLabelText("Name of the preset of all controls:")
        dialog.setTextValue(proposed)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(self._save)
        dialog.open()

    def _save(self, typed: str) -> None:
        name = unicodedata.normalize("NFC", typed.strip())
        if name in self._presets.names:
            self._replace(name, lambda: self._ask_name(name))
        elif name:
            self._presets.save(name)

    def _replace(self, name: str, otherwise: Callable[[], None] | None = None) -> None:
        self._confirm(
            f"Replace the preset {_quoted(name)}?",
            "It will hold the current controls. The controls saved under this name are lost.",
            "Replace", lambda: self._presets.save(name), otherwise,
        )  # fmt: skip

    def _delete(self, name: str) -> None:
        self._confirm(
            f"Delete the preset {_quoted(name)}?", "This cannot be undone.",
            "Delete", lambda: self._presets.delete(name),
        )  # fmt: skip

    def _confirm(
        self, question: str, more: str, yes: str, act: Callable[[], None],
        otherwise: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """Ask for confirmation, without blocking the window."""
        box = QMessageBox(QMessageBox.Icon.Question, "Presets", question, parent=self)
        box.setInformativeText(more)
        button = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def finished() -> None:
            if box.clickedButton() is button:
                act()
            elif otherwise is not None:
                otherwise()

        box.finished.connect(finished)
        box.open()

    def _free_name(self) -> str:
        numbers = (f"Preset {i}" for i in range(1, 10_001))
        return next((name for name in numbers if name not in self._presets.names), "")

    def _name_entries(self) -> None:
        name = self._presets.current
        self.save_over.setText(f"Save over {_quoted(name)}\N{HORIZONTAL ELLIPSIS}")
        self.delete.setText(f"Delete {_quoted(name)}\N{HORIZONTAL ELLIPSIS}")
        for action in (self.save_over, self.delete):
            action.setVisible(bool(name))


class _Names(ChoiceList):
    """The list of names; opening it requests them again, since files may have changed."""

    def __init__(self, ask: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__("Presets", parent)
        self._ask = ask

    def shown(self) -> tuple[str, ...]:
        """The names in the list."""
        return tuple(self.itemData(i) for i in range(self.count()))

    def showPopup(self) -> None:  # noqa: N802
        self._ask()
        super().showPopup()


def _quoted(name: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}"
