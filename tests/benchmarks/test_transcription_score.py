"""The measure of transcription: which notes count as found."""

from __future__ import annotations

from benchmarks.transcription import pairs
from engine.notes.note import Note


def at(start: float, pitch: int = 60) -> Note:
    return Note(pitch, 80, start, start + 1)


def test_a_note_counts_once_within_fifty_milliseconds_and_only_at_its_pitch():
    true = [at(1.0), at(2.0), at(3.0, 64)]
    found = [at(1.04), at(1.045), at(2.06), at(3.0, 65), at(2.96, 64)]
    assert sorted(pairs(true, found)) == [(0, 0), (2, 4)]


def test_as_many_as_can_be_matched_are_matched():
    # The first found note is nearest to the second true one, which has another to take.
    assert sorted(pairs([at(1.00), at(1.06)], [at(1.04), at(1.10)])) == [(0, 0), (1, 1)]
    assert pairs([], [at(1.0)]) == pairs([at(1.0)], []) == []
