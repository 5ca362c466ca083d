"""Sinks to files and the recorder: exact files, one-line errors, no waiting."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio import recorder as recorder_module
from engine.audio.clock import ManualClock
from engine.audio.recorder import Recorder
from engine.audio.sinks import FileSink, NullSink
from engine.errors import StorageError

RATE = 48000
ROOT = Path(__file__).parents[3]


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (frames, 2)).astype(np.float32)


@pytest.mark.parametrize(("suffix", "error"), [(".wav", 0.0), (".flac", 2e-7), (".ogg", 0.05)])
def test_a_file_holds_what_was_written(tmp_path, suffix, error):
    tone = 0.8 * np.sin(2 * np.pi * 440 * np.arange(10_000) / RATE)
    x = np.stack([tone, tone / 2], axis=1).astype(np.float32)
    sink = FileSink(tmp_path / f"out{suffix}", RATE, 2)
    for at in range(0, 10_000, 256):
        assert sink.wanted() > 256
        sink.write(x[at : at + 256])
    sink.finish()
    y, rate = soundfile.read(sink_path := tmp_path / f"out{suffix}", dtype="float32")
    assert rate == RATE
    assert sink.frames == 10_000
    assert y.shape == x.shape, sink_path
    assert np.abs(y - x).max() <= error


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("take.mp3", "'.mp3'; end the name in .flac, .wav, .ogg"),
        ("take", "''"),
        ("no/such/take.wav", "no folder"),
        ("folder.wav", "is a directory"),
    ],
)
def test_a_file_that_cannot_be_made_is_told_in_one_line(tmp_path, path, words):
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(StorageError) as caught:
        FileSink(tmp_path / path, RATE, 2)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a read-only file system")
def test_no_permission_is_told_in_one_line():
    with pytest.raises(StorageError, match=r"cannot write '/proc/take.wav': .*another place"):
        FileSink(Path("/proc/take.wav"), RATE, 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_full_disk_is_told_in_one_line(tmp_path, suffix):
    path = tmp_path / f"take{suffix}"
    path.symlink_to("/dev/full")

    def write_on():
        sink = FileSink(path, RATE, 2)
        for _ in range(400):
            sink.write(noise(512))
        sink.finish()

    with pytest.raises(StorageError, match="no space left on device; free some room"):
        write_on()


def test_the_recording_equals_what_was_heard(tmp_path):
    x = noise(30_000)
    recorder = Recorder(tmp_path / "take.wav", RATE, 2, buffer_s=0.5)
    for at in range(0, 30_000, 256):
        recorder.tap(x[at : at + 256])
        if at % 8192 == 0:
            time.sleep(0.06)
    status = recorder.stop()
    assert (status.frames, status.dropped_frames, status.error) == (30_000, 0, "")
    y, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
    np.testing.assert_array_equal(x, y)
    assert recorder.stop() == status


def test_a_stalled_disk_drops_and_counts_but_never_waits(tmp_path, monkeypatch):
    stalled = threading.Event()

    class StalledWriter(recorder_module.SoundWriter):
        def write(self, block):
            stalled.wait(10.0)
            super().write(block)

    monkeypatch.setattr(recorder_module, "SoundWriter", StalledWriter)
    recorder = Recorder(tmp_path / "take.wav", RATE, 2, buffer_s=0.1)
    begun = time.perf_counter()
    for _ in range(100):
        recorder.tap(noise(256))
    assert time.perf_counter() - begun < 1.0
    assert recorder.status().dropped_frames == (100 - 4800 // 256) * 256
    stalled.set()
    status = recorder.stop()
    assert status.frames + status.dropped_frames == 25_600
    assert soundfile.info(tmp_path / "take.wav").frames == status.frames


def test_a_disk_that_fills_up_ends_the_recording_and_says_why(tmp_path, monkeypatch):
    class FillingWriter(recorder_module.SoundWriter):
        def write(self, block):
            if self.frames > 5000:
                self._raw.error = OSError(28, "No space left on device")
            super().write(block)

    monkeypatch.setattr(recorder_module, "SoundWriter", FillingWriter)
    recorder = Recorder(tmp_path / "take.wav", RATE, 2)
    for _ in range(100):
        recorder.tap(noise(256))
        time.sleep(0.003)
    status = recorder.stop()
    assert "no space left on device; free some room" in status.error
    assert status.frames > 5000
    assert status.dropped_frames > 0


@pytest.mark.parametrize(("end", "least"), [("raise SystemError", 96_000), ("kill", 48_000)])
def test_a_crash_leaves_a_readable_recording(tmp_path, end, least):
    path = tmp_path / "take.wav"
    program = f"""
import os, signal, time
import numpy as np
from pathlib import Path
from engine.audio.recorder import Recorder
recorder = Recorder(Path({str(path)!r}), {RATE}, 2)
for _ in range(375):
    recorder.tap(np.full((256, 2), 0.25, np.float32))
if {end!r} == "kill":
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
raise SystemError
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode != 0
    y, _ = soundfile.read(path)
    assert len(y) >= least
    assert np.all(y == 0.25)


def test_no_device_means_silence_at_the_right_pace():
    clock = ManualClock()
    sink = NullSink(RATE, 2, clock, lead_frames=1024)
    assert sink.wanted() == 1024
    sink.write(noise(1024))
    assert sink.wanted() == 0
    clock.advance(0.01)
    assert sink.wanted() == 480
    clock.advance(60.0)
    assert sink.wanted() == 1024, "a minute's stall is not made up for"
