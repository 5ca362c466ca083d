"""MIDI files that grow while the music goes on: complete at any moment, read by other programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_midi_file import write_midi

from engine.errors import ConfigError, StorageError
from engine.notes.midi_file import read_midi
from engine.notes.midi_writer import MidiWriter
from engine.notes.note import Note, NoteEvent

ROOT = Path(__file__).parents[3]
TICK = 1 / 960  # seconds


def events_of(notes: list[Note]) -> list[NoteEvent]:
    return [e for n in notes for e in (NoteEvent(n.start, n.pitch, n.velocity),
                                       NoteEvent(n.end, n.pitch, 0))]  # fmt: skip


def assert_same(found: list[Note], wanted: list[Note]) -> None:
    assert [(n.pitch, n.velocity) for n in found] == [(n.pitch, n.velocity) for n in wanted]
    for a, b in zip(found, wanted, strict=True):
        assert a.start == pytest.approx(b.start, abs=1.01 * TICK)
        assert a.end == pytest.approx(b.end, abs=2.01 * TICK)


def test_another_program_finds_the_notes_where_they_were_written(tmp_path):
    path = tmp_path / "a.mid"
    write_midi(path, events_of([Note(60, 90, 0.5, 1.25), Note(64, 40, 0.75, 3.0)]), 4.0)
    file = mido.MidiFile(path)
    assert (file.type, file.ticks_per_beat) == (0, 480)
    assert file.length == pytest.approx(4.0)
    now, seen = 0.0, []
    for m in file:
        now += m.time
        if m.type in ("note_on", "note_off"):
            seen.append((round(now, 3), m.note, m.velocity if m.type == "note_on" else 0))
    assert seen == [(0.5, 60, 90), (0.75, 64, 40), (1.25, 60, 0), (3.0, 64, 0)]
    assert [m.program for m in file if m.type == "program_change"] == [0]


@st.composite
def phrases(draw: st.DrawFn) -> list[Note]:
    """Notes of which no two of one key touch."""
    notes: list[Note] = []
    for pitch in draw(st.sets(st.integers(21, 108), min_size=1, max_size=6)):
        now = 0
        for gap, length in draw(
            st.lists(st.tuples(st.integers(4, 3000), st.integers(4, 3000)), min_size=1, max_size=6)
        ):
            start = now + gap
            now = start + length
            velocity = draw(st.integers(1, 127))
            notes.append(Note(pitch, velocity, start / 1000, now / 1000))
    return sorted(notes, key=lambda n: (n.start, n.pitch))


@settings(max_examples=60, deadline=None)
@given(notes=phrases())
def test_what_is_written_is_read_again(tmp_path_factory, notes):
    path = tmp_path_factory.mktemp("round") / "a.mid"
    write_midi(path, reversed(events_of(notes)), 60.0)
    found = read_midi(path)
    key = lambda n: (n.pitch, n.start)  # noqa: E731
    assert_same(sorted(found, key=key), sorted(notes, key=key))


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(
        st.builds(NoteEvent, st.floats(0, 5), st.integers(0, 127), st.integers(0, 127)),
        max_size=40,
    )
)
def test_whatever_the_events_every_down_is_followed_by_its_up(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("any") / "a.mid"
    write_midi(path, events, 4.0)
    down: set[int] = set()
    for m in mido.MidiFile(path):
        if m.type == "note_on" and m.velocity:
            assert m.note not in down
            down.add(m.note)
        elif m.type in ("note_on", "note_off"):
            down.remove(m.note)
    assert not down
    assert mido.MidiFile(path).length == pytest.approx(4.0)


def test_what_still_sounds_at_the_end_is_closed_and_what_comes_later_is_left_out(tmp_path):
    path = tmp_path / "a.mid"
    write_midi(path, [NoteEvent(1.0, 60, 70), NoteEvent(2.5, 62, 70)], 2.0)
    assert_same(read_midi(path), [Note(60, 70, 1.0, 2.0)])


def test_a_key_struck_again_while_it_sounds_is_two_notes(tmp_path):
    path = tmp_path / "a.mid"
    write_midi(path, [NoteEvent(0.0, 60, 70), NoteEvent(1.0, 60, 90), NoteEvent(2.0, 60, 0)], 3.0)
    assert_same(read_midi(path), [Note(60, 70, 0.0, 1.0), Note(60, 90, 1.0, 2.0)])


def test_a_file_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "no" / "such" / "a.mid", tmp_path / "taken", tmp_path / "a\0.mid"):
        with pytest.raises(StorageError, match="cannot write") as caught:
            write_midi(path, [], 1.0)
        assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    "event", [NoteEvent(0, 128, 1), NoteEvent(0, 60, 128), NoteEvent(-1, 60, 1),
              NoteEvent(float("nan"), 60, 1), NoteEvent(float("inf"), 60, 1)],
)  # fmt: skip
def test_an_impossible_event_is_refused(tmp_path, event):
    with pytest.raises(ConfigError, match="must be"):
        write_midi(tmp_path / "a.mid", [event], 1.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_an_impossible_length_is_refused(tmp_path, seconds):
    with pytest.raises(ConfigError, match="use 0 or more"):
        write_midi(tmp_path / "a.mid", [], seconds)


# ---- while it grows


def read_by_another_program(path: Path) -> list[tuple[float, int, int]]:
    """(seconds, pitch, velocity) as mido finds them; the file's end has pitch 0."""
    now, found = 0.0, []
    for m in mido.MidiFile(path):
        now += m.time
        if m.type in ("note_on", "note_off"):
            found.append((round(now, 2), m.note, m.velocity))
    return [*found, (round(now, 2), 0, 0)]


def test_a_file_is_complete_after_each_second(tmp_path):
    path = tmp_path / "a.mid"
    writer = MidiWriter(path)
    assert read_by_another_program(path) == [(0.0, 0, 0)]
    writer.add([NoteEvent(0.5, 60, 80)])
    writer.sync(1.0)
    assert read_by_another_program(path) == [(0.5, 60, 80), (1.0, 60, 0), (1.0, 0, 0)]
    writer.sync(2.0)
    writer.add([NoteEvent(2.5, 64, 70), NoteEvent(2.75, 60, 0)])
    writer.sync(3.0)
    held = [(0.5, 60, 80), (2.5, 64, 70), (2.75, 60, 0), (3.0, 64, 0), (3.0, 0, 0)]
    assert read_by_another_program(path) == held
    writer.close(3.0)
    assert read_by_another_program(path) == held
    assert writer.notes == 2


def test_events_that_come_before_their_time_wait_for_it(tmp_path):
    path = tmp_path / "a.mid"
    writer = MidiWriter(path)
    writer.add([NoteEvent(0.5, 60, 80), NoteEvent(1.5, 60, 0), NoteEvent(9.0, 70, 50)])
    writer.sync(1.0)
    assert read_by_another_program(path) == [(0.5, 60, 80), (1.0, 60, 0), (1.0, 0, 0)]
    writer.close(2.0)
    assert read_by_another_program(path) == [(0.5, 60, 80), (1.5, 60, 0), (2.0, 0, 0)]


def test_a_file_that_was_killed_in_the_middle_has_its_notes(tmp_path):
    path = tmp_path / "a.mid"
    program = f"""
import os, signal
from pathlib import Path
from engine.notes.midi_writer import MidiWriter
from engine.notes.note import NoteEvent
writer = MidiWriter(Path({str(path)!r}))
for k in range(50):
    writer.add([NoteEvent(k, 60 + k % 12, 80), NoteEvent(k + 0.5, 60 + k % 12, 0)])
    writer.sync(k + 1.0)
writer.add([NoteEvent(50.2, 90, 80)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(read_midi(path)) == 50
    assert read_by_another_program(path)[-1] == (50.0, 0, 0)


def test_there_is_no_longest_file_nor_rest(tmp_path):
    path = tmp_path / "a.mid"
    days = 30 * 24 * 3600.0  # a delta time alone holds 3.2 days
    writer = MidiWriter(path)
    writer.add([NoteEvent(0.0, 60, 80), NoteEvent(1.0, 60, 0)])
    writer.sync(2.0)
    writer.add([NoteEvent(days, 62, 80)])
    writer.close(days + 90 * 3600.0)
    first, last = read_midi(path)
    assert first == Note(60, 80, 0.0, 1.0)
    assert (last.start, last.end) == (days, days + 90 * 3600.0)
    assert mido.MidiFile(path).length == pytest.approx(days + 90 * 3600.0)


def test_a_new_file_replaces_none(tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        MidiWriter(path, new=True)
    assert path.read_bytes() == b"mine"


def test_on_a_full_disk_the_file_keeps_what_it_had(small_disk):
    (small_disk / "filling").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 2 * 4096))
    path = small_disk / "a.mid"
    writer = MidiWriter(path)
    written = 0

    def write_on():
        nonlocal written
        for k in range(5000):
            writer.add([NoteEvent(k, 60, 80), NoteEvent(k + 0.5, 60, 0)])
            writer.sync(k + 1.0)
            written = k + 1

    with pytest.raises(StorageError, match=r"cannot write .*a\.mid.*No space left"):
        write_on()
    writer.abandon()
    assert 0 < written < 5000
    assert len(read_midi(path)) == written
    assert read_by_another_program(path)[-1] == (written, 0, 0)
