"""MIDI files: what is written is what another program reads, and no file brings the house down."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.seed_notes import LONGEST, read_phrase
from engine.errors import ConfigError, StorageError
from engine.signal.midi_file import read_midi, write_midi
from engine.signal.roll import Note, NoteEvent

TICK = 1 / 960  # seconds


def events_of(notes: list[Note]) -> list[NoteEvent]:
    return [e for n in notes for e in (NoteEvent(n.start, n.pitch, n.velocity),
                                       NoteEvent(n.end, n.pitch, 0))]  # fmt: skip


def save(path: Path, *messages: mido.Message, kind: int = 0, **options: int) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=480, **options)
    file.tracks.append(mido.MidiTrack(messages))
    file.save(path)
    return path


def on(note: int, time: float = 0, velocity: int = 80, channel: int = 0) -> mido.Message:
    ticks = round(time / TICK)
    return mido.Message("note_on", note=note, velocity=velocity, time=ticks, channel=channel)


def pedal(value: int, time: float = 0) -> mido.Message:
    return mido.Message("control_change", control=64, value=value, time=round(time / TICK))


def assert_same(found: list[Note], wanted: list[Note]) -> None:
    assert [(n.pitch, n.velocity) for n in found] == [(n.pitch, n.velocity) for n in wanted]
    for a, b in zip(found, wanted, strict=True):
        assert a.start == pytest.approx(b.start, abs=1.01 * TICK)
        assert a.end == pytest.approx(b.end, abs=2.01 * TICK)


# ---- Written


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


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.mid"
    write_midi(path, [NoteEvent(0.0, 60, 70)], 1.0)
    before = path.read_bytes()

    def full(self, file):
        file.write(b"MThd")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mido.MidiFile, "_save", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_midi(path, [NoteEvent(0.0, 62, 70)], 1.0)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.mid"]


@pytest.mark.parametrize(
    "event", [NoteEvent(0, 128, 1), NoteEvent(0, 60, 128), NoteEvent(-1, 60, 1),
              NoteEvent(float("nan"), 60, 1), NoteEvent(float("inf"), 60, 1)],
)  # fmt: skip
def test_an_impossible_event_is_refused(tmp_path, event):
    with pytest.raises(ConfigError, match="must be"):
        write_midi(tmp_path / "a.mid", [event], 1.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), 1e9])
def test_an_impossible_length_is_refused(tmp_path, seconds):
    with pytest.raises(ConfigError, match="must be 0 to 7200"):
        write_midi(tmp_path / "a.mid", [], seconds)


# ---- Read


def test_the_pedal_holds_notes_until_it_comes_up_or_the_key_is_struck_again(tmp_path):
    path = save(
        tmp_path / "a.mid", pedal(127), on(60), on(60, 1.0, 0), on(64, 0.5), on(64, 0.5, 0),
        on(60, 1.0, 50), on(60, 0.5, 0), pedal(20, 0.5), on(67, 1.0), on(67, 1.0, 0),
    )  # fmt: skip
    assert_same(
        read_midi(path),
        [Note(60, 80, 0, 3), Note(64, 80, 1.5, 4), Note(60, 50, 3, 4), Note(67, 80, 5, 6)],
    )


def test_a_change_of_tempo_is_followed(tmp_path):
    slower = mido.MetaMessage("set_tempo", tempo=1_000_000)
    path = save(tmp_path / "a.mid", slower, on(60, 1.0), on(60, 1.0, 0))
    assert_same(read_midi(path), [Note(60, 80, 2.0, 4.0)])


def test_percussion_and_what_no_piano_has_is_left_out_and_open_notes_are_closed(tmp_path):
    path = save(
        tmp_path / "a.mid", on(40, 0, 99, channel=9), on(10), on(120), on(60, 1.0),
        mido.MetaMessage("end_of_track", time=960),
    )  # fmt: skip
    assert_same(read_midi(path), [Note(60, 80, 1.0, 2.0)])


def test_bad_files_are_one_clear_line_each(tmp_path):
    good = save(tmp_path / "good.mid", on(60), on(60, 1.0, 0)).read_bytes()
    bad = {
        "empty": (b"", "not a MIDI file"),
        "wave": (b"RIFF" + good, "not a MIDI file"),
        "short": (good[:-6], "ends too early"),
        "header": (good[:14], "ends too early"),
        "status": (good.replace(b"\x90", b"\xf5"), "damaged"),
        "type2": (good.replace(b"\x06\x00\x00\x00", b"\x06\x00\x02\x00"), "type 2"),
        "film": (good[:12] + struct.pack(">h", -25 * 256 + 40) + good[14:], "film frames"),
        "large": (good + bytes(9 << 20), "at most"),
    }
    for name, (data, reason) in bad.items():
        path = tmp_path / f"{name}.mid"
        path.write_bytes(data)
        with pytest.raises(StorageError, match=reason) as caught:
            read_midi(path)
        assert repr(str(path)) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_missing_files_folders_and_files_without_notes_are_refused(tmp_path):
    save(tmp_path / "drums.mid", on(40, channel=9), on(40, 1.0, 0, channel=9))
    for name, reason in {
        "none.mid": "No such file", "": "directory", "a\0b": "null", "drums.mid": "no notes",
    }.items():  # fmt: skip
        with pytest.raises(StorageError, match=reason):
            read_midi(tmp_path / name)


def test_a_file_of_three_hours_is_refused(tmp_path):
    path = save(tmp_path / "a.mid", on(60), on(60, 3 * 3600.0, 0))
    with pytest.raises(StorageError, match="3 hours, at most 2"):
        read_midi(path)


def test_damaged_bytes_are_never_anything_but_a_storage_error(tmp_path):
    chance = random.Random(5)
    path = tmp_path / "a.mid"
    notes = [Note(40 + k, 60 + k, k / 4, k / 4 + 1) for k in range(20)]
    write_midi(path, events_of(notes), 10.0)
    good = path.read_bytes()
    read, lines = 0, set()
    for turn in range(600):
        data = bytearray(good)
        if turn % 3 == 0:
            data = data[: chance.randrange(len(data))]
        elif turn % 3 == 1:
            for _ in range(chance.randrange(1, 12)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        else:
            data[14:] = chance.randbytes(chance.randrange(200))
        path.write_bytes(data)
        try:
            read += bool(read_midi(path))
        except StorageError as error:
            lines.add(str(error).count("\n"))
    assert 0 < read < 400
    assert lines == {0}


# ---- The phrase that `--seed-midi` takes


def test_a_short_file_is_the_phrase_without_the_silence_before_it(tmp_path):
    path = save(tmp_path / "a.mid", on(60, 7.0), on(60, 1.0, 0), on(64, 1.0), on(64, 2.0, 0))
    assert_same(read_phrase(path), [Note(60, 80, 0, 1), Note(64, 80, 2, 4)])


def test_of_a_long_file_the_last_half_minute_is_taken(tmp_path):
    messages = [m for k in range(60) for m in (on(40 + k, 0.5), on(40 + k, 1.0, 0))]
    notes = read_phrase(save(tmp_path / "a.mid", *messages))
    assert max(n.end for n in notes) == pytest.approx(LONGEST)
    assert min(n.start for n in notes) == pytest.approx(0.5)
    assert [n.pitch for n in notes] == list(range(80, 100))


def test_a_pedal_that_is_never_let_go_does_not_hide_the_phrase(tmp_path):
    path = save(
        tmp_path / "a.mid", pedal(127), on(60), on(60, 1.0, 0), on(62, 20.0), on(62, 1.0, 0),
        mido.MetaMessage("end_of_track", time=960 * 300),
    )  # fmt: skip
    assert_same(read_phrase(path), [Note(62, 80, 18, LONGEST)])
