"""Every counter of the engine, in the window: a sum in the strip, each by name in its tool tip."""

from __future__ import annotations

import pytest

from gui.models.fault_counters import FaultCounters
from gui.models.figures import Figures
from gui.widgets.figures_strip import counter_lines
from osc.fixed_addresses import COUNTED, ERRORS


@pytest.fixture
def figures(qapp) -> Figures:
    made = Figures()
    for name in COUNTED:
        made.take(f"/status/{name}", (7,))
    return made


def test_each_counter_has_a_line_that_explains_it_errors_first(figures):
    lines = list(counter_lines(figures))
    names = [line.split(":")[0] for line in lines]
    assert set(names) == set(COUNTED)
    assert set(names[: len(ERRORS)]) == set(ERRORS)
    assert all(line.endswith(".") and len(line) > 20 for line in lines)


def test_what_is_0_has_no_line(qapp):
    figures = Figures()
    figures.take("/status/errors/source", (0,))
    assert list(counter_lines(figures)) == []


def test_errors_are_summed_and_forgotten_on_request(figures):
    fault_counters = FaultCounters(lambda *_: True, figures)
    assert fault_counters.count("errors") == 7 * len(ERRORS)
    fault_counters.reset()
    assert fault_counters.count("errors") == 0
    figures.take("/status/errors/network", (9,))
    assert fault_counters.count("errors") == 2


def test_the_strip_shows_an_error_of_the_engine(session, instrument, until, qtbot):
    from gui.models.activity import Activity
    from gui.widgets.figures_strip import FiguresStrip

    activity = Activity(session.figures, lambda: 0)
    strip = FiguresStrip(session, activity, FaultCounters(session.send, session.figures))
    qtbot.addWidget(strip)
    instrument._playing.mixer._count.tap_errors += 3
    until(lambda: "3 errors" in strip.fault_counters.text)
    assert "errors/taps: 3. Times a recorder" in strip.fault_counters.toolTip()
