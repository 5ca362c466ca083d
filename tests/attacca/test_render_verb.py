"""Rendering from the command line: length, seeds, rates, a recording continued, bad places."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import attacca, running
from whole_midi_file import write_midi

from attacca.cli import main
from attacca.seed_audio import read_past
from engine.errors import StorageError
from engine.notes.midi_file import read_midi
from engine.notes.note import NoteEvent

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


def test_the_file_has_the_requested_length_and_rate(
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
    with pytest.raises(StorageError, match="NaN or infinite"):
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


# ---- nothing is replaced that was not named


def phrase(path: Path) -> bytes:
    """A short MIDI file; its bytes."""
    write_midi(path, [NoteEvent(0.0, 60, 80), NoteEvent(0.5, 60, 0)], 1.0)
    return path.read_bytes()


def test_the_midi_file_that_is_played_is_not_replaced_by_the_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune = phrase(tmp_path / "tune.mid")
    render(tmp_path / "tune.flac", "--seconds", 2, "--seed-midi", tmp_path / "tune.mid")
    assert (tmp_path / "tune.mid").read_bytes() == tune
    assert read_midi(tmp_path / "tune-notes.mid")[0].pitch == 60
    assert "notes in tune-notes.mid" in capsys.readouterr().out


def test_a_named_sound_file_is_replaced_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"an older rendering")
    (tmp_path / "a.mid").write_bytes(b"an older tune")
    phrase(tmp_path / "tune.mid")
    render(tmp_path / "a.wav", "--seconds", 2, "--seed-midi", tmp_path / "tune.mid")
    assert (tmp_path / "a.mid").read_bytes() == b"an older tune"
    assert {p.name for p in tmp_path.iterdir()} == {"a.wav", "a.mid", "a-notes.mid", "tune.mid"}


@pytest.mark.parametrize("name", ["same", "link", "hard link", "dots"])
@pytest.mark.parametrize("verb", ["render", "play"])
def test_an_input_named_as_the_output_is_refused_before_anything_is_written(
    verb: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "take.wav"
    soundfile.write(source, np.full((48000, 1), 0.1), 48000)
    before = source.read_bytes()
    out = {"same": source, "dots": tmp_path / ".." / tmp_path.name / "take.wav"}.get(
        name, tmp_path / "other.wav"
    )
    if name == "link":
        out.symlink_to(source)
    elif name == "hard link":
        out.hardlink_to(source)
    more = ["--seconds", "1", str(out)] if verb == "render" else ["--record", str(out)]
    device = ["--device", "none", "--duration", "1"] if verb == "play" else []
    assert main([verb, "--seed-audio", str(source), *device, *more]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "would replace the --seed-audio" in err
    assert source.read_bytes() == before


def test_a_rendering_that_fills_the_disk_is_one_line_and_can_be_played(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", *FEW, "--seconds", "30", str(small_disk / "a.wav")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "the disk is full. a.wav holds 0:1" in err
    info = soundfile.info(small_disk / "a.wav")
    assert len(soundfile.read(small_disk / "a.wav")[0]) == info.frames > 5 * 24000


def test_a_playing_whose_recording_is_cut_short_says_so_and_fails(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_disk / "filling").write_bytes(bytes(600_000))
    status = main(
        ["play", *FEW, "--device", "none", "--no-osc", "--no-midi", "--duration", "4", "--record",
         str(small_disk / "take.wav")]
    )  # fmt: skip
    assert status == 1
    told = capsys.readouterr()
    assert "Recording stopped: the disk is full. take.wav holds 0:01" in told.err
    assert "played 4" in told.out
    assert soundfile.info(small_disk / "take.wav").duration > 1
