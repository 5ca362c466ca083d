"""The whole output path against real sound servers: what comes out of the other end."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sound_servers import alsa_over_jack, machine_floor

from engine.arguments import LATENCIES
from engine.audio.device import OutputDevice
from engine.audio.device_watch import DeviceWatch
from engine.audio.mixer import Mixer
from engine.audio.portaudio import PortAudio
from engine.audio.ring import OutputRing
from engine.audio.sinks import RingSink
from engine.errors import DeviceError
from engine.output import Output
from engine.time.clock import SystemClock

pytestmark = [pytest.mark.sound, pytest.mark.slow]

RATE = 48000
LEVEL = 0.5
OWN_JUMP = LEVEL * 2 * np.sin(np.pi * 1000 / RATE)
FADE_JUMP = LEVEL * 1.5 / 240


class Sine:
    """1 kHz at 48 kHz, mono."""

    def __init__(self):
        self.at = 0

    def pull(self, frames):
        t = np.arange(self.at, self.at + frames)
        self.at += frames
        return (LEVEL * np.sin(2 * np.pi * 1000 * t / RATE)).astype(np.float32)[:, None]


@contextlib.contextmanager
def playing(name, *, target=1024, **options):
    """Mixer, ring and device, playing; closed in the right order."""
    portaudio, clock = PortAudio(), SystemClock()
    portaudio.rescan()
    ring = OutputRing(65536, 2)
    device = OutputDevice(portaudio, name, ring, rate=RATE, clock=clock, **options)
    m = Mixer(
        Sine(),
        RingSink(ring, RATE, target / RATE),
        rate_in=RATE,
        rate_out=RATE,
        channels_in=1,
        clock=clock,
    )
    m.run_live()
    device.start()
    try:
        yield m, device, ring
    finally:
        m.stop()
        time.sleep(0.05)
        device.close()
        portaudio.close()  # lets go of the server before it ends


@contextlib.contextmanager
def busy_python_thread():
    ending = threading.Event()

    def spin():
        count = 0
        while not ending.is_set():
            count += 1

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def sounding(x: np.ndarray) -> np.ndarray:
    """From the first to the last audible frame, less the fade at either end."""
    at = np.flatnonzero(np.abs(x[:, 0]) > 0.4 * LEVEL)
    assert len(at), "nothing was heard"
    return x[at[0] : at[-1] + 1]


def gaps(x: np.ndarray, least: int = RATE // 100) -> list[int]:
    """Lengths of the runs of at least 10 ms in which nothing is heard."""
    quiet = np.concatenate([[False], np.abs(x[:, 0]) < 0.01, [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(int)))
    runs = edges[1::2] - edges[::2]
    return [int(r) for r in runs if r >= least]


def jumps(x: np.ndarray) -> int:
    return int((np.abs(np.diff(x, axis=0)).max(axis=1) > OWN_JUMP + FADE_JUMP + 1e-3).sum())


def faults(x, ring, seconds):
    """Gaps, clicks and underruns of a take beyond those that the machine itself makes."""
    x, stats = sounding(x), ring.stats()
    assert len(x) > seconds * RATE
    np.testing.assert_array_equal(x[:, 0], x[:, 1])
    found = max(len(gaps(x)), jumps(x), stats.underruns, stats.output_underflows)
    floor = machine_floor(seconds, 0.005) if found else 0
    print(f"{len(x) / RATE:.2f} s, gaps {gaps(x)}, jumps {jumps(x)}, floor {floor}, {stats}")
    return max(0, found - floor)


def assert_unbroken_sine(take):
    """One of three takes is without fault: ours come back in each, a stall of the host does not."""
    assert any(take() == 0 for _ in range(3))


@pytest.mark.alone
def test_pulseaudio_receives_an_unbroken_sine(pulse):
    def take():
        with pulse.recording() as heard, playing("pulse", target=2048) as (_, device, ring):
            assert "pulse" in device.info.name
            time.sleep(6.0)
            assert device.fault() == ""
        return faults(heard(), ring, 5.0)

    assert_unbroken_sine(take)


@pytest.mark.alone
def test_jack_receives_an_unbroken_sine(jack):
    def take():
        with playing("JACK", block=256) as (_, _, ring):
            time.sleep(0.5)
            with jack.recording() as heard:
                time.sleep(6.0)
            assert ring.stats().last_block == 256
        return faults(heard(), ring, 5.0)

    assert_unbroken_sine(take)


@contextlib.contextmanager
def through_output(device, latency):
    """The product's own output, as `Instrument.play` opens it, with a sine."""
    clock, events = SystemClock(), []
    output = Output(device, latency, clock, lambda *event: events.append(event), threading.Event())
    m = Mixer(
        Sine(), output.sink, rate_in=output.rate, rate_out=output.rate, channels_in=1, clock=clock
    )
    m.run_live()
    output.start()
    try:
        yield output
    finally:
        output.unwatch()
        m.stop()
        output.drain()
        output.close()
    assert events == []


@pytest.mark.alone
@pytest.mark.parametrize(
    ("jack", "device", "latency"),
    [
        ((4096, 48000), "system", "default"),
        ((4096, 48000), "overjack", "default"),
        ((2048, 96000), "overjack", "jam"),
        ((8192, 96000), "overjack", "jam"),
    ],
    indirect=["jack"],
)
def test_a_device_with_long_blocks_plays_without_a_gap(
    jack, device, latency, tmp_path, monkeypatch
):
    for name, value in alsa_over_jack(tmp_path).items():
        monkeypatch.setenv(name, value)

    def take():
        with through_output(device, LATENCIES[latency]) as output:
            assert output.rate == jack.rate
            time.sleep(1.0)
            with jack.recording() as heard:
                time.sleep(3.0)
            assert output.ring is not None
            assert output.ring.fill >= jack.period
            return faults(heard(), output.ring, 2.5)

    assert_unbroken_sine(take)


@pytest.mark.alone
def test_a_period_that_changes_while_it_plays_costs_one_gap_at_most(jack):
    with through_output("system", LATENCIES["jam"]) as output:
        assert output.ring is not None
        time.sleep(1.0)
        assert output.ring.stats().underruns <= 1
        jack.set_period(4096)
        time.sleep(1.0)
        before = output.ring.stats()
        time.sleep(2.0)
        after = output.ring.stats()
        played = after.frames_played - before.frames_played
        assert after.underruns <= before.underruns + machine_floor(2, 0.005)
        assert played > 1.7 * RATE


@pytest.mark.alone
def test_a_busy_python_thread_causes_no_dropout(jack):
    with playing("JACK", block=256, target=2048) as (_, _, ring), busy_python_thread():
        time.sleep(0.5)
        before = ring.stats().underruns
        time.sleep(4.0)
        stats, lowest = ring.stats(), ring.take_min_fill()
    print(f"underruns {stats.underruns - before}, lowest fill {lowest}, {stats}")
    faults = max(stats.underruns - before, stats.output_underflows)
    assert faults <= (2 + machine_floor(5, 0.005) if faults else 0)


@pytest.mark.alone
def test_a_pulseaudio_that_dies_and_comes_back_is_played_to_again(pulse):
    events = []
    with playing("pulse") as (_, device, ring):
        watch = DeviceWatch(device, events.append, clock=SystemClock(), retry_s=0.3)
        time.sleep(1.0)
        watch.start()
        try:
            time.sleep(0.5)
            assert events == []
            pulse.kill()
            wait_for(lambda: events, 6)
            assert [e.kind for e in events] == ["lost"]
            pulse.start()
            wait_for(lambda: len(events) > 1, 6)
            with pulse.recording() as heard:
                time.sleep(2.0)
        finally:
            watch.stop()
        assert device.fault() == ""
    assert [e.kind for e in events] == ["lost", "back"]
    x = sounding(heard())
    assert len(x) > RATE
    assert jumps(x) <= 1
    assert ring.stats().underruns <= 2


def test_a_sink_that_is_unplugged_and_plugged_in_is_played_to_again(pulse):
    events = []
    with playing("pulse") as (_, device, _ring):
        watch = DeviceWatch(device, events.append, clock=SystemClock(), retry_s=0.3)
        time.sleep(1.0)
        watch.start()
        try:
            pulse.pactl("unload-module", "module-null-sink")
            wait_for(lambda: events, 6)
            pulse.pactl("load-module", "module-null-sink", "sink_name=ci", "rate=48000")
            wait_for(lambda: len(events) > 1, 8)
            with pulse.recording() as heard:
                time.sleep(1.5)
        finally:
            watch.stop()
    assert [e.kind for e in events] == ["lost", "back"]
    assert len(sounding(heard())) > RATE // 2


def test_a_wrong_name_lists_what_there_is(pulse):
    portaudio = PortAudio()
    portaudio.rescan()
    with pytest.raises(DeviceError, match=r"'Grand Piano'; choose one of .*'pulse \(ALSA\)'"):
        portaudio.find("Grand Piano")
    portaudio.close()


@pytest.mark.alone  # a JACK beside those of other tests
def test_a_dead_jack_is_reported_and_does_not_end_the_process(tmp_path):
    """In a process of its own: PortAudio keeps the dead client to the end."""
    program = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from sound_servers import JackServer
from engine.time.clock import SystemClock
from engine.audio.device import OutputDevice
from engine.audio.portaudio import PortAudio
from engine.audio.ring import OutputRing
from engine.audio.device_watch import DeviceWatch
import os
server = JackServer(Path({str(tmp_path)!r}))
os.environ.update(server.env)
server.start()
portaudio, clock, events = PortAudio(), SystemClock(), []
device = OutputDevice(portaudio, "JACK", OutputRing(4096, 2), rate=48000, clock=clock)
device.start()
time.sleep(0.5)
assert device.fault() == ""
server.kill()
watch = DeviceWatch(device, events.append, clock=clock, retry_s=0.2)
watch.start()
time.sleep(2.5)
watch.stop()
print([e.kind for e in events], watch.tries > 1)
try:
    portaudio.rescan()
except Exception as error:
    print(type(error).__name__, error)
device.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "['lost'] True" in done.stdout
    assert "DeviceError the JACK server has stopped" in done.stdout


def wait_for(true, seconds):
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert true(), f"not within {seconds} s"
