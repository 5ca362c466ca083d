"""MIDI files as programs in the wild write them: notes, pedal and tempo count, nothing else."""

from __future__ import annotations

import random
import time
from pathlib import Path

import mido
import pytest
from whole_midi_file import write_midi

from attacca.seed_notes import LONGEST, read_phrase
from engine.errors import StorageError
from engine.notes.midi_file import read_midi
from engine.notes.note import Note, NoteEvent

FILES = Path(__file__).parents[2] / "data" / "midi"

TICK = 1 / 960  # seconds


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


# Of the files in tests/data/midi those that are not eight notes of C major's neighbourhood, 0.25 s
# each: how many notes, and when the last one ends.
OTHERS = {
    "data-over-127": (9, 2.25), "delta-huge": (9, 279622.51), "long-lead-in-note": (1, 100.0),
    "one-chord-88": (88, 0.5), "running-status-after-meta": (2, 0.5), "smpte-25fps-40": (8, 1.92),
    "tempo-max": (8, 67.11), "two-hours": (9, 7302.25), "vlq-5-bytes": (9, 2.25),
    "zero-length-among": (10, 2.5),
}  # fmt: skip
BROKEN = {
    "cut-in-the-middle": "ends too early", "division-0": "0 ticks per beat",
    "drums-only": "no notes", "empty": "not a MIDI file", "header-only": "no tracks",
    "only-mthd": "ends too early", "outside-88": "no notes", "zero-length-notes": "no notes",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(FILES.glob("*.mid")), ids=lambda p: p.stem)
def test_a_file_of_the_wild_gives_its_notes_or_one_line(path):
    if path.stem in BROKEN:
        with pytest.raises(StorageError, match=BROKEN[path.stem]) as caught:
            read_midi(path)
        assert repr(str(path)) in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    notes = read_midi(path)
    count, end = OTHERS.get(path.stem, (8, 2.0))
    assert len(notes) == count
    assert max(n.end for n in notes) == pytest.approx(end, abs=0.01)


def test_there_are_files_of_the_wild():
    names = {path.stem for path in FILES.glob("*.mid")}
    assert len(names) == 62
    assert names >= OTHERS.keys() | BROKEN.keys()


def test_the_tracks_of_a_type_2_file_follow_each_other(tmp_path):
    file = mido.MidiFile(type=2, ticks_per_beat=480)
    for pitch in (60, 62):
        file.tracks.append(mido.MidiTrack([on(pitch), on(pitch, 1.0, 0)]))
    file.save(tmp_path / "a.mid")
    assert_same(read_midi(tmp_path / "a.mid"), [Note(60, 80, 0, 1), Note(62, 80, 1, 2)])


def test_a_tempo_in_one_track_counts_for_all_tracks(tmp_path):
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    slower = mido.MetaMessage("set_tempo", tempo=1_000_000, time=480)
    file.tracks += [
        mido.MidiTrack([slower]),
        mido.MidiTrack([on(60, 0.0), on(60, 1.0, 0)]),
    ]
    file.save(tmp_path / "a.mid")
    assert_same(read_midi(tmp_path / "a.mid"), [Note(60, 80, 0, 1.5)])


def test_wave_files_large_files_and_nonsense_numbers_are_one_line_each(tmp_path):
    good = save(tmp_path / "good.mid", on(60), on(60, 1.0, 0)).read_bytes()
    endless = good[:22] + b"\xff" * 5000
    bad = {
        "wave": (b"RIFF" + bytes(5000) + good, "not a MIDI file"),
        "short": (good[:-6], "ends too early"),
        "film": (good[:12] + bytes((256 - 60, 40)) + good[14:], "60 film frames per second"),
        "large": (good + bytes(33 << 20), "use a file of"),
        "endless": (endless, "damaged|ends too early"),
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


def test_a_file_of_three_days_is_read(tmp_path):
    path = save(tmp_path / "a.mid", on(60), on(60, 1.0, 0), on(62, 72 * 3600.0), on(62, 1.0, 0))
    assert read_midi(path)[-1].end == pytest.approx(72 * 3600 + 2)
    assert_same(read_phrase(path), [Note(62, 80, 29, 30)])


def test_a_megabyte_of_notes_is_read_in_seconds(tmp_path):
    path = tmp_path / "a.mid"
    write_midi(path, [NoteEvent(k / 50, 40 + k % 40, 60 * (k % 2)) for k in range(250_000)], 5000)
    assert path.stat().st_size > 900_000
    begun = time.perf_counter()
    assert len(read_midi(path)) > 100_000
    assert time.perf_counter() - begun < 10


def test_damaged_bytes_are_never_anything_but_a_storage_error(tmp_path):
    chance = random.Random(5)
    path = tmp_path / "a.mid"
    notes = [Note(40 + k, 60 + k, k / 4, k / 4 + 1) for k in range(20)]
    events = [NoteEvent(n.start, n.pitch, n.velocity) for n in notes]
    write_midi(path, events + [NoteEvent(n.end, n.pitch, 0) for n in notes], 10.0)
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
    assert 0 < read < 600
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
