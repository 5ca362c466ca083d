"""Snapshots, going back and forking over OSC, beside an instrument that plays."""

from __future__ import annotations

import time

import pytest

from osc.addresses import FIXED, address_space
from osc.templates.surface import surface

ACTIONS = (
    "/snapshot/take", "/snapshot/recall", "/go_back/beats", "/go_back/bars", "/go_back/blocks",
    "/fork",
)  # fmt: skip


@pytest.fixture(autouse=True)
def at_rest(instrument):
    yield
    instrument.quantised_actions.clear()
    instrument.set(quantise="off", tempo=120.0, beats=4, tempo_source="own", pause=False)


@pytest.fixture
def history(instrument):
    """More than a second to go back by."""
    end = time.monotonic() + 20
    while instrument.history_seconds() < 1.0:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def returned(instrument, monkeypatch):
    """What the music was made to go back by; it does so as well."""
    asked, go_back = [], type(instrument).go_back

    def noted(self, seconds=0.0, **more):
        asked.append({"seconds": seconds, **more})
        go_back(self, seconds, **more)

    monkeypatch.setattr(type(instrument), "go_back", noted)
    return asked


def test_snapshots_are_taken_listed_recalled_and_deleted(program, instrument, tmp_path, history):
    one, other = program(), program(tcp=True)
    other.send("/subscribe", "/gain")
    other.ask("/ping", answer="/pong")
    one.ask("/temperature", 0.6)
    one.send("/snapshot/take", "Verse 1")
    assert one.wait("/done") == ("/done", "/snapshot/take", "Verse 1")
    assert other.wait("/snapshot/list") == ("/snapshot/list", "Verse 1")
    folder = tmp_path / "library" / "snapshots"
    assert [p.name for p in folder.iterdir()] == ["Verse 1.attacca-snapshot"]
    one.send("/snapshot/take", 1)
    one.send("/snapshot/take", 0)  # a button that comes up
    assert one.wait("/done") == ("/done", "/snapshot/take", "Snapshot 1")
    one.send("/snapshot/take")
    assert one.wait("/done") == ("/done", "/snapshot/take", "Snapshot 2")
    names = ("Snapshot 1", "Snapshot 2", "Verse 1")
    assert one.ask("/snapshot/list") == ("/snapshot/list", *names)
    one.ask("/temperature", 1.2)
    one.send("/snapshot/recall", "Verse 1")
    assert one.wait("/done", lambda m: m[1] == "/snapshot/recall")[2] == "Verse 1"
    assert instrument.settings["temperature"] == pytest.approx(0.6)
    one.send("/snapshot/recall")
    assert one.wait("/done", lambda m: m[1] == "/snapshot/recall")[2] == "Snapshot 2"
    one.send("/snapshot/delete", "Verse 1")
    one.wait("/done", lambda m: m[1] == "/snapshot/delete")
    assert one.ask("/snapshot/list") == ("/snapshot/list", *names[:2])


def test_a_recall_on_the_beat_says_when_and_when_it_is_audible(program, instrument, history):
    one, other = program(), program()
    one.send("/snapshot/take", "here")
    one.wait("/done")
    one.ask("/tempo", 200.0)
    one.send("/snapshot/recall", "here", "beat")
    name, left = one.wait("/snapshot/recall/pending")[1:]
    assert name == "here"
    assert 0 < left < 5
    assert one.wait("/snapshot/recall/pending")[2] == 0.0
    assert one.wait("/done") == ("/done", "/snapshot/recall", "here")
    assert instrument.settings["tempo"] == 120.0  # that of the snapshot
    one.ask("/tempo", 20.0)
    one.ask("/quantise", "bar")  # what it waits for without a word about it
    one.send("/snapshot/recall", "here")
    assert one.wait("/snapshot/recall/pending")[2] > 0
    other.send("/snapshot/recall", "here", "bar")
    other.wait("/snapshot/recall/pending")
    assert one.wait("/snapshot/recall/pending") == ("/snapshot/recall/pending", "here", -1.0)


def test_the_music_goes_back_by_each_measure(returned, program, instrument, history):
    one = program()
    one.ask("/tempo", 300.0)
    one.ask("/beats", 2)
    for message in (
        ("/go_back", 0.5), ("/go_back/beats", 1), ("/go_back/beats",), ("/go_back/beats", 0),
        ("/go_back/bars", 1), ("/go_back/blocks", 1),
    ):  # fmt: skip
        one.send(*message)
        one.ask("/ping", answer="/pong")
    assert returned == [
        {"seconds": 0.5}, {"seconds": 0.0, "beats": 1.0}, {"seconds": 0.0, "beats": 1.0},
        {"seconds": 0.0, "beats": 2.0}, {"seconds": 0.0, "blocks": 1},
    ]  # fmt: skip
    assert not [m for m in one.heard if m[0] == "/error"]
    one.send("/status")
    assert one.wait("/status/history")[1] == pytest.approx(instrument.history_seconds(), abs=2.0)


def test_a_fork_takes_the_next_seed_or_the_one_that_is_sent(program, instrument, history):
    one = program()
    one.ask("/seed", 40)
    one.send("/subscribe", "/seed")
    one.send("/fork", 1)
    assert one.wait("/seed", lambda m: m[1] == 41)
    one.send("/fork", 0)
    one.send("/fork")
    assert one.wait("/seed", lambda m: m[1] == 42)
    one.send("/fork", 77)
    assert one.wait("/seed", lambda m: m[1] == 77)


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (("/go_back", 5000.0), "value", "cannot be used; use 0 to 3600"),
        (("/go_back", 3599.0), "value", "is too far; the history reaches back"),
        (("/go_back",), "value", "send the seconds"), (("/go_back", "x"), "value", "number"),
        (("/go_back", float("nan")), "value", "not a number"),
        (("/go_back/bars", -1), "value", "cannot be used"),
        (("/go_back/blocks", 90_000), "value", "too far"),
        (("/fork", float("inf")), "value", "send 0 to"), (("/fork", -3), "value", "send 0 to"),
        (("/snapshot/take", "../x"), "value", "cannot be a name"),
        (("/snapshot/recall", "/etc/passwd"), "value", "cannot be a name"),
        (("/snapshot/recall", "none"), "value", "there is no 'none'"),
        (("/snapshot/recall", "none", "soon"), "value", "'soon' is no time; use now, beat or bar"),
        (("/snapshot/recall",), "value", "no snapshot was taken yet"),
        (("/snapshot/delete", "a/b"), "value", "cannot be a name"),
        (("/snapshot/delete",), "value", "send one name"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(program, instrument, history, message, code, text):
    one = program()
    one.send(*message)
    error = one.wait("/error")
    assert error[1:3] == (message[0], code)
    assert text in error[3]
    assert "\n" not in error[3]


def test_a_damaged_file_is_refused_and_the_music_goes_on(program, instrument, history, tmp_path):
    one = program()
    one.send("/snapshot/take", "old")
    one.wait("/done")
    path = tmp_path / "library" / "snapshots" / "old.attacca-snapshot"
    data = bytearray(path.read_bytes())
    middle = slice(len(data) // 2, len(data) // 2 + 200)  # more than a header that no sum covers
    data[middle] = bytes(byte ^ 8 for byte in data[middle])
    path.write_bytes(data)
    one.send("/snapshot/recall", "old")
    error = one.wait("/error")
    assert error[1:3] == ("/snapshot/recall", "storage")
    assert "choose another file" in error[3]
    path.write_bytes(b"")
    one.send("/snapshot/recall", "old")
    assert one.wait("/error")[2] == "storage"
    assert instrument.failure is None


def test_every_action_has_a_button_on_the_controllers(instrument):
    whole = surface(address_space(instrument.settings.table))
    assert set(ACTIONS) <= {button.path for button in whole.buttons}
    assert all(a.about for a in FIXED if a.path in ACTIONS)
