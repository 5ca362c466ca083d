"""Takes: names of their own, sound and notes together, and an end that is reported at once."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import numpy as np
import pytest
import soundfile

from engine.audio.take_names import NewTake, create_beside
from engine.audio.takes import Takes
from engine.errors import ConfigError, StorageError
from engine.notes.midi_file import read_midi
from engine.notes.notes_out import NotesOut
from engine.notes.timed_note import TimedNote
from engine.time.clock import SystemClock

RATE = 48000
PERIOD = 1024


def at_noon() -> datetime:
    return datetime(2026, 11, 26, 12, 0, 0)


class Stage:
    """Takes beside a mixer that is this test: sound and notes go by as `play` is called."""

    def __init__(self):
        self.frames = 0
        self.events: list[tuple[str, str]] = []
        self.stopped = threading.Event()
        self.notes = NotesOut(RATE, lambda: self.frames, 0)
        self.takes = Takes(self._say, SystemClock())
        self.takes.open(RATE, 2, self.notes)
        self._noise = np.random.default_rng(0)

    def _say(self, kind, text):
        self.events.append((kind, text))
        if "stopped" in text:
            self.stopped.set()

    def play(self, seconds, *, pace=0.0):
        for _ in range(round(seconds * RATE / PERIOD)):
            block = self._noise.uniform(-0.9, 0.9, (PERIOD, 2)).astype(np.float32)
            for tap in self.takes.taps:
                tap(block)
            self.frames += PERIOD
            if pace:
                time.sleep(pace)

    def strike(self, pitch, velocity=80):
        self.notes.add((TimedNote(0, pitch, velocity),), RATE)


# ---- names


def test_two_takes_within_a_second_are_two_files(tmp_path):
    first, second = (NewTake(tmp_path).create(7, at_noon) for _ in range(2))
    assert first.name == "attacca-20261126-120000-seed7.flac"
    assert second.name == "attacca-20261126-120000-seed7-2.flac"
    assert first.exists()
    assert second.exists()


def test_programs_that_begin_takes_at_once_never_share_a_file(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: NewTake(tmp_path).create(7, at_noon), range(64)))
    assert len(set(made)) == 64


def test_a_take_takes_no_name_of_which_there_is_a_midi_file(tmp_path):
    (tmp_path / "attacca-20261126-120000-seed7.mid").write_bytes(b"mine")
    assert NewTake(tmp_path).create(7, at_noon).name == "attacca-20261126-120000-seed7-2.flac"


def test_a_name_that_is_taken_is_refused_and_the_file_is_left_alone(tmp_path):
    take = NewTake(tmp_path, "verse")
    assert take.create(7).name == "verse.flac"
    (tmp_path / "verse.flac").write_bytes(b"music")
    with pytest.raises(
        ConfigError, match=r"a file named 'verse.flac' exists already; choose another"
    ):
        take.create(7)
    assert (tmp_path / "verse.flac").read_bytes() == b"music"
    assert NewTake(tmp_path, "verse.wav").create(7).name == "verse.wav"


def test_a_take_that_goes_on_in_another_file_replaces_none(tmp_path):
    (tmp_path / "take-2.flac").write_bytes(b"music")
    assert create_beside(tmp_path / "take.flac").name == "take-3.flac"


@pytest.mark.parametrize("obstacle", ["file", "proc"])
def test_a_folder_that_cannot_be_created_is_one_line_with_the_path(tmp_path, obstacle):
    folder = tmp_path / "music" / "takes" if obstacle == "file" else tmp_path.__class__("/proc/x/y")
    (tmp_path / "music").write_bytes(b"a file where a folder should be")
    with pytest.raises(StorageError) as caught:
        NewTake(folder).create(7)
    assert f"cannot create the folder {str(folder)!r}" in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- sound and notes


def test_a_take_has_its_sound_and_notes_and_says_so(tmp_path):
    stage = Stage()
    stage.takes.begin(tmp_path / "take.flac")
    stage.strike(60)
    stage.play(1.0, pace=0.001)
    stage.strike(60, 0)
    stage.play(0.5, pace=0.001)
    stage.takes.end()
    kind, text = stage.events[-1]
    assert kind == "recorded"
    assert text.endswith("take.flac: 1.5 s, 1 note in take.mid")
    (note,) = read_midi(tmp_path / "take.mid")
    assert note.end == pytest.approx(1.0, abs=0.03)


def test_kept_seconds_have_notes_and_a_name_as_other_takes_have(tmp_path):
    stage = Stage()
    stage.strike(60, 90)  # longer ago than what is kept, and still down in it
    stage.play(3.0)
    stage.strike(60, 0)
    stage.strike(64)
    stage.play(1.0)
    kept = stage.takes.save_recent(NewTake(tmp_path), 2.0, 7)
    assert re.fullmatch(r"attacca-\d{8}-\d{6}-seed7\.flac", kept.path.name)
    assert kept.seconds == pytest.approx(2.0, abs=0.01)
    assert soundfile.info(kept.path).duration == pytest.approx(2.0, abs=0.01)
    held, struck = read_midi(kept.path.with_suffix(".mid"))
    assert (held.pitch, held.velocity, held.start) == (60, 90, 0.0)
    assert held.end == pytest.approx(1.0, abs=0.03)
    assert (struck.pitch, struck.end) == (64, pytest.approx(2.0, abs=0.03))
    assert stage.events[-1][1].endswith("s, 2 notes in " + kept.path.with_suffix(".mid").name)


def test_kept_seconds_have_their_notes_after_a_change_of_device(tmp_path):
    stage = Stage()
    stage.play(1.0)
    stage.frames += 10 * RATE  # heard elsewhere
    stage.takes.open(RATE, 2, stage.notes)
    stage.play(1.0)
    stage.strike(60)
    stage.play(0.5)
    kept = stage.takes.save_recent(tmp_path / "kept.wav", 1.0, 7)
    (note,) = read_midi(tmp_path / "kept.mid")
    assert note.start == pytest.approx(0.5, abs=0.03)
    assert kept.path == tmp_path / "kept.wav"


def test_nothing_is_kept_before_there_was_sound(tmp_path):
    with pytest.raises(ConfigError, match="nothing has played yet"):
        Stage().takes.save_recent(NewTake(tmp_path / "takes"), 2.0, 7)
    assert not (tmp_path / "takes").exists()


# ---- a take that ends by itself


def test_a_full_disk_ends_the_take_and_is_reported_at_once(small_disk):
    stage = Stage()
    stage.takes.begin(small_disk / "take.flac")
    stage.strike(60)
    stage.play(8.0, pace=0.002)
    assert stage.stopped.wait(2.0)
    kind, text = stage.events[-1]
    assert kind == "recording"
    assert re.fullmatch(
        r"Recording stopped: the disk is full\. take\.flac holds 0:0\d and can be played\. Free "
        r"some space or choose another place\.", text
    )  # fmt: skip
    status = stage.takes.status()
    assert (status.path, status.problem) == (None, text)
    assert stage.takes.problem == text
    assert soundfile.info(small_disk / "take.flac").duration > 1
    count = len(stage.events)
    stage.takes.end()
    assert len(stage.events) == count, "what has ended is not ended again"


def test_after_a_full_disk_another_take_can_begin(small_disk, tmp_path):
    stage = Stage()
    stage.takes.begin(small_disk / "take.flac")
    stage.play(8.0, pace=0.002)
    assert stage.stopped.wait(2.0)
    stage.takes.begin(tmp_path / "take.flac")
    assert stage.takes.problem == ""
    stage.play(0.5, pace=0.001)
    stage.takes.end()
    assert stage.events[-1][0] == "recorded"


def test_a_disk_that_is_pulled_ends_the_take(small_disk):
    stage = Stage()
    stage.takes.begin(small_disk / "take.flac")
    stage.play(0.2, pace=0.002)
    subprocess.run(["umount", "-l", str(small_disk)], check=True)
    assert stage.stopped.wait(2.0)
    assert "is no longer there" in stage.events[-1][1]
    assert stage.takes.path is None


def test_a_disk_that_fills_up_with_the_last_frames_is_reported_at_the_end(small_disk):
    stage = Stage()
    free = 1 << 20
    (small_disk / "filling").write_bytes(bytes(free - 3 * 4096))
    stage.takes.begin(small_disk / "take.flac")
    stage.play(0.1)  # less than a FLAC frame: it is written at the end
    stage.takes.end()
    (problem,) = [t for k, t in stage.events if "stopped" in t]
    assert "the disk is full" in problem
    assert stage.takes.problem == problem
