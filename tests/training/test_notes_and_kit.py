"""From MIDI and sampled keys to audio: what is written is what sounds."""

import numpy as np
import pytest

mido = pytest.importorskip("mido", reason="the training extra is not installed")

import soundfile  # noqa: E402

from training.data.kit import Kit  # noqa: E402
from training.data.notes import (  # noqa: E402
    Note,
    is_flat,
    perform,
    read_midi,
    vary,
    without_gaps,
)

RATE = 16000


def midi_file(path, events):
    """events: (seconds, message keyword arguments); 480 ticks are half a second."""
    track = mido.MidiTrack()
    last = 0.0
    for at, message in events:
        track.append(mido.Message(time=round((at - last) * 960), **message))
        last = at
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(path)
    return path


def on(note, velocity=64):
    return {"type": "note_on", "note": note, "velocity": velocity}


def off(note):
    return {"type": "note_off", "note": note}


def pedal(value):
    return {"type": "control_change", "control": 64, "value": value}


def test_a_note_lasts_until_the_pedal_lets_it_go(tmp_path):
    events = [
        (0, pedal(127)),
        (0, on(60)),
        (0.5, off(60)),
        (1, on(64)),
        (2, pedal(0)),
        (3, off(64)),
    ]
    low, high = read_midi(midi_file(tmp_path / "a.mid", events))
    assert (low.pitch, low.start, low.end) == (60, 0, pytest.approx(2))
    assert (high.pitch, high.start, high.end) == (64, pytest.approx(1), pytest.approx(3))


def test_a_key_struck_again_under_the_pedal_ends_the_first(tmp_path):
    events = [
        (0, pedal(127)),
        (0, on(60)),
        (0.5, off(60)),
        (1, on(60)),
        (1.5, off(60)),
        (2, pedal(0)),
    ]
    first, second = read_midi(midi_file(tmp_path / "a.mid", events))
    assert first.end == pytest.approx(1)
    assert (second.start, second.end) == (pytest.approx(1), pytest.approx(2))


def test_a_file_that_is_no_midi_is_named(tmp_path):
    (tmp_path / "x.mid").write_bytes(b"RIFF....")
    with pytest.raises(ValueError, match=r"x\.mid"):
        read_midi(tmp_path / "x.mid")


def test_long_gaps_are_shortened_and_nothing_else():
    notes = [Note(60, 64, 5, 6), Note(62, 64, 20, 21), Note(64, 64, 21.5, 22)]
    out = without_gaps(notes, 1.5)
    assert [n.start for n in out] == pytest.approx([0, 2.5, 4.0])
    assert [n.end - n.start for n in out] == pytest.approx([1, 1, 0.5])


def test_transposition_and_tempo_move_the_whole_work():
    rng = np.random.default_rng(0)
    out = vary([Note(60, 64, 0, 1), Note(107, 64, 1, 2)], rng, transpose=2, tempo=2.0, curve=1.0)
    assert [(n.pitch, n.start, n.end) for n in out] == [(62, 0, 0.5)], (
        "beyond C8 a note is left out"
    )


def test_a_score_gets_dynamics_and_keeps_its_notes():
    score = [Note(60 + i % 12, 64, i * 0.25, i * 0.25 + 0.25) for i in range(200)]
    assert is_flat(score)
    played = perform(score, np.random.default_rng(1))
    velocities = [n.velocity for n in played]
    assert np.std(velocities) > 4
    assert sorted(n.pitch for n in played) == sorted(n.pitch for n in score)
    assert not is_flat(played)


@pytest.fixture
def kit(tmp_path):
    """Two roots and two layers of decaying sines at 32 kHz, attacks 20 ms into the file."""
    for name, pitch in (("C4", 60), ("Fs4", 66)):
        for layer, level in (("v3", 0.1), ("v12", 0.4)):
            t = np.arange(32000) / 32000
            tone = level * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t) * np.exp(-2 * t)
            x = np.concatenate([np.zeros(640), tone])
            soundfile.write(tmp_path / f"{name}{layer}.wav", x, 32000)
    return Kit(tmp_path, RATE)


def frequency(x):
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 17))
    return np.argmax(spectrum) * RATE / (1 << 17)


@pytest.mark.parametrize("pitch", [60, 62, 67, 72])
def test_every_key_sounds_at_its_own_pitch(kit, pitch):
    x = kit.render([Note(pitch, 90, 0, 1)])
    assert frequency(x[: RATE // 2]) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.002)


def test_a_note_sounds_when_the_score_says_and_stops_when_it_is_released(kit):
    x = kit.render([Note(60, 90, 0.5, 0.9)])
    assert abs(x[: int(0.49 * RATE)]).max() < 1e-4
    assert abs(x[int(0.5 * RATE) : int(0.52 * RATE)]).max() > 0.05
    assert abs(x[int(1.3 * RATE) :]).max() < 1e-3


def test_harder_is_louder(kit):
    levels = [kit.render([Note(60, v, 0, 0.5)]).std() for v in (10, 25, 60, 95, 120)]
    assert levels == sorted(levels)


def test_a_folder_without_samples_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="Use the folder of one"):
        Kit(tmp_path / "empty", RATE)
