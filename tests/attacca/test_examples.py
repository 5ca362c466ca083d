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
def test_the_array_and_the_continued_recording_are_as_long_as_asked(tmp_path: Path) -> None:
    assert "4.0 s at 24000 Hz" in run("render_to_array.py", "a.wav", 4, cwd=tmp_path)
    out = run("continue_a_recording.py", "a.wav", "b.wav", 6, cwd=tmp_path)
    assert "4.0 s as recorded" in out
    first, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    second, rate = soundfile.read(tmp_path / "b.wav", dtype="float32")
    assert len(second) / rate == pytest.approx(6.0, abs=0.05)
    # The limiter's look-ahead delays both alike, the second once more.
    middle = first[24000:32000]
    lags = range(0, 400)
    best = max(float(np.corrcoef(middle, second[24000 + i : 32000 + i])[0, 1]) for i in lags)
    assert best > 0.99


@pytest.mark.slow
def test_controls_change_while_playing(tmp_path: Path) -> None:
    out = run("change_while_playing.py", cwd=tmp_path)
    assert "panic: " in out
    assert int(out.split()[-3]) >= 1
