"""Snapshots, going back and forking in the window: real keys and clicks, a real engine."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QMenu

from gui.models.moments import Moments
from gui.models.quantised_actions import QuantisedActions
from gui.widgets.moments_button import reach_text

KEY, CTRL = Qt.Key, Qt.KeyboardModifier.ControlModifier
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


def press(window, key, modifiers) -> None:
    QTest.keyClick(window.windowHandle(), key, modifiers)


def entry(menu: QMenu, text: str):
    return next(action for action in menu.actions() if action.text() == text)


def test_keys_take_return_go_back_and_fork(window, instrument, until, monkeypatch):
    moments, button = window.session.moments, window.transport.moments
    until(lambda: instrument.history_seconds() > 1.0)
    instrument.set(seed=50, temperature=0.7)
    press(window, KEY.Key_T, CTRL)
    until(lambda: moments.names == ("Snapshot 1",) and moments.last == "Snapshot 1")
    menu = button.menu()
    press(window, KEY.Key_F, CTRL)
    until(lambda: instrument.settings["seed"] == 51)
    instrument.set(temperature=1.4)
    press(window, KEY.Key_L, CTRL)
    until(lambda: instrument.settings["temperature"] == 0.7)
    assert instrument.settings["seed"] == 50
    asked = []
    monkeypatch.setattr(type(instrument), "go_back", lambda self, **more: asked.append(more))
    press(window, KEY.Key_Left, CTRL)
    press(window, KEY.Key_Left, CTRL | SHIFT)
    press(window, KEY.Key_Left, CTRL | ALT)
    until(lambda: len(asked) == 3)
    assert asked == [{"beats": 4.0}, {"beats": 1.0}, {"blocks": 1}]
    entry(menu, "Take a snapshot").trigger()
    until(lambda: moments.names == ("Snapshot 1", "Snapshot 2"))
    instrument.set(temperature=1.1)
    entry(entry(menu, "Return to").menu(), "Snapshot 1").trigger()
    until(lambda: instrument.settings["temperature"] == 0.7)
    entry(entry(menu, "Delete").menu(), "Snapshot 2").trigger()
    until(lambda: moments.names == ("Snapshot 1",))
    until(lambda: menu.actions()[-1].text().startswith("The music can go back 0:"))
    assert "The music can go back" in button.toolTip()


def test_what_waits_for_the_beat_is_named():
    actions = QuantisedActions(lambda: 5.0)
    assert actions.take("/snapshot/recall/pending", ("Verse", 2.0))
    assert (
        actions.text
        == "snapshot \N{LEFT DOUBLE QUOTATION MARK}Verse\N{RIGHT DOUBLE QUOTATION MARK} in 2.0 s"
    )


def test_the_model_sends_one_message_for_each_action(session):
    sent = []
    moments = Moments(lambda *message: sent.append(message) or True, session.figures)
    moments.take_snapshot()
    moments.recall("a")
    moments.recall()
    moments.delete("a")
    moments.go_back("bars")
    moments.fork()
    assert sent == [
        ("/snapshot/take", 1), ("/snapshot/recall", "a"), ("/snapshot/recall", 1),
        ("/snapshot/delete", "a"), ("/go_back/bars", 1), ("/fork", 1),
    ]  # fmt: skip
    assert moments.take("/snapshot/list", ("10", "2"))
    assert moments.names == ("2", "10")
    assert moments.take("/done", ("/snapshot/take", "2"))
    assert moments.last == "2"
    assert not moments.take("/done", ("/preset/save", "2"))
    moments.take_connected(False)
    assert (moments.names, moments.last) == ((), "")


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (75.9, "1:15"), (600.0, "10:00")])
def test_the_reach_is_read_as_minutes_and_seconds(seconds, text):
    assert reach_text(seconds).endswith(text)
