"""Transcription: notes that are played are the notes that are heard, at their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError, PackError
from engine.notes.note import Note
from engine.notes.transcription import (
    HOP,
    RATE,
    Posteriors,
    Transcriber,
    infer_onsets,
    read_notes,
)
from engine.notes.velocities import estimate_velocities
from engine.onnx_runtime import open_session

ROOT = Path(__file__).resolve().parents[3]
GRAPH = ROOT / "packs" / "piano" / "transcription.onnx"  # the shipped one


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber(open_session(str(GRAPH), GRAPH.read_bytes()))


def struck(notes: list[Note], seconds: float, rate: int) -> np.ndarray:
    """Decaying tones with a hammer's knock, brighter the harder, that stop 50 ms after the end."""
    x = np.zeros(round(seconds * rate))
    chance = np.random.default_rng(3)
    for n in notes:
        t = np.arange(round((n.end - n.start + 0.05) * rate)) / rate
        f0 = 440 * 2 ** ((n.pitch - 69) / 12)
        tone = sum(
            np.exp(-0.6 * k * (1.6 - n.velocity / 127)) * np.sin(2 * np.pi * k * f0 * t)
            for k in range(1, 30)
            if k * f0 < 10000
        )
        tone = tone * np.exp(-1.5 * t) + 0.1 * chance.standard_normal(len(t)) * np.exp(-80 * t)
        tone *= 10 ** ((n.velocity - 127) / 60) * np.minimum(t / 0.003, 1)
        tone *= np.clip((t[-1] - t) / 0.05, 0, 1)
        at = round(n.start * rate)
        x[at : at + len(tone)] += 0.3 * tone[: len(x) - at]
    return x.astype(np.float32)


# From G3 up: over lower synthetic tones the network hears octaves that are not played.
PLAYED = [
    Note(60, 80, 0.5, 1.2), Note(64, 80, 1.4, 2.0), Note(67, 80, 2.2, 2.9), Note(72, 80, 3.1, 3.6),
    Note(65, 80, 3.8, 4.5), Note(76, 80, 4.7, 5.2), Note(55, 80, 5.4, 6.1), Note(74, 80, 6.3, 6.9),
]  # fmt: skip


@pytest.mark.parametrize("rate", [22050, 24000, 48000])
def test_notes_are_transcribed_at_their_times_at_any_rate(transcriber, rate):
    heard = transcriber.notes(struck(PLAYED, 7.5, rate), rate)
    assert [n.pitch for n in heard] == [n.pitch for n in PLAYED]
    for found, true in zip(heard, PLAYED, strict=True):
        assert found.start == pytest.approx(true.start, abs=0.05)
        assert found.end == pytest.approx(true.end, abs=0.25)
        assert 1 <= found.velocity <= 127


def test_times_stay_true_over_many_windows(transcriber):
    played = [Note(60 + 2 * (k % 6), 80, 0.7 + 1.1 * k, 1.5 + 1.1 * k) for k in range(16)]
    heard = transcriber.notes(struck(played, 19.0, 22050), 22050)
    late = [
        min((n.start - true.start for n in heard if n.pitch == true.pitch), key=abs)
        for true in played
    ]
    assert np.max(np.abs(late)) < 0.05
    assert abs(np.median(late[:8]) - np.median(late[-8:])) < 0.006  # no drift from the windows


def test_a_chord_is_transcribed_as_its_notes(transcriber):
    chord = [Note(p, 80, 1.0, 2.5) for p in (48, 64, 67, 72)]
    heard = transcriber.notes(struck(chord, 4.0, 22050), 22050)
    assert {48, 64, 67} <= {n.pitch for n in heard}
    assert all(n.start == pytest.approx(1.0, abs=0.05) for n in heard if n.pitch in (48, 64, 67))


def test_the_harder_a_key_is_struck_the_higher_its_velocity(transcriber):
    played = [Note(62, v, 0.5 + k, 1.1 + k) for k, v in enumerate((60, 75, 90, 105, 120))]
    heard = [n.velocity for n in transcriber.notes(struck(played, 6.0, 22050), 22050)]
    assert len(heard) == 5
    assert heard == sorted(set(heard))


def test_silence_and_nothing_have_no_notes(transcriber):
    for samples in (0, 1, 100, 3 * RATE):
        assert transcriber.notes(np.zeros(samples, np.float32), RATE) == []


@pytest.mark.parametrize("seconds", [0.3, 1.99, 4.1])
def test_there_is_one_frame_for_each_hop_of_any_length(transcriber, seconds):
    x = struck([Note(60, 80, 0.05, seconds)], seconds, RATE)
    heard = transcriber.posteriors(x, RATE)
    assert heard.notes.shape == heard.onsets.shape == (88, len(heard.times))
    assert len(heard.times) == pytest.approx(len(x) / HOP, abs=3)
    assert (np.diff(heard.times) > 0).all()
    assert heard.notes.dtype == np.float32


def test_a_stricter_threshold_finds_fewer_notes(transcriber):
    noise = np.random.default_rng(1).standard_normal(3 * RATE) * 0.01
    x = (struck(PLAYED, 7.5, RATE)[: 3 * RATE] + noise).astype(np.float32)
    counts = [len(transcriber.notes(x, RATE, t)) for t in (0.2, 0.5, 0.95)]
    assert counts[0] > counts[2]
    assert counts == sorted(counts, reverse=True)


def test_sound_that_cannot_be_transcribed_is_refused_in_one_line(transcriber):
    with pytest.raises(ConfigError, match=r"shape \(100, 2\): give one channel"):
        transcriber.notes(np.zeros((100, 2), np.float32), RATE)
    with pytest.raises(ConfigError, match="NaN or infinite"):
        transcriber.notes(np.full(100, np.nan, np.float32), RATE)
    with pytest.raises(ConfigError, match=r"onset_threshold 1\.5"):
        transcriber.notes(np.zeros(100, np.float32), RATE, 1.5)


def test_another_network_is_refused_in_one_line():
    other = ROOT / "packs" / "piano" / "sound-context.onnx"
    with pytest.raises(PackError) as caught:
        Transcriber(open_session("other", other.read_bytes()))
    assert "basic-pitch" in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- Reading posteriors


def posteriors(frames: int) -> Posteriors:
    nothing = np.zeros((88, frames), np.float32)
    return Posteriors(nothing, nothing.copy(), np.arange(frames) * HOP / RATE)


def test_a_note_lasts_until_its_key_is_silent_for_long():
    p = posteriors(120)
    p.onsets[39, 20] = 0.9
    p.notes[39, 20:40] = p.notes[39, 50:60] = 0.8  # a gap of 8 frames is bridged,
    p.notes[39, 48:50] = 0.4, 0.6  # and rises slowly, which is no onset
    p.notes[39, 80:90] = [0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8, 0.6, 0.4]  # one of 20 is not
    (note,) = read_notes(p)
    assert note.pitch == 60
    assert note.start == pytest.approx(20 * HOP / RATE, abs=0.006)
    assert note.end == pytest.approx(60 * HOP / RATE, abs=0.001)


def test_a_key_struck_again_is_two_notes_and_its_neighbours_are_not_notes():
    p = posteriors(100)
    p.notes[39, 20:80] = 0.8
    p.notes[40, 20:80] = 0.4
    p.onsets[39, 20] = p.onsets[39, 50] = 0.9
    p.onsets[40, 21] = 0.55
    # The neighbour's onset, later, is read first and uses up the key; with the key's own first:
    p.onsets[40, 21], p.onsets[40, 19] = 0, 0.55
    assert [n.pitch for n in read_notes(p)] == [60, 60]


def test_the_steepest_rise_beside_the_highest_onset_is_one_note():
    p = posteriors(60)
    p.notes[30, 19] = 0.5
    p.notes[30, 20:50] = 0.9
    p.onsets[30, 20] = 0.8
    onsets = infer_onsets(p)
    assert onsets[30, 19] == onsets[30, 20] == onsets.max()
    assert [n.pitch for n in read_notes(p)] == [51]


def test_what_lasts_too_short_or_has_no_onset_is_no_note():
    p = posteriors(60)
    p.notes[30, 20:50] = 0.9
    p.onsets[40, 20] = 0.9
    p.notes[40, 20:24] = 0.9
    assert [n.pitch for n in read_notes(p, onset_threshold=0.95)] == []


def test_a_steep_rise_is_an_onset_where_the_network_gave_a_weak_one():
    p = posteriors(60)
    p.onsets[10, 5] = 0.8
    p.notes[30, 20:50] = 0.9
    found = infer_onsets(p)
    assert found[30, 20] == pytest.approx(0.8)
    assert found[10, 5] == pytest.approx(0.8)
    assert found[31].max() == 0


def test_velocities_rise_with_the_blow_and_stay_within_bounds():
    x = np.concatenate([struck([Note(60, v, 0.2, 0.9)], 1.0, RATE) for v in (20, 60, 100)])
    found = estimate_velocities(x, RATE, [60, 60, 60], [0.2, 1.2, 2.2])
    assert (np.diff(found) > 0).all()
    # A level that is out of all bounds, and places outside of the sound.
    wild = estimate_velocities(1e4 * x, RATE, [0, 127, 60, 60], [0.2, 0.2, -5.0, 99.0])
    assert ((wild >= 1) & (wild <= 127)).all()
