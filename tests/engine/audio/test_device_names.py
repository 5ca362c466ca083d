"""Devices by name, against a stand-in for PortAudio: messages, vanishing, coming back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from engine.audio.clock import ManualClock
from engine.audio.device import OutputDevice, PortAudio
from engine.audio.ring import OutputRing
from engine.audio.watch import DeviceWatch
from engine.errors import DeviceError


class FakeError(Exception):
    pass


class FakeSoundDevice:
    """As much of sounddevice as is used; the test moves devices and time."""

    PortAudioError = FakeError
    _ffi = SimpleNamespace(cast=lambda _type, value: value)

    def __init__(self, names):
        self.names = self.next = names
        self.default = SimpleNamespace(device=[-1, 0 if names else -1])
        self.streams = []
        self._initialized = 1

    def query_hostapis(self):
        return [{"name": "ALSA", "default_output_device": 0}]

    def query_devices(self):
        return [
            {
                "name": name,
                "hostapi": 0,
                "max_output_channels": 0 if "Mic" in name else 2,
                "default_samplerate": 44100.0,
                "default_low_output_latency": 0.01,
            }
            for name in self.names
        ]

    def check_output_settings(self, _index, samplerate, dtype):
        if samplerate != 44100:
            raise FakeError("Invalid sample rate")

    def _terminate(self):
        assert all(s.closed for s in self.streams), "streams must be closed before a scan"
        self._initialized -= 1

    def _initialize(self):
        self._initialized += 1
        self.names = self.next
        self.default.device[1] = 0 if self.names else -1

    def _StreamBase(self, kind, **options):  # noqa: N802
        if options["samplerate"] != 44100:
            raise FakeError("Error opening\nstream: Invalid sample rate")
        stream = FakeStream(options)
        self.streams.append(stream)
        return stream


class FakeStream:
    def __init__(self, options):
        self.options, self.active, self.closed, self.latency = options, False, False, 0.05

    def start(self):
        self.active = True

    def abort(self, ignore_errors):
        self.active = False

    def close(self, ignore_errors=True):
        self.active, self.closed = False, True


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
        (["Built-in", "Scarlett"], "Focusrite", "'Focusrite'; there is: 'Built-in (ALSA)', 'Sc"),
        (["Built-in", "USB A", "USB B"], "usb", "'usb' may mean 'USB A (ALSA)', 'USB B (ALSA)'"),
        (["USB Mic"], "default", "there is no sound output device"),
    ],
)
def test_a_name_that_cannot_be_resolved_is_told_in_one_line(names, asked, words):
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


def test_a_rate_the_device_does_not_take_is_told_with_its_own():
    _, portaudio = fake("Built-in")
    with pytest.raises(DeviceError, match=r"does not open at 48000 Hz .*own rate is 44100") as err:
        OutputDevice(portaudio, "built", ring(), rate=48000, clock=ManualClock())
    assert "\n" not in str(err.value)
    with pytest.raises(DeviceError, match="has 2 output channels, not 4"):
        OutputDevice(portaudio, "built", OutputRing(64, 4), rate=44100, clock=ManualClock())


def test_a_vanished_device_is_told_once_waited_for_and_taken_again_by_name():
    from test_callback_ring import call

    sd, portaudio = fake("Built-in", "Scarlett")
    clock, events, buffer = ManualClock(), [], ring()
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
    assert events[0].message == "the sound device 'Scarlett (ALSA)' is gone; waiting for it"
    assert watch.lost
    assert watch.tries > 5
    sd.next = ["HDMI", "Built-in", "Scarlett"]
    for _ in range(4):
        look()
        call(buffer, 64)
    assert [e.kind for e in events] == ["lost", "back"]
    assert events[1].away_s > 5.0
    assert sd.streams[-1].options["device"] == 2, "another index: found by name"
    assert device.alive()
    device.close()
    assert not device.alive()


def test_a_stream_that_ended_is_seen_at_once():
    sd, portaudio = fake("Built-in")
    device = OutputDevice(portaudio, "default", ring(), rate=44100, clock=ManualClock())
    device.start()
    assert device.alive()
    sd.streams[-1].active = False
    assert not device.alive()
