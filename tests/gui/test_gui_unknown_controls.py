"""A window that shows controls that it has never seen: built from what the server describes."""

from __future__ import annotations

import pytest

from engine.controls.control import FREE, Control
from gui.models.controls import ControlModels
from gui.models.figures import Figures
from gui.models.midi_map import MidiMap
from gui.widgets.control_cell import Action, Choice, Switch
from gui.widgets.control_panel import ControlPanel
from gui.widgets.entry import Entry
from gui.widgets.fader import Fader
from gui.widgets.knob import Knob
from osc.descriptions import description
from osc.values import to_osc

CONTROLS = (
    Control("pack/wildness", "number", FREE, "block", "How wild.", 2.0, 6.0, "wd", free=True,
            group="zoo"),
    Control("pack/animal", "choice", "cat", "block", "Which.", choices=("cat", "dog"), group="zoo"),
    Control("pack/asleep", "switch", False, "block", "Whether it sleeps.", group="zoo"),
    Control("pack/feed", "action", False, "block", "Feed it.", group="zoo"),
    Control("pack/howl", "pitch_classes", FREE, "block", "The notes.", free=True, group="zoo"),
    Control("pack/walk", "chords", FREE, "block", "Where it goes.", free=True, group="zoo"),
    Control("pack/prompt", "text", "", "block", "What it is like.", free=True, group="zoo"),
)  # fmt: skip


@pytest.fixture
def panel(qtbot):
    sent: list[tuple] = []

    def send(*message) -> bool:
        sent.append(message)
        return True

    models = ControlModels(send)
    made = ControlPanel(models, MidiMap(send, Figures()))
    qtbot.addWidget(made)
    for control in CONTROLS:
        models.take("/controls/info", (f"/{control.name}", description(control)))
    models.take("/controls/end", (len(CONTROLS),))
    for model in models:
        models.take(model.path, to_osc(model.control, model.control.default))
    made.sent, made.models = sent, models
    return made


@pytest.mark.parametrize(("name", "part"), [
    ("pack/wildness", Knob), ("pack/animal", Choice), ("pack/asleep", Switch),
    ("pack/feed", Action), ("pack/howl/d", Fader), ("pack/walk", Entry), ("pack/prompt", Entry),
])  # fmt: skip
def test_each_kind_is_shown_by_what_turns_it(panel, name, part):
    found = panel.cells[name].findChild(part)
    assert found is not None
    assert found.isEnabled()
    assert found.accessibleName()


def test_only_what_is_described_is_shown(panel):
    shown = {c.name for c in CONTROLS if not c.parts} | {p.name for p in CONTROLS[4].parts}
    assert set(panel.cells) == shown


def test_pressing_typing_and_turning_reach_the_engine(panel, qtbot):
    panel.cells["pack/feed"].findChild(Action).click()
    assert panel.sent[-1] == ("/pack/feed", 1)
    entry = panel.cells["pack/prompt"].findChild(Entry)
    entry.setText("slow, and quiet")
    entry.setModified(True)
    assert entry.accept()
    assert panel.sent[-1] == ("/pack/prompt", "slow, and quiet")
    panel.models["pack/wildness"].set_normalised(0.5)
    assert panel.sent[-1] == ("/pack/wildness", 4.0)
