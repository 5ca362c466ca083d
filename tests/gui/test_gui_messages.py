"""Messages in the whole window: the most urgent one is shown, and nothing else moves."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import QRect
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QComboBox, QWidget

from gui.main_window import MainWindow
from gui.widgets.entry import Entry
from gui.widgets.message_slot import Message
from gui.widgets.number_widget import NumberWidget

LONG = "the device 'Scarlett 2i2 USB' cannot be opened: " + "it is in use by another program " * 9


def places(window: MainWindow) -> dict[QWidget, QRect]:
    """Where everything is that can be hit, but for what belongs to a message."""
    QTest.qWait(30)
    return {
        part: QRect(part.mapTo(window, part.rect().topLeft()), part.size())
        for part in window.findChildren(QWidget)
        if part.isVisible() and isinstance(part, (QAbstractButton, QComboBox, Entry, NumberWidget))
        and not isinstance(part.parent(), Message)
    }  # fmt: skip


@pytest.mark.parametrize("stage", [False, True])
@pytest.mark.parametrize("size", [(1280, 800), (760, 600)])
def test_a_message_moves_nothing_when_it_comes_and_when_it_goes(window, until, stage, size):
    window.resize(*size)
    window.set_stage(stage)
    session, banner = window.session, window.stage.banner if stage else window.banner
    session._poll.stop()  # so that the device stays as it is set here
    QTest.qWait(100)
    session.figures.take("/status/device", ("Scarlett",))
    until(lambda: not banner.isVisible())
    before = places(window)
    assert len(before) >= 8
    session.log.say("something was refused", "error", "/gain")
    assert banner.isVisible()
    assert places(window) == before
    session.log.say(LONG, "error", "/device/select")
    assert banner.height() > banner.parentWidget().layout().spacing()
    assert places(window) == before
    session.transport.record(True)
    until(lambda: session.transport.is_recording)
    assert places(window) == before
    banner._forget_notice()
    assert places(window) == before
    session.transport.record(False)
    until(lambda: not session.transport.is_recording)
    assert places(window) == before


def test_a_long_message_lies_over_what_is_below_it_as_long_as_it_is_there(window):
    window.resize(760, 600)
    window.session.log.say(LONG, "error", "/device/select")
    QTest.qWait(30)
    slot, banner = window.messages, window.banner
    assert slot.shown is banner
    assert banner.height() > slot.height()
    assert banner.width() == slot.width()
    assert banner.label.height() >= banner.label.heightForWidth(banner.label.width())
    assert not banner.visibleRegion().isEmpty()
    over = window.childAt(banner.mapTo(window, banner.rect().bottomLeft()))
    assert over is banner or banner.isAncestorOf(over)


def test_the_most_urgent_message_is_the_one_that_is_shown(window, until):
    slot, session = window.messages, window.session
    until(lambda: slot.shown is window.banner)
    assert "No sound device" in window.banner.label.text()
    session.transport.record(True)
    until(lambda: slot.shown is window.record_line)
    session.log.say("something was refused", "error", "/gain")
    assert slot.shown is window.banner
    assert window.banner.label.text() == "something was refused"
    assert not window.record_line.isVisible()
    error = RuntimeError("a pixel is missing")
    window.pages.faults._exception(RuntimeError, error, None)
    until(lambda: slot.shown is window.pages.fault_bar)
    session.connection.closed.emit("test")
    assert slot.shown is window.banner, "an engine that is gone is above all"
    session.connection.opened.emit()
    until(lambda: slot.shown is window.pages.fault_bar)
    window.pages.fault_bar.dismiss.click()
    until(lambda: session.transport.is_recording)
    until(lambda: slot.shown is window.record_line)
    session.transport.record(False)
    until(lambda: window.record_line.figures.text() == "Recorded")
    assert slot.shown is window.record_line
