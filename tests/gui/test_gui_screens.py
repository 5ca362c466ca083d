"""The window on real screens of several sizes, by an X server without a monitor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Shows the window as the program does, and tells where it is and what it needs.
PROBE = """
import json, sys
from pathlib import Path
from PyQt6.QtCore import QRect
from PyQt6.QtWidgets import QApplication
from gui.application import Start, make_window
from gui.settings import Settings
from gui.theme import apply_theme
app = QApplication(["attacca"])
apply_theme(app, "light")
folder = Path(sys.argv[1])
window = make_window(Start("127.0.0.1", 1, None, folder))
window.show()
app.processEvents()
screen = window.screen().availableGeometry()
if len(sys.argv) > 2:  # leave it larger than the screen, as a larger one allowed
    window.settings.geometry = window.saveGeometry()
places = {}
for stage in (False, True):
    window.set_stage(stage)
    app.processEvents()
    frame = window.frameGeometry()
    places["stage" if stage else "main"] = [frame.x(), frame.y(), frame.width(), frame.height()]
window.set_stage(False)
app.processEvents()
lowest = window.pages.strip
bottom = lowest.mapTo(window, lowest.rect().bottomRight())
print(json.dumps({"places": places, "screen": [screen.width(), screen.height()],
                  "lowest": [bottom.x(), bottom.y()],
                  "least": [window.minimumWidth(), window.minimumSizeHint().width()]}))
"""


def shown_on(size: str, folder: Path) -> dict:
    if shutil.which("xvfb-run") is None:
        pytest.fail("no xvfb-run") if os.environ.get("CI") else pytest.skip("no xvfb-run")
    env = {**os.environ, "QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["xvfb-run", "-a", "-s", f"-screen 0 {size}x24", sys.executable, "-c", PROBE, str(folder)],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("size", ["1366x768", "1280x800", "1024x700", "800x640", "1920x1080"])
def test_the_first_start_is_wholly_on_the_screen(size, tmp_path):
    shown = shown_on(size, tmp_path)
    wide, high = map(int, size.split("x"))
    for left, top, width, height in shown["places"].values():
        assert left >= 0
        assert top >= 0
        assert left + width <= wide
        assert top + height <= high, "with room for a title bar"
    assert shown["places"]["main"][3] <= high - 30
    assert shown["lowest"][1] < shown["places"]["main"][3], "the lowest line is within the window"
    assert shown["least"][0] <= 760
    assert shown["least"][1] <= 760


def test_a_place_from_a_larger_screen_is_brought_onto_this_one(tmp_path):
    from PyQt6.QtCore import QByteArray, QDataStream, QIODevice, QRect

    from gui.settings import Settings

    # As QWidget.saveGeometry writes it (Qt 6, version 3.0).
    data = QByteArray()
    stream = QDataStream(data, QIODevice.OpenModeFlag.WriteOnly)
    stream.setVersion(QDataStream.Version.Qt_4_0.value)
    place = QRect(1500, 700, 2200, 1200)
    stream.writeUInt32(0x1D9D0CB)
    stream.writeUInt16(3)
    stream.writeUInt16(0)
    stream << place << place
    stream.writeInt32(0)
    stream.writeUInt8(0)
    stream.writeUInt8(0)
    stream.writeInt32(3840)
    stream << place
    settings = Settings(tmp_path)
    settings.geometry = data
    settings.sync()
    shown = shown_on("1366x768", tmp_path)
    left, top, width, height = shown["places"]["main"]
    assert left >= 0
    assert top >= 0
    assert left + width <= 1366
    assert top + height <= 768
    assert width > 1_000, "it was read"
