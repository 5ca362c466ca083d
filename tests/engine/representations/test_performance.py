"""Performing a roll of beats: exact to the sample, whatever the chunks, by the map so far."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.notes.note import Note
from engine.representations.beat_roll import encode
from engine.representations.kinds import make_representation
from engine.representations.signals import Grid, Signal
from engine.representations.transforms import make_transform
from engine.time.tempo_map import Pace, TempoMap

RATE, FRAME, PER_BEAT = 8000, 100, 4


def roll(**grid):
    signal = Signal("roll", "roll", 16, 1, Grid(**grid), options={"lowest": 60})
    return make_representation(signal, RATE, lambda _: np.zeros(0))


SOURCE, OUTPUT = roll(per_beat=Fraction(PER_BEAT)), roll(samples=Fraction(FRAME))


def performance():
    return make_transform("perform", SOURCE, OUTPUT)


def tokens(notes, count):
    return encode(notes, 0.0, count, PER_BEAT, SOURCE.keyboard)


def performed(notes, chunks, tempo):
    """Frames and events of notes in beats, performed in chunks of so many tokens."""
    transform, at, frames, events = performance(), 0, [], []
    roll = tokens(notes, sum(chunks))
    for chunk in chunks:
        new, found = transform.push(roll[:, at : at + chunk], at, tempo)
        frames.append(new)
        events += found
        at += chunk
    return np.concatenate(frames, axis=1), [(e.frame * FRAME, e.pitch, e.velocity) for e in events]


STEADY = TempoMap(RATE).until(64, Pace(120.0))


def test_notes_fall_on_the_samples_of_their_beats():
    notes = [Note(60, 100, 0.0, 1.0), Note(62, 50, 1.5, 1.75)]
    frames, events = performed(notes, [16], STEADY)
    assert events == [(0, 60, 100), (4000, 60, 0), (6000, 62, 50), (7000, 62, 0)]
    # 15.5 tokens of 1,000 samples are fixed
    assert frames.shape == (16, 155)
    struck = [n for n in OUTPUT.projection().project(frames, 155)[1] if n.velocity]
    assert [(n.frame * FRAME, n.pitch, n.velocity) for n in struck] == [
        (pytest.approx(0, abs=0.01), 60, 100), (pytest.approx(6000, abs=0.01), 62, 50),
    ]  # fmt: skip


def test_a_position_between_two_samples_is_kept_exactly():
    # a third of a token late at 97 BPM
    tempo = TempoMap(RATE).until(8, Pace(97.0))
    _, events = performed([Note(60, 80, 1 + 1 / 12, 2.0)], [16], tempo)
    begin, end = tempo.samples[1:3]
    assert events[0][0] == pytest.approx(begin + (end - begin) / 12, abs=1e-6)


@st.composite
def pieces(draw):
    """Notes on the grid of four beats, and chunks that together make 16 tokens."""
    notes = [
        Note(60 + draw(st.integers(0, 3)), draw(st.integers(1, 127)), token / 4,
             token / 4 + draw(st.integers(1, 16)) / 4)
        for token in draw(st.lists(st.integers(0, 15), max_size=8))
    ]  # fmt: skip
    cuts = sorted({0, 16, *draw(st.sets(st.integers(1, 15), max_size=5))})
    return notes, [b - a for a, b in pairwise(cuts)]


@given(pieces(), st.floats(20, 300))
def test_chunks_make_no_difference(piece, bpm):
    notes, chunks = piece
    tempo = TempoMap(RATE).until(8, Pace(bpm))
    frames, events = performed(notes, chunks, tempo)
    whole, all_events = performed(notes, [16], tempo)
    np.testing.assert_array_equal(frames, whole)
    assert sorted(events) == sorted(all_events)


@given(pieces())
def test_a_restored_performance_goes_on_to_the_bit(piece):
    notes, _ = piece
    cells, first = tokens(notes, 16), performance()
    first.push(cells[:, :7], 0, STEADY)
    other = performance()
    other.restore(first.state())
    expected, events = first.push(cells[:, 7:], 7, STEADY)
    frames, same = other.push(cells[:, 7:], 7, STEADY)
    np.testing.assert_array_equal(frames, expected)
    assert same == events


def test_the_end_of_a_note_moves_with_a_tempo_that_changes_before_it():
    transform, cells = performance(), tokens([Note(60, 100, 0.0, 3.0)], 16)
    tempo = TempoMap(RATE).until(1, Pace(120))
    _, struck = transform.push(cells[:, :4], 0, tempo)
    _, ended = transform.push(cells[:, 4:], 4, tempo.until(4, Pace(60)))
    assert [e.frame * FRAME for e in (*struck, *ended)] == [0, 4000 + 2 * 8000]


def test_a_key_that_is_struck_again_comes_up_first():
    _, events = performed([Note(60, 100, 0.0, 4.0), Note(60, 90, 1.0, 1.5)], [4, 4, 4], STEADY)
    assert events == [(0, 60, 100), (4000, 60, 0), (4000, 60, 90), (6000, 60, 0)]


def test_a_first_note_that_is_early_begins_with_the_piece():
    _, events = performed([Note(60, 100, -1 / 8, 0.5)], [8], STEADY)
    assert [at for at, _, _ in events] == [0, pytest.approx(2000, abs=600)]


def test_other_signals_are_refused():
    with pytest.raises(ConfigError, match="perform: use a roll on beats as input"):
        make_transform("perform", OUTPUT, OUTPUT)
