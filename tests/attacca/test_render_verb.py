"""Rendering from the command line: length, seeds, rates, a recording continued, bad places."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import attacca, running

from attacca.cli import main
from attacca.seed_audio import read_past
from engine.errors import StorageError
from engine.signal.midi_file import read_midi, write_midi
from engine.signal.roll import NoteEvent

FEW = ["--steps", "2"]


def render(out: Path, *options: object) -> np.ndarray:
    """Render in this process; the file as float32 [frames, channels]."""
    assert main(["render", *FEW, *map(str, options), str(out)]) == 0
    return soundfile.read(out, dtype="float32", always_2d=True)[0]


def test_the_same_seed_gives_the_same_samples_and_another_does_not(tmp_path: Path) -> None:
    first = render(tmp_path / "a.wav", "--seconds", 3, "--seed", 7)
    again = render(tmp_path / "b.wav", "--seconds", 3, "--seed", 7)
    other = render(tmp_path / "c.wav", "--seconds", 3, "--seed", 8)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other[: len(first)], atol=1e-3)
    assert np.sqrt(np.mean(first**2)) > 1e-4


def test_the_file_is_as_long_as_asked_at_the_rate_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = render(tmp_path / "a.flac", "--minutes", 0.05, "--rate", 44100)
    info = soundfile.info(tmp_path / "a.flac")
    assert info.samplerate == 44100
    assert len(sound) / 44100 == pytest.approx(3.0, abs=0.05)
    out = capsys.readouterr().out
    assert "real-time factor" in out
    assert "seed" in out


def test_a_recording_is_played_and_then_continued(tmp_path: Path) -> None:
    rate = 44100
    t = np.arange(2 * rate) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * t) * np.minimum(1, 20 * t)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], axis=1), rate)
    sound = render(tmp_path / "a.wav", "--seconds", 4, "--seed-audio", tmp_path / "tone.wav")[:, 0]
    spectrum = np.abs(np.fft.rfft(sound[12000:36000]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(sound[54000:] ** 2)) > 1e-5


def test_only_the_end_of_a_long_recording_is_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 8000 * 40).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", noise, 8000, subtype="FLOAT")
    past = read_past(tmp_path / "long.wav", 8000, 2)
    assert past.shape == (8000 * 30, 2)
    assert np.array_equal(past[:, 1], noise[-8000 * 30 :])


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing.wav", None), ("text.wav", b"no sound at all"), ("empty.wav", b""), (".", None)],
)
def test_what_is_no_recording_is_refused_in_one_line(
    name: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    out = tmp_path / "out.wav"
    assert main(["render", "--seconds", "1", "--seed-audio", str(path), str(out)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(path) in err
    assert not out.exists()


def test_a_recording_of_nothing_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", np.zeros(10, np.float32), 44100)
    with pytest.raises(StorageError, match="too few"):
        read_past(tmp_path / "click.wav", 16000, 1)
    soundfile.write(tmp_path / "nan.wav", np.full(44100, np.nan, np.float32), 44100, "FLOAT")
    with pytest.raises(StorageError, match="no numbers"):
        read_past(tmp_path / "nan.wav", 16000, 1)


@pytest.mark.parametrize("name", ["none/out.wav", "out.mp9", "folder.wav", "/proc/out.wav"])
def test_a_place_that_cannot_be_written_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.wav").mkdir()
    assert main(["render", *FEW, "--seconds", "1", str(tmp_path / name)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(tmp_path / name) in err


@pytest.mark.slow
def test_a_stopped_rendering_leaves_a_readable_file(tmp_path: Path) -> None:
    with running("render", "--minutes", 60, "out.wav", cwd=tmp_path) as process:
        deadline = time.monotonic() + 40
        while not ((out := tmp_path / "out.wav").exists() and out.stat().st_size > 100_000):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out_text, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped early" in out_text
    assert err == ""
    assert soundfile.info(tmp_path / "out.wav").duration > 1.0


@pytest.mark.slow
def test_python_dash_m_attacca_renders_from_any_folder(tmp_path: Path) -> None:
    done = attacca("render", *FEW, "--seconds", 1, "out.ogg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "out.ogg").format == "OGG"


def test_a_midi_file_is_played_and_then_continued(tmp_path: Path) -> None:
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    events = []
    for k, pitch in enumerate(scale):
        events += [NoteEvent(k * 0.25, pitch, 80), NoteEvent(k * 0.25 + 0.2, pitch, 0)]
    write_midi(tmp_path / "scale.mid", events, 2.0)
    sound = render(tmp_path / "a.wav", "--seconds", 5, "--seed-midi", tmp_path / "scale.mid")[:, 0]
    notes = read_midi(tmp_path / "a.mid")
    assert [n.pitch for n in notes[:8]] == scale
    starts = np.array([n.start for n in notes[:8]])
    assert np.abs(np.diff(starts) - 0.25).max() < 0.03
    # The last note of the scale is in the sound when the file says so.
    at = round((starts[7] + 0.05) * 24000)
    spectrum = np.abs(np.fft.rfft(sound[at : at + 4800] * np.hanning(4800)))
    assert 400 < 5 * np.argmax(spectrum) < 1100  # 523 Hz or its first overtone
    assert np.sqrt(np.mean(sound[72000:] ** 2)) > 1e-4


@pytest.mark.parametrize("content", [None, b"no music at all", b"MThd"])
def test_what_is_no_midi_file_is_refused_in_one_line(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.mid", tmp_path / "out.wav"
    if content is not None:
        path.write_bytes(content)
    assert main(["render", "--seconds", "1", "--seed-midi", str(path), str(out)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(path) in err
    assert not out.exists()
