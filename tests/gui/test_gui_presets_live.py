"""Presets in the window: live, in natural order, and never replaced without a question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QInputDialog, QMessageBox

from gui.main_window import MainWindow
from gui.models.natural_order import in_natural_order
from gui.session import Session

LEFT = Qt.MouseButton.LeftButton
COMPOSED = "Entr\N{LATIN SMALL LETTER E WITH ACUTE}e"
DECOMPOSED = "Entre\N{COMBINING ACUTE ACCENT}e"  # as macOS writes it


@pytest.fixture
def other(server, until):
    """Another client of the same engine: a phone, or a second window."""
    client = Session("127.0.0.1", server.port)
    client.begin()
    until(lambda: client.transport.is_connected)
    yield client
    client.connection.stop()


def save(session: Session, until, *names: str) -> None:
    for name in names:
        session.presets.save(name)
        until(lambda name=name: name in session.presets.names)


def dialog(kind: type) -> object:
    found = QApplication.activeModalWidget()
    assert isinstance(found, kind), found
    return found


def answer(text: str) -> None:
    box = dialog(QMessageBox)
    button = next(b for b in box.buttons() if b.text().replace("&", "") == text)
    QTest.mouseClick(button, LEFT)


def kept_gain(library: Path, name: str) -> float:
    return json.loads((library / "presets" / f"{name}.json").read_text())["controls"]["gain"]


def test_natural_order():
    names = ["10 End", "2 Verse", "1 Intro", "encore", "Bridge", "11", "a", "2", "007", "7"]
    assert in_natural_order(names) == (
        "1 Intro", "2", "2 Verse", "007", "7", "10 End", "11", "a", "Bridge", "encore",
    )  # fmt: skip


def test_what_another_client_saves_and_deletes_appears_and_goes(window, other, until):
    bar = window.transport.presets
    save(other, until, "10 end", "2 verse")
    until(lambda: bar.names.shown() == ("2 verse", "10 end"))
    save(window.session, until, "1 intro")
    until(lambda: other.presets.names == ("1 intro", "2 verse", "10 end"))
    other.presets.delete("2 verse")
    until(lambda: bar.names.shown() == ("1 intro", "10 end"))
    other.presets.delete("1 intro")  # the one that was saved here last
    until(lambda: window.session.presets.current == "")
    assert bar.names.currentText() == ""


def test_files_that_come_from_elsewhere_are_there_when_the_list_is_opened(window, until, tmp_path):
    save(window.session, until, "first")
    folder = tmp_path / "library" / "presets"
    (folder / "copied.json").write_bytes((folder / "first.json").read_bytes())
    window.transport.presets.names.showPopup()
    until(lambda: window.session.presets.names == ("copied", "first"))
    window.transport.presets.names.hidePopup()


def test_all_of_hundreds_are_listed(window, until, tmp_path):
    folder = tmp_path / "library" / "presets"
    save(window.session, until, "one")
    text = (folder / "one.json").read_text()
    for i in range(400):
        (folder / f"a song with a long name, number {i}".replace(",", "")).with_suffix(
            ".json"
        ).write_text(text)
    window.session.presets.refresh()
    until(lambda: len(window.session.presets.names) == 401)
    assert window.session.presets.names[10].endswith("number 10")


def test_what_was_recalled_stays_named_while_it_is_changed_by_anybody(
    window, instrument, other, until
):
    bar, gain = window.transport.presets, window.session.controls["gain"]
    gain.set(-4.0)
    until(lambda: instrument.settings["gain"] == -4.0)
    save(window.session, until, "Quiet")
    until(lambda: bar.names.currentText() == "Quiet")
    instrument.set(gain=-8.0)  # MIDI, or the keyboard of a terminal
    until(lambda: bar.names.currentText() == "* Quiet")
    instrument.set(gain=-4.0)
    until(lambda: bar.names.currentText() == "Quiet")
    gain.set(-20.0)
    until(lambda: bar.names.currentText() == "* Quiet")
    window.session.presets.recall("Quiet")
    until(lambda: instrument.settings["gain"] == -4.0)
    until(lambda: bar.names.currentText() == "Quiet", 5)


def test_save_over_asks_and_is_there_after_a_knob_was_turned(window, instrument, until, tmp_path):
    bar, gain = window.transport.presets, window.session.controls["gain"]
    library = tmp_path / "library"
    save(window.session, until, "Encore")
    gain.set(-11.0)
    until(lambda: window.session.presets.is_changed)
    bar._name_entries()
    assert bar.save_over.isVisible()
    assert "Encore" in bar.save_over.text()
    bar.save_over.trigger()
    assert "Encore" in dialog(QMessageBox).text()
    answer("Cancel")
    QTest.qWait(100)
    assert kept_gain(library, "Encore") == 0.0
    bar.save_over.trigger()
    answer("Replace")
    until(lambda: kept_gain(library, "Encore") == -11.0)
    until(lambda: bar.names.currentText() == "Encore")
    bar.delete.trigger()
    answer("Cancel")
    QTest.qWait(100)
    assert window.session.presets.names == ("Encore",)
    bar.delete.trigger()
    answer("Delete")
    until(lambda: window.session.presets.names == ())


@pytest.mark.parametrize("typed", ["Encore", "  Encore ", COMPOSED, DECOMPOSED])
def test_typing_the_name_of_another_asks_before_it_is_replaced(
    window, instrument, other, until, tmp_path, typed
):
    library = tmp_path / "library"
    name = "Encore" if "Encore" in typed else COMPOSED
    save(other, until, name)  # somebody else's, that this window has learnt of
    until(lambda: name in window.session.presets.names)
    window.session.controls["gain"].set(-11.0)
    until(lambda: instrument.settings["gain"] == -11.0)
    bar = window.transport.presets
    bar.ask_and_save()
    naming = dialog(QInputDialog)
    naming.setTextValue(typed)
    naming.accept()
    answer("Cancel")
    again = dialog(QInputDialog)
    assert again.textValue() == name, "another name can be typed"
    assert kept_gain(library, name) == 0.0
    again.accept()
    answer("Replace")
    until(lambda: kept_gain(library, name) == -11.0)


def test_stage_mode_reaches_all_of_them_page_by_page(window: MainWindow, instrument, until):
    names = tuple(f"Song {i}" for i in range(1, 28))
    for name in names[::-1]:
        window.session.presets.save(name)
        until(lambda name=name: name in window.session.presets.names)
    window.session.controls["gain"].set(-7.0)
    until(lambda: instrument.settings["gain"] == -7.0)
    window.set_stage(True)
    pages = window.stage.presets
    seen: list[str] = []
    while True:
        seen += [b.text().removeprefix("* ") for b in pages.buttons if b.isVisible()]
        assert all(b.height() >= 44 for b in (*pages.buttons, pages.on) if b.isVisible())
        if not pages.on.isEnabled():
            break
        QTest.mouseClick(pages.on, LEFT)
    assert tuple(seen) == names
    assert pages.place.text() == "3 of 3"
    QTest.mouseClick(pages.buttons[2], LEFT)
    until(lambda: window.session.presets.current == "Song 27")
    until(lambda: instrument.settings["gain"] == 0.0)
    until(lambda: pages.buttons[2].isChecked())
    window.session.presets.delete("Song 27")
    window.session.presets.delete("Song 26")
    window.session.presets.delete("Song 25")
    until(lambda: pages.pages == 2)
    assert pages.place.text() == "2 of 2", "it does not stay on a page that has gone"
    assert pages.buttons[0].isVisible()
