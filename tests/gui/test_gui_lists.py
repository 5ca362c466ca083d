"""Devices, packs, mishaps and lights: the models, fed by hand, and what they ask for."""

from __future__ import annotations

import pytest

from gui.models.activity import Activity
from gui.models.controls import ControlModels
from gui.models.devices import Devices
from gui.models.figures import Figures
from gui.models.mishaps import Mishaps
from gui.models.packs import Packs
from gui.models.transport import Transport
from gui.widgets.record_line import RecordLine


class Engine:
    """What was sent to it, and a clock."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []
        self.reachable, self.packets, self.now = True, 0, 10.0
        self.figures = Figures()

    def send(self, *message: object) -> bool:
        if self.reachable:
            self.sent.append(message)
        return self.reachable

    def tell(self, qtbot, **figures: object) -> None:
        """As one answer to /status."""
        with qtbot.waitSignal(self.figures.changed, timeout=5_000):
            for name, value in figures.items():
                self.figures.take(f"/status/{name.replace('__', '/')}", (value,))


@pytest.fixture
def engine(qapp) -> Engine:
    return Engine()


@pytest.fixture
def devices(engine) -> Devices:
    return Devices(engine.send, engine.figures)


@pytest.fixture
def packs(engine) -> Packs:
    return Packs(engine.send, engine.figures)


def list_devices(devices: Devices) -> None:
    devices.find()
    for name, api, default in (
        ("HDMI", "ALSA", 0), ("Speakers", "ALSA", 0), ("Speakers", "JACK", 1),
    ):  # fmt: skip
        devices.take("/device/info", (name, api, 2, 48_000, 8.7, default))
    devices.take("/device/list/end", (3,))


def test_devices_are_grouped_and_the_one_that_plays_is_known_by_name_and_api(
    devices, engine, qtbot
):
    list_devices(devices)
    assert engine.sent == [("/device/list",)]
    assert list(devices.groups()) == ["JACK", "ALSA"]
    engine.tell(qtbot, device="Speakers (ALSA)")
    assert [d.label for d in devices.devices if devices.is_current(d)] == ["Speakers (ALSA)"]
    assert not devices.is_looking


def test_a_search_that_is_under_way_does_not_empty_the_list(devices):
    list_devices(devices)
    devices.find()
    devices.take("/device/info", ("HDMI", "ALSA", 2, 48_000, 8.7, 1))
    assert len(devices.devices) == 3
    devices.find()
    devices.take("/device/list/end", (1,))
    assert [d.name for d in devices.devices] == ["HDMI"]


def test_a_switch_is_one_at_a_time_and_what_follows_waits_for_it(devices, engine):
    list_devices(devices)
    done, selected = [], []
    devices.selected.connect(selected.append)
    devices.select("Speakers (ALSA)", lambda: done.append(1))
    devices.select("none")
    assert engine.sent[-1] == ("/device/select", "Speakers (ALSA)")
    assert (devices.changing, done) == ("Speakers (ALSA)", [])
    devices.take("/done", ("/device/select", "Speakers (ALSA)"))
    assert (devices.changing, done, selected) == ("", [1], ["Speakers (ALSA)"])


def test_a_switch_that_fails_is_explained_and_not_remembered(devices, engine):
    list_devices(devices)
    done, selected = [], []
    devices.selected.connect(selected.append)
    devices.select("HDMI (ALSA)", lambda: done.append(1))
    devices.take("/error", ("/device/select", "device", "HDMI cannot be opened: busy"))
    assert (devices.changing, devices.problem) == ("", "HDMI cannot be opened: busy")
    assert (done, selected) == ([], [])
    devices.select("none")
    assert devices.problem == ""


def test_an_engine_that_goes_takes_the_list_with_it(devices, packs, engine):
    list_devices(devices)
    devices.select("none")
    packs.take_connected(True)
    for model in (devices, packs):
        model.take_connected(False)
    assert (devices.devices, devices.changing, packs.packs) == ((), "", ())
    engine.reachable = False
    devices.find()
    packs.load("second")
    assert not devices.is_looking
    assert not packs.loading


INFO = ("first", "First", "1.0", "CC0-1.0", 24_000, 1, 0.68, 30.0, "", "plays with ease")


def test_packs_say_what_they_are_and_what_was_measured(packs, engine):
    packs.take_connected(True)
    assert engine.sent == [("/packs/list",)]
    packs.take("/packs/info", INFO)
    packs.take("/packs/info", ("broken", "", "", "", 0, 0, 0.0, 0.0, "no such file", ""))
    packs.take("/packs/info", ("short",))
    packs.take("/packs/list/end", (2,))
    first, broken = packs.packs
    assert first.verdict_text == "plays with ease"
    assert "attacca bench broken" in broken.verdict_text
    assert broken.trouble == "no such file"


def test_a_pack_is_loaded_step_by_step_and_the_current_one_is_not(packs, engine, qtbot):
    engine.tell(qtbot, pack="first")
    packs.load("first")
    assert engine.sent == []
    loaded = []
    packs.loaded.connect(loaded.append)
    packs.load("second")
    packs.take("/progress", ("/packs/load", 0.5))
    packs.take("/progress", ("/device/select", 0.9))
    assert (packs.loading, packs.progress, loaded) == ("second", 0.5, [])
    packs.take("/done", ("/packs/load", "second"))
    assert (packs.loading, loaded) == ("", ["second"])
    packs.load("third")
    packs.take("/error", ("/packs/load", "refused", "step.onnx is damaged"))
    assert (packs.loading, packs.problem, loaded) == ("", "step.onnx is damaged", ["second"])


def test_dropouts_are_counted_from_the_reset_on(engine, qtbot):
    mishaps = Mishaps(engine.send, engine.figures)
    engine.tell(qtbot, xruns=3, gaps=2, restarts=1)
    assert [mishaps.count(n) for n in ("xruns", "gaps", "restarts")] == [3, 2, 1]
    mishaps.reset()
    assert ("/xruns/reset", 1) in engine.sent
    engine.tell(qtbot, xruns=0, gaps=4)
    assert [mishaps.count(n) for n in ("xruns", "gaps", "restarts")] == [0, 2, 0]
    engine.tell(qtbot, xruns=1, gaps=1, restarts=0)  # an engine begun anew
    engine.tell(qtbot, gaps=3)
    assert [mishaps.count(n) for n in ("xruns", "gaps")] == [1, 2]


def test_a_light_is_for_others_and_not_for_the_window_itself(engine, qtbot):
    lights = Activity(engine.figures, lambda: engine.packets, lambda: engine.now)

    def look(others: int, **more: int) -> None:
        engine.now += 0.33
        engine.packets += 2
        engine.tell(qtbot, osc__packets=engine.packets + others, **more)

    for _ in range(9):
        look(100)
    assert not lights.is_lit("osc")
    assert not lights.is_told("midi")
    look(104)
    assert lights.is_lit("osc")
    assert lights.count("osc") == 4
    for _ in range(3):
        look(104)
    assert not lights.is_lit("osc")
    engine.packets += 5  # on their way: the engine has not counted them yet
    look(99)
    look(104)
    assert not lights.is_lit("osc")
    for _ in range(9):
        look(104, midi__in=7, midi__out=0)
    look(104, midi__in=8, midi__out=0)
    assert lights.is_lit("midi")


# ---- recording


def test_a_recording_that_has_stopped_by_itself_says_why_where_it_was_shown(qtbot):
    engine = Engine()
    transport = Transport(engine.send, ControlModels(engine.send), engine.figures)
    line = RecordLine(transport)
    qtbot.addWidget(line)
    engine.tell(qtbot, **{"recording": "/takes/a.flac", "recording/problem": ""})
    assert "Recording" in line.figures.text()
    why = "Recording stopped: the disk is full. a.flac holds 3:20 and can be played."
    engine.tell(qtbot, **{"recording": "", "recording/problem": why})
    assert not transport.is_recording
    assert line.figures.text() == "Recording stopped"
    assert line.path.toolTip() == why
    engine.tell(qtbot, **{"recording": "/takes/b.flac", "recording/problem": ""})
    assert line.path.toolTip() == "/takes/b.flac"
    engine.tell(qtbot, **{"recording": "", "recording/problem": ""})
    assert line.figures.text() == "Recorded"
