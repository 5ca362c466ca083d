"""Notes when they are heard: told in time, let go whatever is dropped, and kept beside a sound."""

import numpy as np
import pytest
from virtual_clock import VirtualClock

from engine.notes.midi_file import read_midi
from engine.notes.note import NoteEvent
from engine.notes.notes_file import CollectedNotes, NotesFile
from engine.notes.notes_out import NotesOut
from engine.notes.timed_note import TimedNote
from engine.stream.lead import Lead
from engine.stream.pending_notes import _MOST, PendingNotes

RATE = 24000
OUT = 48000
BLOCK = np.zeros((RATE, 1), np.float32)


class Heard:
    """What a performer's MIDI port gets, in seconds of the output, as the lead is played."""

    def __init__(self, latency=0):
        self.frames = 0
        self.events = []
        self.out = NotesOut(OUT, lambda: self.frames, latency)
        self.out.set_listeners((self.events.append,))
        self.lead = Lead(
            RATE, 1, clock=VirtualClock(), on_notes=lambda notes: self.out.add(notes, RATE)
        )

    def play(self, seconds, period=64):
        for _ in range(round(seconds * RATE / period)):
            self.lead.pull(period)
            self.frames += period * OUT // RATE

    @property
    def down(self):
        keys = set()
        for e in self.events:
            (keys.add if e.velocity else keys.discard)(e.pitch)
        return keys

    def times(self, pitch):
        return [(e.seconds, e.velocity) for e in self.events if e.pitch == pitch]


def note(start, end, pitch=60, velocity=80):
    return (TimedNote(round(start * RATE), pitch, velocity), TimedNote(round(end * RATE), pitch, 0))


# ---------------------------------------------------------------- when they are heard


def test_a_note_is_sent_when_its_sample_is_played():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.25, 0.75))
    heard.play(0.2)
    assert heard.events == [], "not before"
    heard.play(0.1)
    assert heard.down == {60}
    heard.play(0.6)
    assert heard.times(60) == [(pytest.approx(0.25), 80), (pytest.approx(0.75), 0)]


def test_notes_of_a_block_that_waits_in_the_lead_are_sent_after_those_before_it():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.9, 1.2, 60))
    heard.lead.append(BLOCK, notes=note(0.1, 0.3, 72))
    heard.play(2)
    assert heard.times(60) == [(pytest.approx(0.9), 80), (pytest.approx(1.2), 0)]
    assert heard.times(72) == [(pytest.approx(1.1), 80), (pytest.approx(1.3), 0)]


def test_a_rewinding_block_brings_its_notes_forward_by_as_much():
    heard = Heard()
    heard.lead.append(BLOCK)
    heard.lead.append(BLOCK, rewind=RATE // 4, notes=note(0.5, 0.6))
    heard.play(1.7)
    assert heard.times(60)[0] == (pytest.approx(1.25), 80)


def test_notes_wait_with_the_sound_when_the_lead_is_gone():
    heard = Heard()
    heard.lead.append(BLOCK[: RATE // 2], notes=note(0.6, 0.7))
    heard.play(2)
    assert heard.events == [], "its sound is not made yet"
    heard.lead.append(BLOCK)
    heard.play(0.3)
    assert heard.times(60)[0][0] == pytest.approx(2.1, abs=0.01)


def test_what_the_mixer_delays_is_counted_in():
    heard = Heard(latency=480)
    heard.lead.append(BLOCK, notes=note(0.25, 0.5))
    heard.play(0.6)
    assert heard.times(60)[0][0] == pytest.approx(0.26)


def test_every_listener_gets_the_same_notes():
    heard, other = Heard(), []
    heard.out.set_listeners((heard.events.append, other.append))
    heard.lead.append(BLOCK, notes=note(0.1, 0.2))
    heard.play(0.5)
    assert other == heard.events
    assert len(other) == 2


# ----------------------------------------------------------------- no key sticks


def test_all_that_sounds_is_let_go_when_the_lead_is_flushed():
    heard = Heard()
    heard.lead.append(BLOCK, notes=(*note(0.1, 0.9, 60), *note(0.2, 0.9, 64), *note(0.7, 0.8, 72)))
    heard.play(0.5)
    assert heard.down == {60, 64}
    heard.lead.flush()
    heard.play(0.01)
    assert heard.down == set()
    assert heard.times(60)[-1] == (pytest.approx(0.5, abs=0.003), 0)
    heard.lead.append(BLOCK)
    heard.play(1)
    assert heard.times(72) == [], "what was dropped is never told"
    assert len(heard.events) == 4, "and nothing comes up twice"


def test_all_is_let_go_when_new_music_is_there_at_once():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.1, 0.9))
    heard.play(0.5)
    heard.lead.flush()
    heard.lead.append(BLOCK, notes=note(0.0, 0.2, 60, 33))
    heard.play(0.1)
    assert [v for _, v in heard.times(60)] == [80, 0, 33]


def test_a_flush_in_silence_sends_nothing():
    heard = Heard()
    heard.lead.flush()
    heard.play(0.1)
    assert heard.events == []


def test_a_key_struck_while_it_sounds_comes_up_first():
    pending = PendingNotes(None)
    pending.add((TimedNote(0, 60, 80), TimedNote(100, 60, 90)), 0)
    assert pending.advance(200) == (
        TimedNote(0, 60, 80), TimedNote(100, 60, 0), TimedNote(100, 60, 90),
    )  # fmt: skip


def test_a_key_that_comes_up_and_goes_down_in_the_same_frame_is_down():
    pending = PendingNotes(None)
    pending.add((TimedNote(0, 60, 80), TimedNote(100, 60, 70), TimedNote(100, 60, 0)), 0)
    assert [n.velocity for n in pending.advance(200)] == [80, 0, 70]


def test_the_end_of_a_note_whose_beginning_was_never_sent_is_not_sent():
    pending = PendingNotes(None)
    pending.add((TimedNote(10, 60, 0),), 0)
    assert pending.advance(100) == ()


def test_a_note_that_comes_too_late_is_sent_at_once():
    pending = PendingNotes(None)
    pending.advance(1000)
    pending.add((TimedNote(0, 60, 80),), -500)
    assert pending.advance(10) == (TimedNote(0, 60, 80),)


def test_a_pack_gone_astray_does_not_fill_the_memory():
    pending = PendingNotes(None)
    many = tuple(TimedNote(0, 60, 1 + i % 100) for i in range(1000))
    for _ in range(120):
        pending.add(many, 0)
    assert len(pending._queue) == _MOST < 120 * len(many)
    struck = [note for note in pending.advance(1) if note.velocity]
    assert len(struck) == _MOST


def test_notes_beyond_a_rewound_end_are_not_sent():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(1.05, 1.2, 60))
    heard.lead.append(BLOCK, rewind=768, notes=note(0.2, 0.4, 72))
    heard.play(1.8)
    assert heard.times(72)
    assert heard.times(60) == []


# ------------------------------------------------------------------- beside a recording


class Beside:
    """A sound file's notes, written as a recorder's thread writes them."""

    def __init__(self, heard, sound):
        self.heard, self.begin = heard, heard.frames
        self.collected = CollectedNotes()
        self.file = NotesFile(sound, self.collected)
        heard.out.collect(self.collected)

    @property
    def seconds(self):
        return (self.heard.frames - self.begin) / OUT

    def play(self, seconds):
        for _ in range(round(seconds * 10)):
            self.heard.play(0.1)
            self.file.write(self.seconds)

    def close(self):
        self.file.close(self.seconds)


def test_a_recordings_midi_file_has_its_notes_at_their_times(tmp_path):
    heard = Heard(latency=96)
    heard.lead.append(np.zeros((3 * RATE, 1), np.float32), notes=(
        *note(0.2, 0.4, 50), *note(1.25, 1.5, 60, 99), *note(1.3, 2.6, 64), *note(2.7, 2.8, 70),
    ))  # fmt: skip
    heard.play(1)
    beside = Beside(heard, tmp_path / "take.flac")
    beside.play(1.5)
    end = beside.seconds
    beside.close()
    heard.play(0.5)
    low, high = read_midi(tmp_path / "take.mid")
    assert (low.pitch, low.velocity) == (60, 99)
    assert low.start == pytest.approx(0.252, abs=0.003)
    assert low.end == pytest.approx(0.502, abs=0.003)
    assert (high.pitch, high.end) == (64, pytest.approx(end, abs=0.01)), "cut where it ends"
    assert beside.file.summary == "2 notes in take.mid"


def test_keys_that_are_down_when_a_recording_begins_are_struck_at_its_beginning(tmp_path):
    heard = Heard()
    heard.lead.append(np.zeros((3 * RATE, 1), np.float32), notes=note(0.5, 1.5, 60, 90))
    heard.play(1)
    beside = Beside(heard, tmp_path / "take.flac")
    beside.play(1)
    beside.close()
    (held,) = read_midi(tmp_path / "take.mid")
    assert (held.velocity, held.start, held.end) == (90, 0, pytest.approx(0.5, abs=0.01))


def test_notes_are_in_the_file_while_the_recording_goes_on(tmp_path):
    heard = Heard()
    heard.lead.append(np.zeros((4 * RATE, 1), np.float32), notes=(*note(0.5, 1, 60), *note(3, 4)))
    beside = Beside(heard, tmp_path / "take.flac")
    beside.play(2.2)
    (first,) = read_midi(tmp_path / "take.mid")
    assert first.start == pytest.approx(0.5, abs=0.01)
    beside.close()


def test_a_recording_of_three_hours_has_its_last_note(tmp_path):
    heard = Heard()
    beside = Beside(heard, tmp_path / "take.flac")
    for minute in range(180):
        heard.frames = (60 * minute + 30) * OUT
        heard.out.add((TimedNote(0, 60, 80), TimedNote(RATE, 60, 0)), RATE)
        beside.file.write(beside.seconds)
    heard.frames += OUT
    beside.close()
    notes = read_midi(tmp_path / "take.mid")
    assert len(notes) == 180
    assert notes[-1].start == pytest.approx(3 * 3600 - 30)


def test_a_midi_file_of_that_name_that_was_there_is_left_alone(tmp_path):
    (tmp_path / "take.mid").write_bytes(b"mine")
    for name in ("take-notes.mid", "take-notes-2.mid"):
        heard = Heard()
        heard.lead.append(BLOCK, notes=note(0.1, 0.2))
        beside = Beside(heard, tmp_path / "take.flac")
        beside.play(0.5)
        beside.close()
        assert beside.file.summary == f"1 note in {name}"
        assert len(read_midi(tmp_path / name)) == 1
    assert (tmp_path / "take.mid").read_bytes() == b"mine"


def test_notes_that_cannot_be_written_are_reported_and_do_not_raise(tmp_path):
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.1, 0.2))
    beside = Beside(heard, tmp_path / "gone" / "take.flac")
    beside.play(0.5)
    beside.close()
    assert "cannot write" in beside.file.problem
    assert "\n" not in beside.file.summary


def test_without_a_note_there_is_no_file(tmp_path):
    beside = Beside(Heard(), tmp_path / "take.flac")
    beside.play(0.5)
    beside.close()
    assert beside.file.summary == ""
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_has_stalled_does_not_fill_the_memory():
    collected = CollectedNotes()
    for k in range(250_000):
        collected.put(NoteEvent(k, 60, 80))
    assert len(collected.take()) <= 100_000
    assert collected.dropped >= 150_000


# ------------------------------------------------------------------- of the last seconds


def test_the_last_seconds_begin_with_the_keys_that_were_down(tmp_path):
    heard = Heard()
    heard.lead.append(np.zeros((5 * RATE, 1), np.float32), notes=(
        *note(0.5, 2.5, 60, 90), *note(1, 1.5, 62), *note(3, 4, 64), *note(4.5, 4.7, 65),
    ))  # fmt: skip
    heard.play(5)
    assert heard.out.between(2 * OUT, 4 * OUT) == [
        NoteEvent(0.0, 60, 90), NoteEvent(0.5, 60, 0), NoteEvent(1.0, 64, 80),
    ]  # fmt: skip


def test_what_is_longer_ago_is_forgotten_but_for_what_is_still_down():
    heard = Heard()
    heard.out.add((TimedNote(0, 60, 80),), RATE)
    for second in range(1, 200):
        heard.frames = second * OUT
        heard.out.add((TimedNote(0, 62, 70), TimedNote(RATE // 2, 62, 0)), RATE)
    last = heard.out.between(150 * OUT, 151 * OUT)
    assert last == [NoteEvent(0.0, 60, 80), NoteEvent(0.0, 62, 70), NoteEvent(0.5, 62, 0)]
    assert len(heard.out._memory._events) < 130


def test_times_count_from_the_mixers_beginning_not_the_recordings():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.5, 0.6))
    heard.play(0.3)
    heard.out.collect(CollectedNotes())
    heard.play(0.5)
    assert heard.events[0] == NoteEvent(pytest.approx(0.5), 60, 80)
