"""The end of an instrument: the take is closed first, and nothing is waited for without a limit."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import soundfile
from fake_sounddevice import FakeSoundDevice, FakeStream

from engine.audio.portaudio import PortAudio
from engine.errors import ConfigError, DeviceError, WorkerError
from engine.instrument import Instrument
from engine.playing import LivePlaying

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"
LIMIT = 3.0  # seconds within which a program ends, its fade-out included


class Hang:
    """Calls that do not return before the test is over."""

    def __init__(self):
        self.over = threading.Event()

    def __call__(self, *_args, **_how):
        self.over.wait(30)


@pytest.fixture
def hang():
    h = Hang()
    yield h
    h.over.set()


@pytest.fixture
def card(monkeypatch):
    """The only sound device there is, and nothing drains it."""
    sd = FakeSoundDevice(["Card"])
    monkeypatch.setattr("engine.output.PortAudio", lambda **how: PortAudio(lambda _name: sd, **how))
    return sd


def closed(instrument):
    began = time.monotonic()
    instrument.close()
    return time.monotonic() - began


@pytest.mark.parametrize("where", ["abort", "close"])
def test_a_hung_device_keeps_neither_the_take_nor_the_end(where, card, hang, monkeypatch, tmp_path):
    take = tmp_path / "take.flac"
    instrument = Instrument(TINY, latency=1.0, threads=1)
    instrument.play("Card")
    instrument.wait_for_sound()
    instrument.record(take)
    pid = instrument.generator_pid
    time.sleep(0.3)
    monkeypatch.setattr(FakeStream, where, hang)
    assert closed(instrument) < LIMIT
    assert soundfile.info(take).frames >= 0, "the file is finished, and can be read"
    assert any("does not answer" in e.text for e in instrument.events if e.kind == "device")
    assert instrument.generator_pid is None
    assert not Path(f"/proc/{pid}").exists()
    assert closed(instrument) < 0.2, "twice is harmless"


def test_a_device_that_hangs_while_the_watch_opens_it_again_does_not_hold_up_the_end(
    card, hang, monkeypatch
):
    instrument = Instrument(TINY, latency=1.0, threads=1)
    instrument.play("Card")
    monkeypatch.setattr(FakeStream, "close", hang)
    for stream in card.streams:
        stream.active = False
    deadline = time.monotonic() + 5
    while not any("is disconnected" in e.text for e in instrument.events):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.1)
    assert closed(instrument) < LIMIT


def test_a_device_that_hangs_when_it_is_chosen_does_not_hold_up_the_end(card, hang):
    instrument = Instrument(TINY, latency=1.0, threads=1)
    instrument.play(None)
    instrument.wait_for_sound()
    card.query_devices = hang
    problems = []

    def move():
        try:
            instrument.move("Card")
        except (DeviceError, ConfigError) as error:
            problems.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    time.sleep(0.5)
    assert not problems
    assert closed(instrument) < LIMIT
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert len(problems) == 1
    with pytest.raises(ConfigError, match="nothing is playing"):
        instrument.status()


def test_a_device_that_does_not_start_leaves_the_old_one_playing(card, monkeypatch):
    def refuse(_stream):
        raise card.PortAudioError("Device unavailable")

    with Instrument(TINY, latency=1.0, threads=1) as instrument:
        instrument.play(None)
        instrument.wait_for_sound()
        monkeypatch.setattr(FakeStream, "start", refuse)
        with pytest.raises(DeviceError, match="does not start: Device unavailable"):
            instrument.move("Card")
        assert instrument.status().device == "none"
        before = instrument.extent()[0]
        time.sleep(0.5)
        assert instrument.extent()[0] > before, "the music goes on"


def test_a_tap_that_hangs_keeps_neither_the_take_nor_the_end(hang, tmp_path):
    take = tmp_path / "take.flac"
    instrument = Instrument(TINY, latency=1.0, threads=1)
    instrument.play(None)
    instrument.wait_for_sound()
    instrument.record(take)
    time.sleep(0.3)
    instrument.tap(hang)
    time.sleep(0.1)
    assert closed(instrument) < LIMIT
    assert soundfile.info(take).duration > 0.1
    assert any("hangs" in e.text for e in instrument.events if e.kind == "failed")


def test_what_ends_the_mixer_is_reported_at_once_and_is_the_instruments_failure(monkeypatch):
    with Instrument(TINY, latency=1.0, threads=1) as instrument:
        instrument.play(None)
        instrument.wait_for_sound()
        playing = instrument._playing
        assert isinstance(playing, LivePlaying)
        mixer = playing.mixer

        def fail(_block):
            raise MemoryError("no room for a block")

        monkeypatch.setattr(mixer._limiter, "process", fail)
        deadline = time.monotonic() + 5
        while instrument.failure is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert isinstance(instrument.failure, WorkerError)
        assert "no room for a block" in str(instrument.failure)
        assert "no room for a block" in instrument.status().failed
        failed = [e.text for e in instrument.events if e.kind == "failed"]
        assert len(failed) == 1
    assert len([e for e in instrument.events if e.kind == "failed"]) == 1


def test_an_instrument_that_was_closed_plays_again(card):
    instrument = Instrument(TINY, latency=1.0, threads=1)
    for _ in range(2):
        instrument.play("Card")
        instrument.wait_for_sound()
        assert instrument.status().device == "Card (ALSA)"
        instrument.close()
    assert all(s.closed for s in card.streams)
