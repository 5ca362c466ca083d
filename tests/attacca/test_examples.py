"""The example programs run as they are, and stay short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import ROOT, environment

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(name: str, *arguments: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, arguments)],
        env=environment(), cwd=cwd, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_fits_a_screen_and_compiles(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < 40
    compile(text, path, "exec")


@pytest.mark.slow
def test_an_array_has_the_requested_length_and_notes(tmp_path: Path) -> None:
    first, *notes = run("render_to_array.py", 4, cwd=tmp_path).splitlines()
    assert first.startswith("4.0 s at 24000 Hz, ")
    assert len(notes) == min(5, int(first.split()[-2]))
    assert notes


@pytest.mark.slow
def test_a_recording_is_played_and_then_continued(tmp_path: Path) -> None:
    t = np.arange(4 * 24000) / 24000
    tone = 0.3 * np.sin(2 * np.pi * 330 * t) * np.exp(-(t % 1))
    soundfile.write(tmp_path / "a.wav", tone, 24000)
    out = run("continue_a_recording.py", "a.wav", "b.wav", 6, cwd=tmp_path)
    assert "4.0 s of the recording, then its continuation" in out
    heard, rate = soundfile.read(tmp_path / "b.wav", dtype="float32")
    assert len(heard) == 6 * rate
    late = 72  # the limiter's look-ahead: 3 ms
    assert np.corrcoef(tone[24000:72000], heard[24000 + late : 72000 + late])[0, 1] > 0.99


@pytest.mark.slow
def test_blocks_come_one_by_one_and_decide_how_the_next_is_played(tmp_path: Path) -> None:
    lines = run("block_by_block.py", 3, cwd=tmp_path).splitlines()
    assert sum(int(line.split()[2]) for line in lines) == 3 * 24000
    assert sum(int(line.split()[4]) for line in lines) > 0


@pytest.mark.slow
def test_a_phrase_is_played_and_its_notes_are_reported(tmp_path: Path) -> None:
    lines = run("answer_a_phrase.py", cwd=tmp_path).splitlines()
    keys = [line for line in lines if line.startswith("key ")]
    assert {"key 60", "key 64", "key 67"} <= set(keys)
    assert lines[-1] == "no longer listening"


@pytest.mark.slow
def test_ten_seconds_are_played_with_or_without_a_device(tmp_path: Path) -> None:
    out = run("play_ten_seconds.py", cwd=tmp_path)
    assert "first sound after " in out
    assert out.endswith("xruns\n")


@pytest.mark.slow
def test_controls_change_while_playing(tmp_path: Path) -> None:
    out = run("change_while_playing.py", cwd=tmp_path)
    assert "panic: " in out
    assert int(out.split()[-3]) >= 1
