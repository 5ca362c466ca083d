"""Tempo, beats and what waits for them over OSC, beside an instrument that plays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import soundfile

LATE = 0.8  # seconds: more than a busy machine is late, less than it would take by itself


@pytest.fixture(autouse=True)
def at_rest(instrument):
    yield
    instrument.set(quantise="off", tempo=120.0, beats=4, tempo_source="own")


def test_taps_set_the_tempo_and_beats_are_streamed_with_their_place_in_the_bar(program):
    one, other = program(), program()
    other.send("/subscribe", "/tempo")
    other.ask("/ping", answer="/pong")
    for _ in range(4):
        one.send("/tap", 1)
        one.send("/tap", 0)
        time.sleep(0.3)
    bpm = one.wait("/tempo")[1]
    assert 120 < bpm <= 210
    other.wait("/tempo")
    one.ask("/tempo", 240.0)
    one.ask("/beats", 3)
    one.send("/downbeat", 1)
    one.send("/beat", 1)
    heard = [one.wait("/beat") for _ in range(7)]
    numbers = [number for _, number, _, _ in heard]
    assert numbers == list(range(numbers[0], numbers[0] + 7))
    assert [place for _, _, place, _ in heard] == [n % 3 + 1 for n in numbers]
    assert all(bpm == 240.0 for *_, bpm in heard)
    one.send("/beat", 0)
    one.ask("/ping", answer="/pong")
    assert [m for m in one.listen(0.6) if m[0] == "/beat"] == []


def test_the_status_says_whose_beat_it_is_and_what_is_not_there_is_not_followed(program):
    one = program()
    one.send("/events", 1)
    one.send("/subscribe", "/tempo_source")
    one.ask("/tempo", 97.5)
    one.send("/tempo_source", "midi")  # nobody has set up a clock beside this server
    assert one.wait("/tempo_source", lambda m: m[1] == "own")
    one.send("/status")
    one.wait("/status/tempo/locked")
    got = {m[0].removeprefix("/status/tempo/"): m[1] for m in one.heard if "/tempo/" in m[0]}
    assert got == {"bpm": 97.5, "source": "own", "peers": 0, "locked": 1}


def test_a_recall_waits_for_the_bar_and_both_its_kinds_come_on_it(program, instrument):
    one = program()
    one.ask("/gain", -9.0)
    one.ask("/temperature", 0.6)
    one.send("/preset/save", "dark")
    one.wait("/done")
    one.ask("/gain", 0.0)
    one.ask("/temperature", 1.0)
    one.ask("/tempo", 120.0)
    one.ask("/quantise", "bar")
    one.send("/downbeat", 1)
    one.ask("/ping", answer="/pong")
    began = time.monotonic()
    one.send("/preset/recall", "dark")
    name, left = one.wait("/preset/recall/pending")[1:]
    assert name == "dark"
    played, begins = instrument.horizon()
    assert left > begins - played - 1.0  # the first bar that blocks can still reach
    assert instrument.settings["gain"] == 0.0
    assert one.wait("/done", timeout=15) == ("/done", "/preset/recall", "dark")
    took = time.monotonic() - began
    assert left - instrument.latencies().live - 0.1 < took < left + LATE
    assert one.wait("/preset/recall/pending") == ("/preset/recall/pending", "dark", 0.0)
    assert instrument.settings["gain"] == pytest.approx(-9.0)
    assert instrument.settings["temperature"] == pytest.approx(0.6)
    assert took / 2 % 1 < 0.4 or took / 2 % 1 > 0.9  # bars last 2 s


def test_the_block_of_a_recall_on_the_bar_begins_on_the_bar_or_just_after(program, instrument):
    one = program()
    one.ask("/temperature", 0.8)
    one.send("/preset/save", "cool")
    one.wait("/done")
    one.ask("/temperature", 1.0)
    one.ask("/quantise", "bar")
    one.send("/subscribe", "/temperature")
    one.send("/preset/recall", "cool")
    bar = time.monotonic() + one.wait("/preset/recall/pending")[2]
    left = one.wait("/temperature/pending", lambda m: m[2] > 0, timeout=15)[2]
    heard = time.monotonic() + left
    stride = instrument.latencies().block
    assert -0.1 < heard - bar < 2 * stride + LATE


def test_a_second_press_replaces_the_first_and_both_are_published(program, instrument):
    one, other = program(), program()
    for name, gain in (("a", -3.0), ("b", -6.0)):
        one.ask("/gain", gain)
        one.send("/preset/save", name)
        one.wait("/done")
    one.ask("/gain", 0.0)
    one.ask("/tempo", 60.0)
    one.ask("/quantise", "bar")
    one.send("/downbeat", 1)
    one.send("/preset/recall", "a")
    one.wait("/preset/recall/pending")
    other.send("/preset/recall", "b")
    other.wait("/preset/recall/pending")
    assert one.wait("/preset/recall/pending") == ("/preset/recall/pending", "a", -1.0)
    one.ask("/quantise", "off")  # what waits is let go
    assert other.wait("/done") == ("/done", "/preset/recall", "b")
    assert instrument.settings["gain"] == -6.0


def test_panic_and_stop_wait_for_nothing(program, instrument):
    one = program()
    one.ask("/tempo", 20.0)
    one.ask("/beats", 16)
    one.ask("/quantise", "bar")
    one.send("/events", 1)
    one.send("/panic", 1)
    assert one.wait("/event", timeout=5)[1] == "panic"
    one.send("/stop", 1)
    assert one.ask("/pause") == ("/pause", 1)
    one.send("/play", 1)
    assert one.ask("/pause") == ("/pause", 0)
    one.send("/reset", 1)
    assert one.wait("/reset/pending")[1] > 1


def test_a_recording_is_as_long_as_its_bars(program, instrument):
    one = program()
    one.ask("/tempo", 120.0)
    one.ask("/beats", 2)
    one.ask("/quantise", "bar")
    one.send("/record", "bars")
    name, left = one.wait("/record/pending")[1:]
    assert name == "bars"
    assert 0 < left < 1.05
    path = Path(one.wait("/done")[2])
    time.sleep(1.3)
    one.send("/record", 0)
    assert one.wait("/record/pending", lambda m: m[2] > 0)[1] == ""
    one.wait("/done", lambda m: m[1] == "/record")
    sound, rate = soundfile.read(path)
    bars = len(sound) / rate  # bars last 1 s
    assert bars > 1.6
    assert bars == pytest.approx(round(bars), abs=0.25)


def test_presets_leave_the_beat_alone(program, instrument, tmp_path):
    one = program()
    one.ask("/tempo", 99.0)
    one.send("/preset/save", "any")
    one.wait("/done")
    text = (tmp_path / "library" / "presets" / "any.json").read_text()
    assert '"gain"' in text
    assert "tempo" not in text
    assert "quantise" not in text
    (tmp_path / "library" / "presets" / "old.json").write_text(
        '{"format": 1, "pack": "x", "controls": {"gain": -2, "tempo": 50, "quantise": "bar"}}'
    )
    one.send("/preset/recall", "old")
    one.wait("/done")
    assert (instrument.settings["tempo"], instrument.settings["quantise"]) == (99.0, "off")
