"""The window, off-screen, before a real engine in this process: what is seen and what hands do."""

from __future__ import annotations

import pytest
from control_tables import ENGINE_TABLE
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QGuiApplication, QPalette, QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QApplication, QMenu, QWidget

from gui.application import Start, _defect_handler, make_window
from gui.main_window import MainWindow
from gui.models.home_paths import shortened
from gui.settings import Settings
from gui.theme import apply_theme, is_dark
from gui.widgets.control_cell import Choice, Switch
from gui.widgets.entry import Entry
from gui.widgets.fader import Fader
from gui.widgets.knob import Knob
from gui.widgets.record_line import large, long

LEFT = Qt.MouseButton.LeftButton


def knob(window: MainWindow, name: str) -> Knob:
    return window.controls.cells[name].findChild(Knob)


def entry(window: MainWindow, name: str) -> Entry:
    return window.controls.cells[name].findChild(Entry)


def test_every_control_of_the_table_is_there_with_a_name_a_value_and_a_unit(window, until):
    until(lambda: "pack/room" not in window.controls.cells)  # the tiny pack does not have it
    until(lambda: all(model.is_known for model in window.session.controls))
    shown = {*window.controls.cells, "pause"}  # which is Play and Pause
    assert shown == {p.name for p in ENGINE_TABLE}
    for cell in window.controls.cells.values():
        assert cell.findChildren((Knob, Fader, Choice, Switch, Entry))
        for part in cell.findChildren((Knob, Fader, Choice, Switch, Entry)):
            assert part.accessibleName()
            assert cell.model.control.about in part.accessibleDescription()
    assert entry(window, "gain").text() == "0.0 dB"
    assert entry(window, "stride").text().endswith("block")


def test_a_knob_is_dragged_and_the_engine_receives_it(window, instrument, until):
    gain = knob(window, "gain")
    before = instrument.settings["gain"]
    QTest.mousePress(gain, LEFT, pos=QPoint(24, 24))
    QTest.mouseMove(gain, QPoint(24, 60))
    instrument.set(gain=5.0)  # somebody else has a hand on it too
    QTest.qWait(150)
    assert window.session.controls["gain"].value == pytest.approx(-14.4), "the hand wins"
    QTest.mouseMove(gain, QPoint(24, 64))
    QTest.mouseRelease(gain, LEFT, pos=QPoint(24, 64))
    until(lambda: instrument.settings["gain"] == pytest.approx(before - 16.0))
    until(lambda: entry(window, "gain").text() == "\N{MINUS SIGN}16.0 dB")


def test_wheel_arrows_and_a_double_click(window, instrument, until):
    temperature = knob(window, "temperature")
    middle = QPointF(24, 24)
    wheel = QWheelEvent(
        middle, QPointF(temperature.mapToGlobal(middle)), QPoint(), QPoint(0, 240),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(temperature, wheel)
    until(lambda: instrument.settings["temperature"] == pytest.approx(1.02))
    QTest.keyClick(temperature, Qt.Key.Key_Up)
    until(lambda: instrument.settings["temperature"] == pytest.approx(1.03))
    QTest.keyClick(temperature, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    until(lambda: instrument.settings["temperature"] == pytest.approx(1.029))
    QTest.keyClick(temperature, Qt.Key.Key_End)
    until(lambda: instrument.settings["temperature"] == 1.5)
    QTest.mouseDClick(temperature, LEFT)
    until(
        lambda: instrument.settings["temperature"] == window.session.controls["temperature"].default
    )


def test_a_value_is_typed_and_what_is_not_one_stays_to_be_corrected(window, instrument, until):
    field = entry(window, "gain")
    field.setFocus()
    QTest.keyClicks(field, "-12,5 dB")
    QTest.keyClick(field, Qt.Key.Key_Return)
    until(lambda: instrument.settings["gain"] == -12.5)
    assert field.text() == "\N{MINUS SIGN}12.5 dB"
    field.selectAll()
    QTest.keyClicks(field, "loud")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == "loud"
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == "\N{MINUS SIGN}12.5 dB"
    assert instrument.settings["gain"] == -12.5


def test_a_block_control_shows_when_it_is_audible(window, until):
    cell = window.controls.cells["temperature"]
    assert cell._waiting.text() == "block"
    cell.model.set(0.9)
    seen = set()

    def heard() -> bool:
        seen.add(cell._waiting.text().split()[0])
        return cell._waiting.text() == "block"

    assert not heard()
    until(heard)
    assert "in" in seen
    assert window.controls.cells["gain"]._waiting.text() == "live"


def test_a_right_click_copies_the_address_and_goes_back(window, until):
    cell = window.controls.cells["gain"]
    cell.model.set(-3.0)
    cell.customContextMenuRequested.emit(QPoint(5, 5))
    menu = cell.findChild(QMenu)
    texts = {a.text(): a for a in menu.actions() if a.text()}
    texts["Copy the OSC address /gain"].trigger()
    assert QGuiApplication.clipboard().text() == "/gain"
    texts["Back to the default"].trigger()
    assert cell.model.value == 0.0
    menu.close()


def test_everything_in_the_window_has_a_name_for_screen_readers(window):
    silent = [
        part for part in window.findChildren(QWidget)
        if part.isVisible() and part.focusPolicy() & Qt.FocusPolicy.TabFocus
        and part.focusProxy() is None and not part.accessibleName()
        and not (isinstance(part, QAbstractButton) and part.text())
    ]  # fmt: skip
    assert not silent


def test_panic_has_a_key_and_stays_silent_until_play(window, instrument, until):
    knob(window, "gain").setFocus()
    assert window.transport.play.text() == "Pause"
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Escape, Qt.KeyboardModifier.ShiftModifier)
    until(lambda: any(line.kind == "panic" for line in window.session.log.lines))
    until(lambda: window.transport.play.text() == "Play")
    QTest.qWait(1_200)
    assert window.transport.play.text() == "Play"
    assert window.stage.play.text() == "Play"
    assert instrument.settings["pause"] is True
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Space)
    until(lambda: window.transport.play.text() == "Pause")
    until(lambda: window.session.meters.peak[0] > -60)


def test_a_new_piece_is_a_button_and_a_key_of_its_own_and_the_music_goes_on(
    window, instrument, monkeypatch, until
):
    pieces = []
    begin = instrument.new_piece
    monkeypatch.setattr(instrument, "new_piece", lambda: (pieces.append(1), begin()))
    QTest.mouseClick(window.transport.new_piece, LEFT)
    until(lambda: len(pieces) == 1)
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    until(lambda: len(pieces) == 2)
    assert instrument.settings["pause"] is False


def test_without_a_device_it_says_so_and_records_at_a_click(window, until):
    until(lambda: window.banner.isVisible())
    assert "No sound device" in window.banner.label.text()
    assert window.banner.button.text() == "Record to a file"
    window.banner.button.click()
    until(lambda: window.session.transport.is_recording)
    until(
        lambda: window.record_line.isVisible() and "Recording" in window.record_line.figures.text()
    )
    assert window.record_line.path.toolTip().endswith(".flac")
    assert window.transport.record.text() == "Stop recording"
    window.transport.record.click()
    until(lambda: window.record_line.figures.text() == "Recorded")


def test_presets_and_comparing_from_the_bar(window, instrument, until):
    bar = window.transport.presets
    bar.ask_and_save()
    dialog = QApplication.activeModalWidget()
    dialog.setTextValue("Encore")
    dialog.accept()
    until(lambda: bar.names.currentText() == "Encore")
    bar.compare["B"].click()
    window.session.controls["gain"].set(-20.0)
    until(lambda: instrument.settings["gain"] == -20.0)
    until(lambda: bar.names.currentText() == "* Encore")
    bar.compare["A"].click()
    until(lambda: instrument.settings["gain"] == 0.0)
    assert bar.compare["A"].isChecked()


def test_stage_mode_is_large_and_locked(window, qtbot, until):
    window.stage_action.trigger()
    assert window.is_stage
    buttons = [b for b in window.stage.findChildren(QAbstractButton) if b.isVisible()]
    assert len(buttons) >= 4
    assert min(min(b.height(), b.width()) for b in buttons) >= 44
    assert not window.controls.isVisible()
    assert "No sound device" in window.stage.banner.label.text()
    assert window.stage.banner.isVisible()
    assert not window.close()
    assert window.isVisible()
    leave = next(b for b in window.stage.findChildren(QAbstractButton) if "leave" in b.text())
    QTest.mouseClick(leave, LEFT)
    QTest.qWait(50)
    assert window.is_stage, "a click is an accident"
    QTest.mousePress(leave, LEFT)
    until(lambda: not window.is_stage)
    QTest.mouseRelease(leave, LEFT)


def test_themes_and_what_is_remembered(window, tmp_path, qapp):
    for theme, dark in (("dark", True), ("light", False)):
        window._set_theme(theme)
        assert is_dark(window) is dark
        palette = window.palette()
        text, ground = (
            palette.color(QPalette.ColorRole.Text),
            palette.color(QPalette.ColorRole.Base),
        )
        assert abs(text.lightness() - ground.lightness()) > 150
    window._set_theme("dark")
    window._set_reduced_motion(True)
    window.settings.leave_playing = True
    window.settings.geometry = window.saveGeometry()
    window.settings.keep_option("device", "Scarlett")
    window.settings.sync()
    again = Settings(tmp_path)
    assert (again.theme, again.reduced_motion, again.leave_playing) == ("dark", True, True)
    assert again.option("device") == "Scarlett"
    assert again.option("pack") == ""
    assert again.geometry == window.saveGeometry()
    (tmp_path / "window.ini").write_text("[General]\ntheme=\x00purple\nreduced_motion=perhaps\n")
    damaged = Settings(tmp_path)
    assert (damaged.theme, damaged.reduced_motion) == ("system", False)
    apply_theme(qapp, "light")


def test_the_next_start_takes_the_pack_and_the_device_of_the_last(tmp_path, qtbot):
    def begun_with(*options: str) -> list[str]:
        window = make_window(Start("127.0.0.1", 1, options, tmp_path))
        qtbot.addWidget(window, before_close_func=lambda w: setattr(w, "_may_close", True))
        window.session.connection.stop()
        _keep_as_if_it_played(window)
        return window.session.engine.options

    assert begun_with() == []
    assert begun_with("--device", "Scarlett") == ["--device", "Scarlett"]
    assert begun_with("--steps", "4") == ["--steps", "4", "--device", "Scarlett"]
    assert begun_with("--device", "none") == ["--device", "none"]
    assert begun_with() == ["--device", "Scarlett"]


def _keep_as_if_it_played(window: MainWindow) -> None:
    window.session.state = "playing"
    window.session.state_changed.emit()


def test_a_defect_is_a_line_in_the_log_and_the_window_goes_on(window, tmp_path):
    try:
        raise ZeroDivisionError("on purpose")
    except ZeroDivisionError as error:
        _defect_handler(window.session, tmp_path)(type(error), error, error.__traceback__)
    assert "on purpose" in window.session.log.lines[-1].text
    assert "Traceback" in (tmp_path / "window.log").read_text()
    window.session.connection.received.emit("/sampler", ("a sampler of next year",))
    assert "/sampler cannot be read" in window.session.log.lines[-1].text
    assert window.session.state == "playing"


def test_figures_and_paths_are_written_for_people(monkeypatch):
    monkeypatch.setenv("HOME", "/home/clara")
    assert shortened("into /home/clara/takes/1.flac") == "into ~/takes/1.flac"
    assert shortened("/home/clarabelle/1.flac") == "/home/clarabelle/1.flac"
    assert [long(s) for s in (0, 75, 3725)] == ["0:00", "1:15", "1:02:05"]
    assert [large(b) for b in (12, 1_500, 2.5e6, 4.1e10)] == ["12 B", "1.5 kB", "2.5 MB", "41.0 GB"]
