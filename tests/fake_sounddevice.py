"""A stand-in for the sounddevice module: the test moves its devices, and decides what hangs."""

from __future__ import annotations

from types import SimpleNamespace


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
        self._initialized -= 1

    def _initialize(self):
        assert all(s.closed for s in self.streams), "streams must be closed before a scan"
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
    latency_s = 0.05

    def __init__(self, options):
        self.options, self.active, self.closed = options, False, False
        self.latency = self.latency_s

    def start(self):
        self.active = True

    def abort(self, ignore_errors):
        self.active = False

    def close(self, ignore_errors=True):
        self.active, self.closed = False, True
