"""Notes when they are heard: told in time, let go whatever is dropped, and kept beside a sound."""

import numpy as np
import pytest

from engine.errors import StorageError
from engine.signal.midi_file import read_midi
from engine.signal.roll import Note, NoteEvent
from engine.stream.lead import Lead
from engine.stream.notes_out import NotesOut
from engine.stream.notes_track import TimedNote
from engine.stream.pending_notes import PendingNotes
from engine.stream.recent_notes import RecentNotes

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
        self.lead = Lead(RATE, 1, heard=lambda notes: self.out.heard(notes, RATE))

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


def test_a_note_is_told_when_its_sample_is_played():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.25, 0.75))
    heard.play(0.2)
    assert heard.events == [], "not before"
    heard.play(0.1)
    assert heard.down == {60}
    heard.play(0.6)
    assert heard.times(60) == [(pytest.approx(0.25), 80), (pytest.approx(0.75), 0)]


def test_notes_of_a_block_that_waits_in_the_lead_are_told_after_those_before_it():
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


def test_every_listener_is_told_the_same():
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


def test_a_flush_in_silence_tells_nothing():
    heard = Heard()
    heard.lead.flush()
    heard.play(0.1)
    assert heard.events == []


def test_a_key_struck_while_it_sounds_comes_up_first():
    pending = PendingNotes(None)
    pending.add((TimedNote(0, 60, 80), TimedNote(100, 60, 90)), 0)
    assert pending.passed(200) == (
        TimedNote(0, 60, 80), TimedNote(100, 60, 0), TimedNote(100, 60, 90),
    )  # fmt: skip


def test_a_key_that_comes_up_and_goes_down_in_the_same_frame_is_down():
    pending = PendingNotes(None)
    pending.add((TimedNote(0, 60, 80), TimedNote(100, 60, 70), TimedNote(100, 60, 0)), 0)
    assert [n.velocity for n in pending.passed(200)] == [80, 0, 70]


def test_the_end_of_a_note_whose_beginning_was_never_told_is_not_told():
    pending = PendingNotes(None)
    pending.add((TimedNote(10, 60, 0),), 0)
    assert pending.passed(100) == ()


def test_a_note_that_comes_too_late_is_told_at_once():
    pending = PendingNotes(None)
    pending.passed(1000)
    pending.add((TimedNote(0, 60, 80),), -500)
    assert pending.passed(10) == (TimedNote(0, 60, 80),)


def test_a_pack_gone_astray_does_not_fill_the_memory():
    pending = PendingNotes(None)
    many = tuple(TimedNote(0, 60, 1 + i % 100) for i in range(1000))
    for _ in range(120):
        pending.add(many, 0)
    assert len(pending.passed(1)) <= 200_000


def test_notes_beyond_a_rewound_end_are_not_told():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(1.05, 1.2, 60))
    heard.lead.append(BLOCK, rewind=768, notes=note(0.2, 0.4, 72))
    heard.play(1.8)
    assert heard.times(72)
    assert heard.times(60) == []


# ------------------------------------------------------------------- beside a recording


def test_a_recordings_midi_file_has_its_notes_at_their_times(tmp_path):
    heard = Heard(latency=96)
    heard.lead.append(np.zeros((3 * RATE, 1), np.float32), notes=(
        *note(0.2, 0.4, 50), *note(1.25, 1.5, 60, 99), *note(1.3, 2.6, 64), *note(2.7, 2.8, 70),
    ))  # fmt: skip
    heard.play(1)
    heard.out.begin_recording()
    heard.play(1.5)
    assert heard.out.end_recording(tmp_path / "take.mid", 1.5) == 2
    heard.play(0.5)
    low, high = read_midi(tmp_path / "take.mid")
    assert (low.pitch, low.velocity) == (60, 99)
    assert low.start == pytest.approx(0.252, abs=0.002)
    assert low.end == pytest.approx(0.502, abs=0.002)
    assert (high.pitch, high.end) == (64, pytest.approx(1.5, abs=0.002)), "cut where it ends"


def test_a_recording_says_how_many_notes_lie_beside_it(tmp_path):
    heard = Heard()
    heard.lead.append(BLOCK, notes=(*note(0.1, 0.2, 60), *note(0.3, 0.4, 62)))
    heard.out.begin_recording()
    heard.play(0.5)
    assert heard.out.write_beside(tmp_path / "take.flac", 0.5) == ", 2 notes in take.mid"
    assert [n.pitch for n in read_midi(tmp_path / "take.mid")] == [60, 62]


def test_notes_that_cannot_be_written_are_said_and_do_not_raise(tmp_path):
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.1, 0.2))
    heard.out.begin_recording()
    heard.play(0.5)
    said = heard.out.write_beside(tmp_path / "gone" / "take.flac", 0.5)
    assert said.startswith(", but not its notes: cannot write")
    assert "\n" not in said


def test_a_recording_in_which_nothing_is_played_has_a_file_without_notes(tmp_path):
    heard = Heard()
    heard.out.begin_recording()
    assert heard.out.end_recording(tmp_path / "empty.mid", 0.5) == 0
    with pytest.raises(StorageError, match="no notes from A0 to C8"):
        read_midi(tmp_path / "empty.mid")


def test_without_a_recording_nothing_is_written(tmp_path):
    heard = Heard()
    assert heard.out.end_recording(tmp_path / "none.mid", 1.0) == 0
    assert not (tmp_path / "none.mid").exists()


def test_times_are_told_from_the_mixers_beginning_not_the_recordings():
    heard = Heard()
    heard.lead.append(BLOCK, notes=note(0.5, 0.6))
    heard.play(0.3)
    heard.out.begin_recording()
    heard.play(0.5)
    assert heard.events[0] == NoteEvent(pytest.approx(0.5), 60, 80)


# ---------------------------------------------------------- the last seconds, for a restart


def test_the_last_notes_made_are_timed_from_the_first_sample_asked_for():
    recent = RecentNotes(RATE)
    recent.add(note(0.5, 0.75, 60, 70), RATE, 0)
    recent.add(note(0.25, 0.5, 64, 90), RATE, 0)
    first, second = recent.notes(2 * RATE)
    assert first == Note(60, 70, 0.5, 0.75)
    assert second == Note(64, 90, 1.25, 1.5)
    (only,) = recent.notes(RATE)
    assert only == Note(64, 90, 0.25, 0.5)


def test_a_key_that_is_still_down_sounds_beyond_the_end():
    recent = RecentNotes(RATE)
    recent.add((TimedNote(RATE // 2, 60, 80),), RATE, 0)
    (held,) = recent.notes(RATE)
    assert held.start == 0.5
    assert held.end > 1.0


def test_a_note_that_began_before_is_told_with_a_negative_start():
    recent = RecentNotes(RATE)
    recent.add(note(0.75, 1.5), 2 * RATE, 0)
    (cut,) = recent.notes(RATE)
    assert cut == Note(60, 80, -0.25, 0.5)


def test_a_rewound_block_counts_from_where_it_begins():
    recent = RecentNotes(RATE)
    recent.add(note(0.25, 0.5), RATE, 0)
    recent.add(note(0.5, 0.75), RATE, RATE // 4)
    first, moved = recent.notes(2 * RATE - RATE // 4)
    assert first == Note(60, 80, 0.25, 0.5)
    assert moved == Note(60, 80, 1.25, 1.5)


def test_notes_whose_sound_is_not_made_are_not_the_past():
    recent = RecentNotes(RATE)
    recent.add(note(1.02, 1.2), RATE, 0)
    assert recent.notes(RATE) == []


def test_what_is_long_over_is_forgotten_and_a_reset_forgets_all():
    recent = RecentNotes(RATE)
    recent.add(note(0.1, 0.2), RATE, 0)
    recent.add(note(0.1, 0.2, 72), 24 * RATE, 0)
    recent.add((), RATE, 0)
    assert recent.notes(30 * RATE) == []
    recent.add((TimedNote(0, 50, 80),), RATE, 0)
    recent.forget()
    assert recent.notes(30 * RATE) == []
