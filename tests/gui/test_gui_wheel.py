"""The wheel in the whole window: it changes nothing by accident."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QComboBox, QLabel, QScrollArea, QWidget

from gui.main_window import MainWindow
from gui.widgets.fader import Fader
from gui.widgets.knob import Knob


def turn_wheel(window: MainWindow, at: QPoint, notches: int = -1) -> None:
    """As the system does it: what lies there has it first, then what is around, until one takes it.

    Qt hands on only what comes from the system, so the way up is walked here.
    """
    part = window.childAt(at)
    while part is not None:
        wheel = QWheelEvent(
            QPointF(part.mapFrom(window, at)), QPointF(window.mapToGlobal(at)), QPoint(),
            QPoint(0, 120 * notches), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(part, wheel)
        if wheel.isAccepted() or part is window:
            return
        part = part.parentWidget()


def middle(window: MainWindow, part: QWidget) -> QPoint:
    return part.mapTo(window, part.rect().center())


@pytest.mark.parametrize("focused", [False, True])
def test_the_wheel_over_a_closed_list_changes_nothing(window, instrument, until, focused):
    for name in ("one", "two"):
        window.session.presets.save(name)
    until(lambda: len(window.session.presets.names) == 2)
    window.session.controls["gain"].set(-9.0)
    until(lambda: instrument.settings["gain"] == -9.0)
    window.pages.show_page(3)
    before = dict(instrument.settings.values)
    lists = [part for part in window.findChildren(QComboBox) if part.isVisible()]
    assert len(lists) >= 5
    shown = [part.currentText() for part in lists]
    for part in lists:
        if focused:
            part.setFocus()
        for notches in (-1, 1, -1):
            turn_wheel(window, middle(window, part), notches)
    QTest.qWait(150)
    assert [part.currentText() for part in lists] == shown
    assert dict(instrument.settings.values) == before


def test_the_wheel_scrolls_a_list_that_is_open(window):
    sampler = window.controls.cells["sampler"].parts[0]
    sampler.showPopup()
    view = sampler.view()
    assert view.isVisible()
    assert sampler.currentText() == "pack"
    view.setCurrentIndex(view.model().index(2, 0))
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert sampler.currentText() == "euler"


def test_the_wheel_over_the_tabs_stays_on_the_page(window):
    bar = window.views.tabBar()
    for notches in (-1, 1):
        turn_wheel(window, bar.mapTo(window, bar.tabRect(0).center()), notches)
    assert window.views.currentIndex() == 0


def test_the_wheel_over_a_knob_turns_it(window, instrument, until):
    turn_wheel(window, middle(window, window.controls.cells["temperature"].findChild(Knob)), 2)
    until(lambda: instrument.settings["temperature"] == pytest.approx(1.02))


def test_a_page_that_scrolls_turns_no_knob_that_it_moves_under_the_pointer(window, instrument):
    window.resize(760, 560)
    QTest.qWait(50)
    page = window.controls
    assert isinstance(page, QScrollArea)
    assert page.verticalScrollBar().maximum() > 100
    now = [100.0]
    page._now = lambda: now[0]
    before = dict(instrument.settings.values)
    turned = (Knob, Fader)

    def over() -> object:
        return window.childAt(at)

    # In the column of a knob, but above it, so that the first notch is the page's.
    top = page.viewport().mapTo(window, QPoint(0, 0))
    x = middle(window, window.controls.cells["steps"].findChild(Knob)).x()
    at = next(
        p for y in range(2, 40) if isinstance(window.childAt(p := top + QPoint(x, y)), QLabel)
    )
    passed = False
    turn_wheel(window, at)
    assert page.verticalScrollBar().value() > 0
    for _ in range(60):
        now[0] += 0.05 if not passed else 2.0  # at a stretch, then with rests
        passed = passed or isinstance(over(), turned)
        turn_wheel(window, at, -1 if page.verticalScrollBar().value() < 200 else 1)
    assert passed, "no knob came under the pointer"
    QTest.qWait(100)
    assert dict(instrument.settings.values) == before
    seen = page.viewport().rect()
    knob = next(
        k for k in page.findChildren(Knob)
        if k.isEnabled() and seen.contains(k.mapTo(page.viewport(), QPoint(24, 24)))
        and (middle(window, k) - at).manhattanLength() > 40
    )  # fmt: skip
    held = knob._model.value
    now[0] += 0.1
    place = middle(window, knob)
    for notches in (-1, 1):  # down the page and up again
        turn_wheel(window, place, notches)
    assert middle(window, knob) == place
    assert knob._model.value == held, "the hand has moved on, but the wheel has not rested"
    now[0] += 1.0
    turn_wheel(window, place + QPoint(9, 0))
    assert knob._model.value != held
