"""What a screen reader says of the window, read over AT-SPI from a real X server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import screen_reader
from control_tables import SHIPPED_TABLE
from PyQt6.QtWidgets import QComboBox, QLabel

from gui.widgets.number_widget import NumberWidget

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("xvfb-run", "dbus-run-session", "xauth")
WINDOW = """
import subprocess, sys
from pathlib import Path
from PyQt6.QtCore import QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from gui.application import Start, make_window
from gui.theme import apply_theme
app = QApplication(["attacca"])
apply_theme(app, "light")
window = make_window(Start("127.0.0.1", 1, None, Path(sys.argv[1])))
window.show()
for name, value in (("gain", -12.5), ("density", 6.0), ("temperature", 0.9), ("room", 0.45)):
    window.session.controls[name].take_value(value)
QTest.qWait(500)
# The event loop itself, not qWait, which sleeps between two questions of the reader.
reader = subprocess.Popen([sys.executable, sys.argv[2]])
ended = QTimer(interval=50)
ended.timeout.connect(lambda: None if reader.poll() is None else app.quit())
ended.start()
app.exec()
"""


def test_a_knob_holds_its_value_and_its_bounds_in_its_own_unit(window):
    """What Qt hands to a screen reader of a spin box, wherever the test below cannot run."""
    for model in window.session.controls:
        for knob in [k for k in window.findChildren(NumberWidget) if k._model is model]:
            low, high = model.control.low, model.control.high
            assert (knob.minimum(), knob.maximum()) == (low, high)
            assert knob.textFromValue(0.0) == knob.lineEdit().text() == model.text
            assert low <= knob.value() <= high
            if not model.is_free:
                assert knob.value() == pytest.approx(float(model.value))
    gain = window.controls.cells["gain"].findChild(NumberWidget)
    assert (gain.value(), gain.lineEdit().text()) == (0.0, "0.0 dB")
    gain.setValue(-6.0)  # as a screen reader sets it
    assert window.session.controls["gain"].value == -6.0


def test_each_list_has_its_label_beside_it(window):
    lists = window.findChildren(QComboBox)
    assert len(lists) >= 5
    for part in lists:
        labels = [
            kid.text() for kid in part.parentWidget().children()
            if isinstance(kid, QLabel) and kid.buddy() is part
        ]  # fmt: skip
        assert labels == [part.accessibleName()]
        assert labels[0]


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> list[dict]:
    if any(shutil.which(p) is None for p in PROGRAMS) or screen_reader.library() is None:
        pytest.skip(f"not installed: at-spi2-core and {', '.join(PROGRAMS)}")
    folder = tmp_path_factory.mktemp("reader")
    env = {
        **os.environ, "QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(ROOT), "NO_AT_BRIDGE": "0",
        "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
    }  # fmt: skip
    reader = str(Path(__file__).with_name("screen_reader.py"))
    done = subprocess.run(
        ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24", "dbus-run-session", "--",
         sys.executable, "-c", WINDOW, str(folder), reader],
        env=env, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr
    return lines


def test_knobs_are_read_with_their_value_and_unit(read):
    knobs = {t["name"]: t for t in read if t["role"] == "spin button"}
    numbers = [
        p for p in SHIPPED_TABLE.with_parts if p.kind in ("number", "whole") and p.name != "seed"
    ]
    assert len(knobs) == len(numbers)
    gain = knobs["Gain, dB"]
    assert (gain["value"], gain["low"], gain["high"]) == (-12.5, -60.0, 12.0)
    assert gain["text"] == "\N{MINUS SIGN}12.5 dB"
    assert knobs["Density, notes/s"]["text"] == "6.0 notes/s"
    assert knobs["Register"]["text"] == "free"
    assert knobs["Room"]["value"] == pytest.approx(0.45)
    assert sum(name.startswith("Harmony") for name in knobs) == 12


def test_lists_are_read_with_their_name_before_their_value(read):
    lists = {t["label"]: t["name"] for t in read if t["role"] == "combo box"}
    assert set(lists) == {"Sampler", "Style", "Quantise", "Tempo source", "Presets", "Levels"}
    assert lists["Tempo source"] == "own"


def test_every_button_and_field_that_is_read_has_a_name(read):
    nameless = [t for t in read if t["role"] in ("text", "push button") and not t["name"]]
    # The buttons in a field (to clear it) belong to it.
    assert [t for t in nameless if t["role"] == "text"] == []
    assert len(nameless) <= 1
