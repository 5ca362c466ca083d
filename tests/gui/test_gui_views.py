"""The pages of the window before a real engine in this process, and what is told of defects."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

import pytest
from cut_off import cut_off
from PyQt6.QtCore import Qt, QTimer, qWarning
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QTreeWidgetItem, QWidget
from tiny_pack import TINY

from engine.instrument import Instrument
from gui.diagnostics import without_folders
from gui.faults import Faults
from gui.models.log import Log
from gui.theme import apply_theme
from gui.views.assembly import Views
from gui.views.devices import FILE

LABEL = Qt.ItemDataRole.UserRole


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> Path:
    """Two packs that are whole, one with a damaged network, one without a manifest to be read."""
    folder = tmp_path_factory.mktemp("packs")
    for name in ("first", "second", "hollow", "torn"):
        shutil.copytree(TINY, folder / name)
        manifest = folder / name / "pack.toml"
        manifest.write_text(manifest.read_text().replace('name = "tiny"', f'name = "{name}"'))
    (folder / "hollow" / "step.onnx").write_bytes(b"no model")
    (folder / "torn" / "pack.toml").write_text("name = ")
    return folder


@pytest.fixture(scope="module")
def instrument(packs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTACCA_PACKS", str(packs))
        with Instrument("first", latency=1.0, threads=1) as made:
            made.play(None)
            made.wait_for_sound()
            yield made


@pytest.fixture
def views(window) -> Views:
    assert window.pages is not None
    return window.pages


def device_items(views: Views) -> dict[str, QTreeWidgetItem]:
    return {item.data(0, LABEL): item for item in views.devices._items()}


def choose_pack(views: Views, name: str) -> None:
    packs = views.packs.list
    for i in range(packs.count()):
        if packs.item(i).data(LABEL) == name:
            packs.setCurrentRow(i)


# ---------------------------------------------------------------------- the picture


def test_the_picture_shows_the_music_from_the_line_to_the_end_of_what_is_made(views, until):
    picture = views.wiring.picture
    until(lambda: picture.hop and len(picture.frequencies) == picture.bands, 20)
    until(lambda: len(picture.blocks) >= 2, 20)

    def complete() -> bool:
        first = picture.column(picture.playhead.heard()) + 2
        count = picture.column(picture.playhead.made) - first - 3
        return count > 4 and bool(picture.levels(first, count)[1].all())

    until(complete, 20)
    head = picture.playhead
    until(lambda: head.flows)
    assert abs(head.lead - views._window.session.meters.lead) < 0.7
    before, block = head.heard(), picture.blocks[-1]
    QTest.qWait(500)
    assert 0.2 < head.heard() - before < 1.5
    assert block.seconds > 0
    assert 0 < block.steps <= views._window.session.controls["steps"].value
    image = views.picture.grab().toImage()
    ratio, area = image.devicePixelRatio(), views.picture.area
    x, y = views.picture.x_of(head.heard()) - 20, area.bottom() - area.height() / 4
    seen = {image.pixel(round((x + i) * ratio), round((y + j) * ratio))
            for i in range(16) for j in range(20)}  # fmt: skip
    assert len(seen) > 8, "there is something to be seen"
    assert views.picture.frames > 5


def test_a_panic_empties_the_lead_and_the_picture_goes_on(views, until):
    picture = views.wiring.picture
    until(lambda: picture.playhead.lead > 0.3 and len(picture.blocks) > 1, 20)
    cleared = []
    views._window.session.route("/picture/clear", cleared.append)
    views._window.session.transport.panic()
    until(lambda: cleared, 20)
    made = picture.playhead.made
    until(lambda: picture.playhead.made > made + 0.5, 20)
    assert picture.playhead.is_told


# ---------------------------------------------------------------------- figures


def test_the_strip_says_everything_in_words(views, window, instrument, until):
    strip = views.strip
    until(lambda: strip.lead.text.endswith(" s") and strip.load.text.endswith(" %"), 20)
    until(lambda: any(c.isdigit() for c in strip.steps.text))
    assert strip.mishaps.text.startswith("0 xruns")
    assert "live" in strip.latency.text()
    QTest.mouseClick(strip.latency, Qt.MouseButton.LeftButton)
    table = strip._table
    assert table.isVisible()
    numbers = {part: float(cells[0].text().replace(",", "")) for part, cells in table.cells.items()}
    assert numbers["device"] + numbers["ring"] + numbers["mixer"] == pytest.approx(
        numbers["live"], abs=0.2
    )
    mixer = table.cells["mixer"][1].text().replace(",", "")
    assert int(mixer) == pytest.approx(numbers["mixer"] * instrument.rate / 1000, abs=3)
    table.hide()


# ---------------------------------------------------------------------- devices


def test_silence_and_a_file_are_choices_and_a_wrong_device_changes_nothing(
    views, window, instrument, until
):
    views.show_page(1)
    until(lambda: not views.wiring.devices.is_looking, 30)
    items = device_items(views)
    assert items["none"].text(1), "no device is what plays"
    assert not items[FILE].text(1)
    views.wiring.devices.select("a card that nobody has")
    until(lambda: views.wiring.devices.problem, 30)
    assert views.devices.line.text().startswith("\N{WARNING SIGN}")
    assert device_items(views)["none"].text(1), "the old one stays marked"
    views.devices.tree.setCurrentItem(device_items(views)[FILE])
    QTest.keyClick(views.devices.tree, Qt.Key.Key_Return)
    until(lambda: window.session.transport.is_recording, 20)
    assert instrument.status().recording is not None
    assert device_items(views)[FILE].text(1)
    window.session.transport.record(False)
    until(lambda: not window.session.transport.is_recording, 20)


# ---------------------------------------------------------------------- packs


def test_packs_are_read_and_one_that_is_damaged_says_why(views, until):
    views.show_page(2)
    until(lambda: len(views.wiring.packs.packs) >= 4, 20)
    choose_pack(views, "torn")
    assert "torn" in views.packs.cells["Trouble"].text()
    assert not views.packs.load.isEnabled()
    choose_pack(views, "first")
    assert not views.packs.load.isEnabled(), "it plays already"
    assert "attacca bench first" in views.packs.cells["This machine"].text()
    assert views.packs.cells["Licence"].text()


def test_another_pack_is_loaded_while_the_old_one_plays(views, window, instrument, until):
    views.show_page(2)
    until(lambda: len(views.wiring.packs.packs) >= 4, 20)
    choose_pack(views, "hollow")
    views.packs.load.click()
    until(lambda: views.wiring.packs.problem, 30)
    assert "step.onnx" in views.packs.line.text()
    assert instrument.manifest.name == "first"
    choose_pack(views, "second")
    seen = []
    views.packs.bar.valueChanged.connect(seen.append)
    QTest.keyClick(views.packs.list, Qt.Key.Key_Return)
    until(lambda: instrument.manifest.name == "second", 30)
    until(lambda: views.wiring.packs.current == "second", 20)
    assert any(0 < value < 100 for value in seen)
    assert not views.packs.load.isEnabled()
    until(lambda: not views.wiring.packs.loading, 20)
    choose_pack(views, "first")
    assert views.packs.load.isEnabled()
    views.packs.load.click()
    until(lambda: views.wiring.packs.current == "first", 30)


# ---------------------------------------------------------------------- the log and defects


def test_the_log_is_filtered_by_words_and_by_level(views, window):
    log, page = window.session.log, views.log
    log.say("a cable was pulled", "warning", "device")
    log.say("nothing of note")
    log.say("it broke", "error", "failed")
    assert any("cable" in line for line in page.shown())
    page.words.setText("CABLE device")
    assert [line for line in page.shown() if "cable" in line] == page.shown() != []
    page.words.clear()
    page.level.setCurrentText("Errors")
    assert all("error" in line for line in page.shown())
    assert any("it broke" in line for line in page.shown())
    for n in range(600):
        log.say(f"line {n}")
    assert page.rows.topLevelItemCount() == 500


def test_diagnostics_have_what_a_report_needs_and_no_private_folder(
    views, window, until, monkeypatch
):
    monkeypatch.setenv("HOME", "/home/clara")
    until(lambda: window.session.figures["latency/live"] is not None)
    window.session.log.say("recording into /home/clara/music/take.flac")
    views.log.copy.click()
    text = QGuiApplication.clipboard().text()
    for word in ("attacca ", "Python 3", "Qt 6", "pack: first", "latency/live", "xruns: 0",
                 "~/music/take.flac", "on this machine, port"):  # fmt: skip
        assert word in text, word
    assert "clara" not in text
    assert without_folders(f"{sys.prefix}/lib/x.py") == "<python>/lib/x.py"


@pytest.fixture
def faults(qtbot) -> Faults:
    hooks = sys.excepthook, threading.excepthook
    sys.excepthook = sys.__excepthook__
    made = Faults(Log())
    made.install()
    yield made
    made.remove()
    sys.excepthook, threading.excepthook = hooks


@pytest.mark.qt_no_exception_capture
def test_an_uncaught_exception_is_reported_once_and_the_window_lives(faults, until, capsys):
    def broken() -> None:
        raise KeyError("no such knob")

    timer = QTimer()
    timer.timeout.connect(broken)
    timer.start(5)
    until(lambda: faults.kept and faults.kept[0].times >= 3)
    timer.stop()
    assert [line.text for line in faults._log.lines] == [
        "a defect of the window: KeyError: 'no such knob'"
    ]
    assert "in broken" in faults.kept[0].trace
    assert capsys.readouterr().err.count("Traceback") == 1


@pytest.mark.qt_no_exception_capture
def test_exceptions_of_threads_and_complaints_of_qt_come_through(faults, until):
    def broken() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=broken)
    thread.start()
    thread.join()
    qWarning(b"a widget without a parent")
    until(lambda: len(faults._log.lines) == 2)
    assert {(line.level, line.kind) for line in faults._log.lines} == {
        ("error", "defect"), ("warning", "qt"),
    }  # fmt: skip


@pytest.mark.qt_no_exception_capture
def test_a_defect_is_shown_with_a_way_to_report_it(views, window, until):
    bar = views.fault_bar
    assert not bar.isVisible()
    try:
        raise RuntimeError("a pixel is missing")
    except RuntimeError as error:
        views.faults._exception(RuntimeError, error, error.__traceback__)
    until(bar.isVisible)
    assert "a pixel is missing" in bar.label.text()
    bar.copy.click()
    assert "RuntimeError: a pixel is missing" in QGuiApplication.clipboard().text()
    bar.look.click()
    assert window.views.currentWidget() is views.log
    bar.dismiss.click()
    assert not bar.isVisible()


# ---------------------------------------------------------------------- hands and eyes


def test_every_page_is_reached_by_a_key_and_everything_has_a_name(views, window, qtbot):
    window.activateWindow()
    for number, page in enumerate((views.picture, views.devices, views.packs, views.log), 1):
        QTest.keyClick(
            window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier
        )
        assert window.views.currentWidget() is page
        for part in page.findChildren(QWidget):
            if part.focusPolicy() & Qt.FocusPolicy.TabFocus and part.isVisibleTo(page):
                name = part.accessibleName() or (
                    part.text() if isinstance(part, QAbstractButton) else ""
                )
                assert name or "scroll" in type(part).__name__.lower(), type(part)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (1366, 728), (760, 600)])
def test_the_pages_are_drawn_in_both_themes_and_nothing_is_cut_off(
    views, window, until, qapp, theme, size
):
    apply_theme(qapp, theme)
    window.resize(*size)
    for number in range(4):
        views.show_page(number)
        until(lambda: not cut_off(window), 3.0)  # the layout comes to rest
        assert (window.width(), window.height()) == size
        outside = [
            part.accessibleName() for part in window.centralWidget().findChildren(QWidget)
            if part.isVisible() and not part.visibleRegion().isEmpty()
            and part.mapTo(window, part.rect().topRight()).x() >= size[0]
        ]  # fmt: skip
        assert not outside
    apply_theme(qapp, "light")


def test_reduced_motion_reaches_the_picture(views, window):
    window.reduced_action.trigger()
    assert views.picture._timer.interval() >= 200
    window.reduced_action.trigger()
    assert views.picture._timer.interval() <= 40
