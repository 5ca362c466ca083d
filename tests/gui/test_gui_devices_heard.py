"""A sound device chosen in the window's list: the music goes there, as a sound server hears it."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from tiny_pack import TINY

from engine.instrument import Instrument
from gui.application import Start, make_window
from osc.server import OscServer

LABEL = Qt.ItemDataRole.UserRole


@pytest.fixture
def window(pulse, tmp_path, qtbot, until):
    with (
        Instrument(TINY, latency=1.0, threads=1) as instrument,
        OscServer(instrument, port=0, library=tmp_path / "library") as server,
    ):
        instrument.play(None)
        instrument.wait_for_sound()
        made = make_window(Start("127.0.0.1", server.port, None, tmp_path))
        qtbot.addWidget(made, before_close_func=lambda w: setattr(w, "_may_close", True))
        made.show()
        until(lambda: made.session.figures.text("device") == "none", 20)
        yield made
        made.session.connection.stop()


def test_a_device_chosen_in_the_list_is_where_the_music_goes(window, pulse, until):
    pages = window.pages
    assert pages is not None
    pages.show_page(1)
    tree, devices = pages.devices.tree, pages.wiring.devices

    def item():
        found = (i for i in pages.devices._items() if str(i.data(0, LABEL)).startswith("pulse ("))
        return next(found, None)

    until(lambda: item() is not None, 40)
    with pulse.recording() as heard:
        tree.setCurrentItem(item())
        QTest.keyClick(tree, Qt.Key.Key_Return)
        until(lambda: devices.current.startswith("pulse"), 40)
        until(lambda: item().text(1), 10)
        assert not devices.problem
        assert pages._names[1].text() == devices.current, "the top of the page says it too"
        until(lambda: len(heard()) > 48_000 and np.abs(heard()[-24_000:]).max() > 1e-3, 30)
