"""Learning MIDI from the window: what the engine tells is what a control shows."""

from __future__ import annotations

import pytest
from PyQt6.QtWidgets import QMenu

from gui.models.controls import ControlModels
from gui.models.figures import Figures
from gui.models.midi_map import MidiMap
from gui.widgets.control_cell import ControlCell


@pytest.fixture
def sent():
    return []


@pytest.fixture
def midi(qapp, sent):
    def send(*message: object) -> bool:
        sent.append(message)
        return True

    made = MidiMap(send, Figures())
    return made


def tell(midi: MidiMap, **told: object) -> None:
    for name, value in told.items():
        midi._figures.take(f"/status/midi/{name}", (value,))
    midi._figures.changed.emit()


@pytest.fixture
def cell(midi, qtbot):
    controls = ControlModels(lambda *_: True)
    controls.take("/gain", (0.0,))
    made = ControlCell(controls["gain"], midi)
    made._controls = controls  # they live as long as what shows them
    qtbot.addWidget(made)
    return made


def entries(cell: ControlCell) -> dict[str, object]:
    cell.customContextMenuRequested.emit(cell.rect().center())
    menu = cell.findChildren(QMenu)[-1]
    menu.close()
    return {action.text(): action for action in menu.actions()}


def test_without_midi_nothing_is_offered(cell):
    assert not entries(cell)["MIDI is not available"].isEnabled()


def test_a_control_waits_for_a_controller_and_then_names_it(cell, midi, sent):
    tell(midi, **{"in": 0, "learning": ""})
    assert sent == [("/midi/mappings",)]
    assert midi.take("/error", ("/midi/mappings", "value", "there is no MIDI here"))
    assert not midi.is_there
    midi.take("/midi/mappings/end", (0,))
    entries(cell)["Learn MIDI: move a controller next"].trigger()
    assert sent[-1] == ("/midi/learn", "/gain")
    midi.take("/midi/learn", ("/gain",))
    assert cell._waiting.text() == "move it"
    assert "Move the MIDI controller" in cell.toolTip()
    entries(cell)["Cancel MIDI learn"].trigger()
    assert sent[-1] == ("/midi/learn", "")
    tell(midi, learning="")
    assert sent[-1] == ("/midi/mappings",), "what was learnt is asked for"
    midi.take("/midi/mapping", ("/gain", "controller 7 on any channel"))
    midi.take("/midi/mappings/end", (1,))
    assert cell._waiting.text() == "live"
    assert "MIDI: controller 7 on any channel" in cell.toolTip()
    entries(cell)["Remove MIDI mapping (controller 7 on any channel)"].trigger()
    assert sent[-2:] == [("/midi/forget", "/gain"), ("/midi/mappings",)]
    midi.take("/midi/mappings/end", (0,))
    assert "MIDI" not in cell.toolTip()


def test_nothing_is_left_of_an_engine_that_is_gone(cell, midi):
    tell(midi, **{"in": 3, "learning": "/gain"})
    midi.take("/midi/mapping", ("/gain", "controller 7"))
    midi.take("/midi/mappings/end", (1,))
    midi._figures.take_lost()
    midi.take_lost()
    assert cell._waiting.text() == "live"
    assert not midi.is_there
    assert not midi.mappings


def test_a_controller_that_is_read_in_another_way_is_shown_so(cell, midi, sent):
    midi.take("/midi/mapping", ("/gain", "CC 16, channel 1"))
    midi.take("/midi/mappings/end", (1,))
    sent.clear()
    is_taken = midi.take("/event", ("midi", "CC 16, channel 1 is read as signed-bit"))
    assert not is_taken, "the log shows it"
    assert sent == [("/midi/mappings",)]
    midi.take("/midi/mapping", ("/gain", "CC 16, channel 1, relative, signed-bit"))
    midi.take("/midi/mappings/end", (1,))
    assert "MIDI: CC 16, channel 1, relative, signed-bit" in cell.toolTip()
