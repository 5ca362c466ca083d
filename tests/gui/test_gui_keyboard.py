"""The keyboard in the whole window, as it is used: Space, Tab, Enter and Esc are really pressed."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLineEdit,
    QTabBar,
    QWidget,
)

from gui.main_window import MainWindow
from gui.widgets.entry import Entry
from gui.widgets.knob import Knob

KEY = Qt.Key


def focusable(window: MainWindow) -> set[QWidget]:
    """Every part that a hand without a mouse has to reach now."""
    return {
        part
        for part in window.findChildren(QWidget)
        if part.isVisible() and part.isEnabled() and part.focusProxy() is None
        and (part.focusPolicy() & Qt.FocusPolicy.TabFocus) == Qt.FocusPolicy.TabFocus
        and isinstance(part, (QAbstractButton, Knob, Entry, QComboBox, QTabBar,
                              QAbstractItemView, QLineEdit))
    }  # fmt: skip


def press(window: MainWindow, key: Qt.Key, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key as the system does: in the window, for whatever has the focus there."""
    QTest.keyClick(window.windowHandle(), key, modifiers)


def described(part: QWidget | None) -> str:
    if part is None:
        return "nothing"
    text = part.text() if isinstance(part, QAbstractButton) else ""
    return f"{type(part).__name__} {part.accessibleName() or text or part.objectName()!r}"


@pytest.mark.parametrize("page", range(4))
@pytest.mark.parametrize("back", [False, True])
def test_the_tab_key_reaches_everything_in_the_window_and_comes_round(window, page, back):
    window.pages.show_page(page)
    QTest.qWait(50)
    wanted = focusable(window)
    assert len(wanted) > 25
    window.transport.play.setFocus()
    passed = []
    for _ in range(2 * len(wanted) + 20):
        passed.append(QApplication.focusWidget())
        press(window, KEY.Key_Backtab if back else KEY.Key_Tab)
        if QApplication.focusWidget() is window.transport.play:
            break
    missed = [described(p) for p in wanted - set(passed)]
    assert not missed, missed
    assert QApplication.focusWidget() is window.transport.play, "; ".join(
        described(p) for p in passed
    )
    assert len(passed) == len(set(passed))
    bar, last = window.views.tabBar(), window.pages.strip.latency
    cells = next(iter(window.controls.cells.values())).parts + window.controls.cells["gain"].parts
    first = next(p for p in cells if p.isEnabled())
    way = [passed.index(p) for p in (window.transport.panic, bar, first, last)]
    assert way == sorted(way, reverse=back), "as the eye goes, from the top to the bottom"
    inside = [passed.index(p) for p in passed if window.views.currentWidget().isAncestorOf(p)]
    assert page == 0 or inside
    assert all(min(way[1:3]) < place < max(way[1:3]) for place in inside)


def test_in_stage_mode_too_the_tab_key_reaches_everything(window, until):
    for name in (f"Song {i}" for i in range(1, 15)):
        window.session.presets.save(name)
        until(lambda name=name: name in window.session.presets.names)
    window.set_stage(True)
    wanted = focusable(window)
    assert len(wanted) > 18
    passed = set()
    for _ in range(2 * len(wanted)):
        passed.add(QApplication.focusWidget())
        press(window, KEY.Key_Tab)
    assert not wanted - passed, [described(p) for p in wanted - passed]


@pytest.mark.parametrize("page", range(4))
def test_space_plays_and_pauses_whatever_has_the_focus(window, instrument, until, page):
    """Each part in turn; none of them takes Space for itself, not even while it is held down."""
    window.pages.show_page(page)
    parts = {p for p in focusable(window) if not isinstance(p, QLineEdit)}
    assert len(parts) > 20
    clicked, session = [], window.session
    for part in parts:
        if isinstance(part, QAbstractButton) and part is not window.transport.play:
            part.clicked.connect(lambda _=False, p=part: clicked.append(described(p)))
    for part in parts:
        part.setFocus()
        assert QApplication.focusWidget() is part
        held = bool(session.controls["pause"].value)
        press(window, KEY.Key_Space)
        for _ in range(3):  # held down: the system repeats it
            for kind in (QKeyEvent.Type.KeyPress, QKeyEvent.Type.KeyRelease):
                again = QKeyEvent(kind, KEY.Key_Space, Qt.KeyboardModifier(0), " ", True)
                QApplication.sendEvent(part, again)
        until(lambda held=held: instrument.settings["pause"] is not held)
        until(lambda held=held: session.controls["pause"].value != held)
        assert QApplication.activePopupWidget() is None, described(part)
        assert clicked == []
    assert not session.transport.is_recording


def test_space_in_a_text_field_is_a_space_and_ctrl_space_plays(window, instrument, until):
    window.pages.show_page(3)
    window.pages.log.words.setFocus()
    press(window, KEY.Key_A)
    press(window, KEY.Key_Space)
    press(window, KEY.Key_B)
    assert window.pages.log.words.text() == "a b"
    assert instrument.settings["pause"] is False
    press(window, KEY.Key_Space, Qt.KeyboardModifier.ControlModifier)
    until(lambda: instrument.settings["pause"] is True)


def test_enter_presses_the_button_and_opens_the_list_that_has_the_focus(window, until):
    window.transport.record.setFocus()
    press(window, KEY.Key_Return)
    until(lambda: window.session.transport.is_recording)
    press(window, KEY.Key_Return)
    until(lambda: not window.session.transport.is_recording)
    sampler = window.controls.cells["sampler"].parts[0]
    sampler.setFocus()
    press(window, KEY.Key_Return)
    assert sampler.view().isVisible()
    sampler.hidePopup()
    window.transport.keep.setFocus()
    press(window, KEY.Key_Return)
    until(lambda: window.transport.keep.menu().isVisible())
    window.transport.keep.menu().close()


def entry(window: MainWindow, name: str) -> Entry:
    return window.controls.cells[name].findChild(Entry)


@pytest.mark.parametrize("key", [KEY.Key_Return, KEY.Key_Enter, KEY.Key_Escape])
def test_enter_and_escape_return_the_focus_so_that_the_keys_of_the_window_work(
    window, instrument, until, key
):
    instrument.set(gain=-1.0)
    until(lambda: window.session.controls["gain"].value == -1.0)
    window.transport.undo.setFocus()
    field = entry(window, "gain")
    QTest.mouseClick(field, Qt.MouseButton.LeftButton)
    assert field.hasFocus()
    QTest.keyClicks(field, "-6")
    press(window, key)
    assert window.transport.undo.hasFocus()
    taken = key != KEY.Key_Escape
    until(lambda: instrument.settings["gain"] == (-6.0 if taken else -1.0))
    press(window, KEY.Key_Space)
    until(lambda: instrument.settings["pause"] is True)
    assert field.text() == ("\N{MINUS SIGN}6.0 dB" if taken else "\N{MINUS SIGN}1.0 dB")
    if taken:
        until(lambda: not window.session.transport.is_playing)
        press(window, KEY.Key_Space)
        until(lambda: instrument.settings["pause"] is False)
        press(window, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
        until(lambda: instrument.settings["gain"] == -1.0)


def test_from_field_to_field_by_tab_the_focus_returns_to_where_it_was_before_the_first(window):
    knob = window.controls.cells["temperature"].findChild(Knob)
    knob.setFocus()
    press(window, KEY.Key_Tab)
    assert entry(window, "temperature").hasFocus()
    entry(window, "gain").setFocus()
    press(window, KEY.Key_Escape)
    assert knob.hasFocus()


@pytest.mark.parametrize("typed", ["99999", "-61", "nan", "1e999", "loud"])
def test_what_is_out_of_range_is_refused_like_invalid_text(window, instrument, typed):
    field = entry(window, "gain")
    before = instrument.settings["gain"]
    field.setFocus()
    QTest.keyClicks(field, typed)
    press(window, KEY.Key_Return)
    assert field.hasFocus()
    assert field.text() == typed, "it stays, to be corrected"
    assert field.problem.count("\n") == 0
    assert typed in field.problem
    assert "-60 to 12 dB" in field.problem
    press(window, KEY.Key_Escape)
    assert field.text() == "0.0 dB"
    assert field.problem == ""
    QTest.qWait(100)
    assert instrument.settings["gain"] == before


def test_a_number_that_is_not_whole_is_refused_where_the_control_has_steps(window, instrument):
    field = entry(window, "beats")
    field.setFocus()
    QTest.keyClicks(field, "4.5")
    press(window, KEY.Key_Return)
    assert "4.5" in field.problem
    press(window, KEY.Key_Tab)  # the field is left: what was refused is not taken for the value
    assert field.text() == "4"
    assert instrument.settings["beats"] == 4
