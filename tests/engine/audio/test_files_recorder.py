"""Sinks to files and the recorder: exact files, one-line errors, no waiting."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from virtual_clock import VirtualClock

from attacca.seed_audio import read_past
from engine.audio import recorder as recorder_module
from engine.audio import soundfiles
from engine.audio.recorder import Recorder
from engine.audio.sinks import FileSink, NullSink
from engine.audio.soundfiles import SoundWriter
from engine.errors import StorageError
from engine.time.clock import SystemClock

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
        assert sink.frames_needed() > 256
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
        ("take.mp3", "'.mp3' is not a sound format; use a name ending in .flac, .wav, .ogg"),
        ("take", "''"),
        ("no/such/take.wav", "there is no folder"),
        ("folder.wav", "is a directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_line(tmp_path, path, words):
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(StorageError) as caught:
        FileSink(tmp_path / path, RATE, 2)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a read-only file system")
def test_no_permission_is_reported_in_one_line():
    with pytest.raises(StorageError, match=r"cannot write '/proc/take.wav': .*another place"):
        FileSink(Path("/proc/take.wav"), RATE, 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_full_disk_is_reported_in_one_line(tmp_path, suffix):
    path = tmp_path / f"take{suffix}"
    path.symlink_to("/dev/full")

    def write_on():
        sink = FileSink(path, RATE, 2)
        for _ in range(400):
            sink.write(noise(512))
        sink.finish()

    with pytest.raises(StorageError, match="the disk is full"):
        write_on()


def test_the_recording_equals_the_audible_sound(tmp_path):
    x = noise(30_000)
    recorder = Recorder(tmp_path / "take.wav", RATE, 2, clock=SystemClock(), buffer_s=0.5)
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
    recorder = Recorder(tmp_path / "take.wav", RATE, 2, clock=SystemClock(), buffer_s=0.1)
    begun = time.perf_counter()
    for _ in range(100):
        recorder.tap(noise(256))
    assert time.perf_counter() - begun < 1.0
    assert recorder.status().dropped_frames == (100 - 4800 // 256) * 256
    stalled.set()
    status = recorder.stop()
    assert status.frames + status.dropped_frames == 25_600
    assert soundfile.info(tmp_path / "take.wav").frames == status.frames


class Recording:
    """A recorder that is fed until it ends by itself, and what it says."""

    def __init__(self, path, **options):
        self.said: list[str] = []
        self.ended = threading.Event()
        self.path = path
        self.recorder = Recorder(
            path,
            RATE,
            2,
            clock=SystemClock(),
            on_message=self.said.append,
            on_end=self.ended.set,
            **options,
        )

    def feed(self, seconds=60.0):
        """Play noise, which no format makes small, as fast as the disk takes it."""
        for k in range(round(seconds * RATE / 4096)):
            if self.ended.is_set():
                return
            self.recorder.tap(noise(4096, k))
            time.sleep(0.004)

    def wait(self):
        assert self.ended.wait(5.0), "it has not said so by itself"
        return self.recorder.status()


@pytest.mark.parametrize("suffix", [".flac", ".wav", ".ogg"])
def test_a_disk_that_fills_up_ends_the_recording_at_once_in_a_file_that_can_be_played(
    small_disk, suffix
):
    if suffix == ".ogg":  # a second has 15 kB
        (small_disk / "filling").write_bytes(bytes(900_000))
    recording = Recording(small_disk / f"take{suffix}")
    recording.feed()
    status = recording.wait()
    whole = soundfile.info(recording.path)
    sound, _ = soundfile.read(recording.path, dtype="float32")
    assert len(sound) == whole.frames == status.frames > RATE // 2
    seconds = int(status.frames / RATE)
    assert status.error == (
        f"the disk is full. take{suffix} holds 0:{seconds:02} and can be played. Free some space "
        "or choose another place."
    )
    assert recording.recorder.stop() == status
    if suffix == ".wav":
        np.testing.assert_array_equal(sound[:4096], noise(4096, 0))


@pytest.mark.skipif(shutil.which("flac") is None, reason="flac is not installed")
def test_the_flac_program_finds_no_fault_in_what_a_full_disk_has_cut(small_disk):
    recording = Recording(small_disk / "take.flac")
    recording.feed()
    recording.wait()
    done = subprocess.run(["flac", "--test", str(recording.path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("how", ["deleted", "moved", "unmounted"])
def test_a_recording_whose_folder_disappears_says_so(small_disk, how):
    folder = small_disk / "takes"
    folder.mkdir()
    recording = Recording(folder / "take.wav")
    recording.recorder.tap(noise(4096))
    if how == "deleted":
        shutil.rmtree(folder)
    elif how == "moved":
        folder.rename(small_disk / "elsewhere")
    else:
        subprocess.run(["umount", "-l", str(small_disk)], check=True)
    status = recording.wait()
    assert status.error.startswith(f"{recording.path} is no longer there")
    assert "\n" not in status.error


def test_a_limit_of_the_size_of_files_ends_the_recording_as_a_full_disk_does(tmp_path):
    path = tmp_path / "take.flac"
    program = f"""
import resource, time
import numpy as np
from pathlib import Path
from engine.audio.recorder import Recorder
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
said = []
from engine.time.clock import SystemClock
clock = SystemClock()
said_end = lambda: said.append("ended")
recorder = Recorder(Path({str(path)!r}), {RATE}, 2, clock=clock, on_end=said_end)
rng = np.random.default_rng(0)
for _ in range(100):
    recorder.tap(rng.uniform(-0.9, 0.9, (4096, 2)).astype(np.float32))
    time.sleep(0.005)
print(said, recorder.status().error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    problem = "the file has reached the size limit of this disk or account"
    assert done.stdout.startswith(f"['ended'] {problem}. take.flac")
    assert soundfile.read(path)[0].shape[0] == soundfile.info(path).frames > RATE


@pytest.mark.parametrize("error", [errno.EIO, errno.EDQUOT, errno.ENODEV])
def test_whatever_the_system_refuses_is_reported_at_once(tmp_path, monkeypatch, error):
    write = soundfiles._File._write_all

    def refused(self, data):
        if self._size > 100_000:
            raise OSError(error, os.strerror(error))
        write(self, data)

    monkeypatch.setattr(soundfiles._File, "_write_all", refused)
    recording = Recording(tmp_path / "take.flac")
    recording.feed()
    status = recording.wait()
    assert soundfiles.reason_of(OSError(error, os.strerror(error))) in status.error
    assert "\n" not in status.error


def test_a_fault_in_the_writer_itself_is_reported_too(tmp_path, monkeypatch):
    class FaultyWriter(recorder_module.SoundWriter):
        def write(self, block):
            raise MemoryError("no memory for 4096 frames")

    monkeypatch.setattr(recorder_module, "SoundWriter", FaultyWriter)
    recording = Recording(tmp_path / "take.wav")
    recording.feed(1.0)
    assert "no memory for 4096 frames" in recording.wait().error


def test_frames_lost_to_a_slow_disk_are_reported_while_the_recording_goes_on(tmp_path, monkeypatch):
    stalled = threading.Event()

    class StalledWriter(recorder_module.SoundWriter):
        def write(self, block):
            stalled.wait(10.0)
            super().write(block)

    monkeypatch.setattr(recorder_module, "SoundWriter", StalledWriter)
    recording = Recording(tmp_path / "take.wav", buffer_s=0.5)
    recording.recorder.tap(noise(RATE // 4))
    time.sleep(0.2)
    for _ in range(4):
        recording.recorder.tap(noise(RATE // 4))
    assert recording.recorder.status().dropped_frames > 0
    stalled.set()
    deadline = time.monotonic() + 5
    while not recording.said:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "s are missing in take.wav: the disk is too slow" in recording.said[0]
    assert recording.recorder.stop().error == ""


class Holed(soundfiles._File):
    """Leaves out four gigabytes after the first megabyte, which cost the disk nothing."""

    holed = False

    def _write_all(self, data):
        if not self.holed and self.tell() > 1 << 20:
            self.holed = True
            self._file.seek(4 << 30, 1)
            self._size += 4 << 30
        super()._write_all(data)


def test_a_wav_file_over_four_gigabytes_has_all_its_sound(tmp_path, monkeypatch):
    monkeypatch.setattr(soundfiles, "_File", Holed)
    path = tmp_path / "take.wav"
    writer = SoundWriter(path, RATE, 2)
    blocks = [noise(RATE, k) for k in range(6)]
    for block in blocks:
        writer.write(block)
    killed = soundfile.info(path)  # as a crash would leave it
    assert (killed.format, killed.frames) == ("RF64", (4 << 30) // 8 + 6 * RATE)
    writer.close()
    with soundfile.SoundFile(path) as file:
        assert file.frames == (4 << 30) // 8 + 6 * RATE
        np.testing.assert_array_equal(file.read(RATE, dtype="float32"), blocks[0])
        file.seek(file.frames - RATE)
        np.testing.assert_array_equal(file.read(dtype="float32"), blocks[5])


@pytest.mark.parametrize("suffix", [".flac", ".wav", ".ogg"])
def test_a_recording_of_nothing_can_be_opened(tmp_path, suffix):
    Recorder(tmp_path / f"take{suffix}", RATE, 2, clock=SystemClock()).stop()
    assert soundfile.info(tmp_path / f"take{suffix}").frames <= 1


def test_a_wav_file_under_four_gigabytes_is_one_that_every_program_reads(tmp_path):
    writer = SoundWriter(tmp_path / "take.wav", RATE, 2)
    writer.write(noise(RATE))
    writer.close()
    assert (tmp_path / "take.wav").read_bytes()[:4] == b"RIFF"


def test_minutes_can_be_written_at_once_in_every_format(tmp_path):
    minutes = noise(RATE * 180)
    for suffix in (".ogg", ".flac", ".wav"):  # libvorbis alone would crash
        writer = SoundWriter(tmp_path / f"a{suffix}", RATE, 2)
        writer.write(minutes)
        writer.close()
        assert soundfile.info(tmp_path / f"a{suffix}").frames == RATE * 180


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
@pytest.mark.parametrize(("end", "least"), [("raise SystemError", 144_000), ("kill", 48_000)])
def test_a_crash_leaves_a_readable_recording(tmp_path, suffix, end, least):
    path = tmp_path / f"take{suffix}"
    program = f"""
import os, signal, time
import numpy as np
from pathlib import Path
from engine.audio.recorder import Recorder
from engine.time.clock import SystemClock
recorder = Recorder(Path({str(path)!r}), {RATE}, 2, clock=SystemClock())
for _ in range(563):
    recorder.tap(np.full((256, 2), 0.25, np.float32))
    time.sleep(0.001)
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
    assert len(y) == soundfile.info(path).frames >= least
    assert np.allclose(y, 0.25, atol=0.2 if suffix == ".ogg" else 1e-6)
    assert len(read_past(path, RATE, 2)) == len(y), "it can be a seed"


def test_no_device_means_silence_at_the_right_pace():
    clock = VirtualClock()
    sink = NullSink(RATE, 2, clock, lead_s=1024 / RATE)
    assert sink.frames_needed() == 1024
    sink.write(noise(1024))
    assert sink.frames_needed() == 0
    clock.advance(0.01)
    assert sink.frames_needed() == 480
    clock.advance(60.0)
    assert sink.frames_needed() == 1024, "a minute's stall is not made up for"
