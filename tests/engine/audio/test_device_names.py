"""Devices by name, against a stand-in for PortAudio: messages, vanishing, coming back."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from fake_sounddevice import FakeSoundDevice, FakeStream
from test_callback_ring import call
from virtual_clock import VirtualClock

from engine.audio.device import LOST, OutputDevice
from engine.audio.device_watch import DeviceWatch
from engine.audio.portaudio import PortAudio
from engine.audio.ring import OutputRing
from engine.errors import DeviceError


def fake(*names):
    sd = FakeSoundDevice(list(names))
    return sd, PortAudio(lambda _name: sd)


def ring():
    return OutputRing(1024, 2)


def test_devices_are_listed_with_what_they_can():
    _, portaudio = fake("Built-in Audio", "USB Mic", "Scarlett 2i2")
    shown = portaudio.outputs(rates=(44100, 48000))
    assert [d.name for d in shown] == ["Built-in Audio", "Scarlett 2i2"]
    first = shown[0]
    assert (first.host_api, first.channels, first.default_rate) == ("ALSA", 2, 44100)
    assert (first.rates, first.default, first.label) == ((44100,), True, "Built-in Audio (ALSA)")


@pytest.mark.parametrize("name", ["scarlett", "Scarlett 2i2", " 2I2 (alsa) "])
def test_a_device_is_found_by_a_part_of_its_name(name):
    assert fake("Built-in", "Scarlett 2i2")[1].find(name).name == "Scarlett 2i2"


def test_the_whole_name_wins_over_a_part():
    assert fake("USB Audio #1", "USB Audio")[1].find("usb audio").index == 1


@pytest.mark.parametrize("name", ["default", "", "Default"])
def test_default_is_what_the_system_plays_to(name):
    assert fake("Built-in", "Scarlett")[1].find(name).name == "Built-in"


@pytest.mark.parametrize(
    ("names", "asked", "words"),
    [
        (
            ["Built-in", "Scarlett"],
            "Focusrite",
            "'Focusrite'; choose one of 'Built-in (ALSA)', 'Sc",
        ),
        (["Built-in", "USB A", "USB B"], "usb", "'usb' matches 'USB A (ALSA)', 'USB B (ALSA)'"),
        (["USB Mic"], "default", "there is no sound output device"),
    ],
)
def test_a_name_that_cannot_be_resolved_is_refused_in_one_line(names, asked, words):
    with pytest.raises(DeviceError) as caught:
        fake(*names)[1].find(asked)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("PortAudio library not found"), "sudo apt-get install libportaudio2"),
        (ImportError("no module"), "pip install sounddevice"),
    ],
)
def test_a_missing_library_comes_with_its_cure(error, words):
    def importer(_name):
        raise error

    with pytest.raises(DeviceError, match=words):
        PortAudio(importer).outputs()


def test_a_rate_the_device_does_not_take_is_refused_with_its_own():
    _, portaudio = fake("Built-in")
    with pytest.raises(DeviceError, match=r"does not open at 48000 Hz .*own rate is 44100") as err:
        OutputDevice(portaudio, "built", ring(), rate=48000, clock=VirtualClock())
    assert "\n" not in str(err.value)
    with pytest.raises(DeviceError, match="has 2 output channels, not 4"):
        OutputDevice(portaudio, "built", OutputRing(64, 4), rate=44100, clock=VirtualClock())


def test_a_vanished_device_is_reported_once_and_opened_again_by_name():
    sd, portaudio = fake("Built-in", "Scarlett")
    clock, events, buffer = VirtualClock(), [], ring()
    device = OutputDevice(portaudio, "scarlett", buffer, rate=44100, clock=clock)
    device.start()
    watch = DeviceWatch(device, events.append, clock=clock)

    def look():
        clock.advance(watch.look())

    for _ in range(10):
        call(buffer, 64)
        look()
    assert events == []
    sd.next = ["Built-in"]
    for _ in range(30):  # the stream claims to be active, but nobody calls back
        look()
    assert [e.kind for e in events] == ["lost"]
    assert events[0].message == "the sound device 'Scarlett (ALSA)' is disconnected; waiting for it"
    assert watch.lost
    assert watch.tries > 5
    sd.next = ["HDMI", "Built-in", "Scarlett"]
    for _ in range(4):
        look()
        call(buffer, 64)
    assert [e.kind for e in events] == ["lost", "back"]
    assert sd.streams[-1].options["device"] == 2, "another index: found by name"
    assert device.fault() == ""
    device.close()
    assert device.fault() == LOST


def test_a_stream_that_ended_is_seen_at_once():
    sd, portaudio = fake("Built-in")
    device = OutputDevice(portaudio, "default", ring(), rate=44100, clock=VirtualClock())
    device.start()
    assert device.fault() == ""
    sd.streams[-1].active = False
    assert device.fault() == LOST
    device.close()


def playing_device(rate=44100):
    sd, portaudio = fake("Built-in")
    clock, buffer = VirtualClock(), OutputRing(1 << 18, 2)
    device = OutputDevice(portaudio, "default", buffer, rate=rate, clock=clock)
    device.start()
    return sd, clock, buffer, device


def fill(buffer):
    buffer.write(np.zeros((buffer.space, 2), np.float32))


def test_a_device_that_takes_nothing_is_reported_and_opened_again():
    sd, clock, buffer, device = playing_device()
    events = []
    watch = DeviceWatch(device, events.append, clock=clock)

    def look(seconds, block=441):
        end = clock.now() + seconds
        while clock.now() < end:
            fill(buffer)
            for _ in range(20):  # 10 ms each: the looks are 0.2 s apart
                call(buffer, block)
            clock.advance(watch.look())

    look(5.0)
    assert events == []
    buffer.mute(True)  # callbacks come, and nothing leaves the ring
    stuck_at, opened = clock.now(), len(sd.streams)
    while not events:
        look(0.2)
    assert clock.now() - stuck_at < 1.5
    assert events[0].message == (
        "the sound device 'Built-in (ALSA)' has stopped playing; reopening it"
    )
    assert len(sd.streams) == opened + 1
    assert [e.kind for e in events] == ["lost", "back"]
    buffer.mute(False)
    look(10.0)
    assert len(events) == 2
    device.close()


def test_a_mixer_that_stands_still_is_no_fault_of_the_device():
    _, clock, buffer, device = playing_device()
    buffer.write(np.zeros((1000, 2), np.float32))
    buffer.rest()
    for left in (744, 488, 232, 0, 0, 0):
        call(buffer, 256)
        assert buffer.fill == left
    buffer.write(np.zeros((200, 2), np.float32))  # not enough to go on with
    for _ in range(1000):
        call(buffer, 64)
        clock.advance(0.01)
        assert device.fault() == ""
    assert buffer.fill == 200
    device.close()


def test_a_device_with_blocks_longer_than_a_second_is_not_taken_for_gone():
    _, clock, buffer, device = playing_device()
    for _ in range(10):
        fill(buffer)
        call(buffer, 88200)
        for _ in range(10):
            clock.advance(0.2)
            assert device.fault() == ""
    clock.advance(8.0)
    assert device.fault() == LOST
    device.close()


@pytest.mark.parametrize("latency", [float("nan"), float("inf"), -1.0, 1e9])
def test_a_latency_that_no_device_has_does_not_keep_it_silent(latency, monkeypatch):
    monkeypatch.setattr(FakeStream, "latency_s", latency)
    _, clock, buffer, device = playing_device()
    played = 0.0
    for _ in range(300):
        buffer.write(np.ones((441, 2), np.float32))
        played += float(call(buffer, 441).max())
        clock.advance(0.01)
    assert played > 50.0
    device.close()


def test_a_server_that_hangs_while_a_device_opens_is_reported_in_time():
    sd = FakeSoundDevice(["Built-in"])
    go_on = threading.Event()
    sd.query_devices = lambda: go_on.wait(20) and []
    portaudio = PortAudio(lambda _name: sd, open_limit_s=0.2, close_limit_s=0.1)
    with pytest.raises(DeviceError, match="the sound system has not answered") as caught:
        OutputDevice(portaudio, "default", ring(), rate=44100, clock=VirtualClock())
    assert "\n" not in str(caught.value)
    assert not portaudio.close()
    go_on.set()


def test_a_device_that_opens_too_late_is_closed_again():
    sd = FakeSoundDevice(["Built-in"])
    go_on, opened = threading.Event(), sd._StreamBase

    def slowly(*arguments, **options):
        go_on.wait(20)
        return opened(*arguments, **options)

    sd._StreamBase = slowly
    portaudio = PortAudio(lambda _name: sd, open_limit_s=0.2)
    with pytest.raises(DeviceError):
        OutputDevice(portaudio, "default", ring(), rate=44100, clock=VirtualClock())
    go_on.set()
    deadline = time.monotonic() + 5
    while not (sd.streams and sd.streams[0].closed):
        assert time.monotonic() < deadline
        time.sleep(0.01)
