"""Notes of a stream: held keys, phrases, the past, and when every note is told."""

import numpy as np
import pytest

from engine.signal.roll import CHANNELS, LOWEST, PITCHES, Note, encode, silence
from engine.stream.notes_track import NotesTrack, TimedNote

HOP, RATE, TOKENS = 2048, 24000, 8
SECONDS = HOP / RATE
ROWS = CHANNELS * PITCHES


def track():
    return NotesTrack(HOP, RATE, TOKENS)


def quiet(tokens=TOKENS):
    return silence(tokens).reshape(ROWS, tokens)


def read_on(notes, blocks, held=()):
    """The notes of that many blocks in which nothing is played but the keys held, by the sample."""
    told = []
    for _ in range(blocks):
        block, known = quiet(), notes.held(held)
        if known is not None:
            block[known.mask] = known.context[known.mask]
        told += notes.read(block, TOKENS, 0)[1]
    return told


def played(notes):
    """All the blocks of a phrase, read."""
    told = []
    while notes.in_phrase:
        told += notes.read(notes.given(), TOKENS, 0)[1]
    return told


def sounding(told):
    """(pitch, velocity, start, end) in seconds of what went down and came up."""
    down, out = {}, []
    for n in told:
        if n.pitch in down:
            velocity, start = down.pop(n.pitch)
            out.append((n.pitch, velocity, start, n.offset / RATE))
        if n.velocity:
            down[n.pitch] = (n.velocity, n.offset / RATE)
    assert not down, "every key comes up"
    return sorted(out, key=lambda n: n[2])


# ------------------------------------------------------------------------ held keys


def test_no_held_key_asks_for_nothing():
    assert track().held(()) is None


def test_keys_that_no_piano_has_ask_for_nothing():
    assert track().held((20, 109)) is None


def test_a_held_key_is_struck_at_the_blocks_beginning_and_sounds_through_all_of_it():
    assert read_on(track(), 1, held=(60, 21, 108)) == [
        TimedNote(0, 21, 88), TimedNote(0, 60, 88), TimedNote(0, 108, 88)
    ]  # fmt: skip


def test_only_the_held_keys_own_cells_are_forced():
    known = track().held((60,))
    mask = known.mask.reshape(CHANNELS, PITCHES, TOKENS)
    assert not np.delete(mask, 60 - LOWEST, axis=1).any()
    assert mask[2:, 60 - LOWEST].all(), "it sounds in every token"
    assert mask[:2, 60 - LOWEST].sum() == 2, "the network may strike it again, where it likes"
    assert mask[:2, 60 - LOWEST, 0].all()


def test_a_held_key_that_sounds_is_struck_again_every_second():
    told = read_on(track(), 12, held=(60,))
    strikes = [n.offset / RATE for n in told if n.velocity]
    assert strikes[0] == 0
    assert len(strikes) > 2
    assert np.diff(strikes).min() >= 1.0
    assert np.diff(strikes).max() < 1.0 + SECONDS + 1e-6


def test_a_held_key_that_sounds_is_not_let_go_between_blocks():
    told = read_on(track(), 12, held=(60,))
    for up in (n for n in told if not n.velocity):
        again = [n for n in told if n.velocity and n.offset == up.offset]
        assert again, "it comes up only to be struck again"


def test_a_key_let_go_comes_up_where_the_next_block_begins():
    notes = track()
    read_on(notes, 1, held=(60,))
    (up,) = read_on(notes, 1)
    assert (up.pitch, up.velocity) == (60, 0)
    assert up.offset == pytest.approx(TOKENS * HOP, abs=HOP / 2)


def test_a_key_that_the_music_has_just_struck_is_held_on_and_not_struck():
    notes = track()
    struck = encode([Note(60, 90, 0.3, 9)], 0, TOKENS, SECONDS)
    notes.read(struck, TOKENS, 0)
    assert read_on(notes, 1, held=(60,)) == []


# -------------------------------------------------------------------------- phrases

PHRASE = [Note(60, 90, 0.1, 0.6), Note(67, 101, 0.731, 1.3), Note(76, 60, 1.415, 1.9)]


def test_a_phrase_is_told_as_it_was_played():
    notes = track()
    notes.play(PHRASE)
    told = played(notes) + read_on(notes, 1)
    shift = sounding(told)[0][2] - 0.1
    assert 0 <= shift < TOKENS * SECONDS, "less than a block passes before it"
    for (pitch, velocity, start, end), n in zip(sounding(told), PHRASE, strict=True):
        assert (pitch, velocity) == (n.pitch, n.velocity)
        assert start - shift == pytest.approx(n.start, abs=0.001)
        assert end - shift == pytest.approx(n.end, abs=SECONDS / 2)


def test_the_music_takes_over_at_the_moment_the_phrase_ends():
    notes = track()
    notes.play(PHRASE)
    last = [n for n in played(notes) if n.velocity][-1]
    assert notes.now == 3 * TOKENS * HOP, "three blocks"
    assert notes.now - last.offset == pytest.approx((1.9 - 1.415) * RATE, abs=2)
    told = read_on(notes, 1, held=(60,))
    assert TimedNote(notes.now - TOKENS * HOP, 60, 88) in told
    assert notes.given() is None


def test_a_phrase_is_played_whatever_keys_are_held():
    notes = track()
    notes.play(PHRASE)
    assert {n.pitch for n in played(notes)} == {60, 67, 76}


def test_no_phrase_is_none():
    notes = track()
    notes.play([])
    assert not notes.in_phrase
    assert notes.given() is None


def test_a_chord_is_struck_at_once_and_a_note_off_the_keyboard_is_left_out():
    notes = track()
    notes.play([Note(p, 80, 0.2, 0.9) for p in (48, 55, 64, 120)])
    strikes = [n for n in played(notes) if n.velocity]
    assert [n.pitch for n in strikes] == [48, 55, 64]
    assert len({n.offset for n in strikes}) == 1


def test_a_phrase_of_notes_without_length_does_no_harm():
    notes = track()
    notes.play([Note(60, 80, 0.0, 0.0)])
    played(notes)
    assert notes.given() is None


# ------------------------------------------------------------------------- the past


def test_the_past_is_the_roll_of_its_last_notes():
    notes = track()
    given = [Note(60, 80, 0.5, 1.2), Note(64, 70, 3.0, 3.2)]
    end, tokens = 4.0, 32
    roll = notes.past(given, end, tokens).reshape(CHANNELS, PITCHES, tokens)
    start = end - tokens * SECONDS
    struck = {(int(r) + LOWEST, int(t)) for r, t in np.argwhere(roll[0] > 0)}
    assert struck == {(64, int((3.0 - start) / SECONDS))}, "the first lies too far back"
    assert roll[0].max() == pytest.approx(0.5 + 70 / 127, abs=1e-6)


def test_nothing_of_the_past_is_told_again():
    notes = track()
    notes.past([Note(60, 80, 0.2, 0.9)], 2.0, 32)
    assert read_on(notes, 2) == []


def test_a_key_that_sounds_at_the_pasts_end_goes_on_until_the_music_lets_it_go():
    notes = track()
    roll = notes.past([Note(60, 80, 1.5, 2.0), Note(72, 80, 1.0, 1.4)], 2.0, 32)
    assert roll.reshape(CHANNELS, PITCHES, 32)[3, :, -1].argmax() == 60 - LOWEST
    told = read_on(notes, 2)
    assert [(n.pitch, n.velocity) for n in told] == [(60, 0)]


def test_a_key_that_rang_for_a_while_is_struck_when_it_is_pressed():
    notes = track()
    notes.read(encode([Note(60, 20, 0.0, 9)], 0, TOKENS, SECONDS), TOKENS, 0)
    strikes = [n for n in read_on(notes, 1, held=(60,)) if n.velocity]
    assert [(n.pitch, n.velocity, n.offset) for n in strikes] == [(60, 88, TOKENS * HOP)]


def test_a_held_key_that_the_past_left_sounding_is_not_struck_again():
    notes = track()
    notes.past([Note(60, 80, 1.5, 2.0)], 2.0, 32)
    soon = notes.now + 0.4 * RATE
    struck = [n for n in read_on(notes, 1, held=(60, 62)) if n.velocity]
    assert [n.pitch for n in struck if n.offset < soon] == [62]


def test_a_past_without_notes_is_silence():
    assert np.array_equal(track().past([], 2.0, 16), quiet(16))


def test_a_past_ends_the_phrase_that_was_due():
    notes = track()
    notes.play(PHRASE)
    notes.past([], 1.0, 16)
    assert not notes.in_phrase


# --------------------------------------------------------------------------- timing


def test_notes_are_timed_to_the_sample_from_the_origin():
    notes = track()
    starts = [0.0, 0.0171, 0.0853, 0.2222, 0.5]
    roll = encode([Note(60 + i, 80, s, 9) for i, s in enumerate(starts)], 0, TOKENS, SECONDS)
    _, told = notes.read(roll, TOKENS, -2048)
    for n, s in zip(told, starts, strict=True):
        assert n.offset == pytest.approx(2048 + s * RATE, abs=1.5)


def test_time_goes_on_by_what_is_kept():
    notes = track()
    assert notes.now == 0
    roll = encode([Note(60, 80, 0.01, 9), Note(62, 80, 5.5 * SECONDS, 9)], 0, TOKENS, SECONDS)
    clean, told = notes.read(roll, 3, 0)
    assert notes.now == 3 * HOP
    assert [n.pitch for n in told] == [60], "what lies beyond is not told: it is made anew"
    assert clean.shape == (ROWS, TOKENS)
    onsets = clean.reshape(CHANNELS, PITCHES, TOKENS)[0] > 0
    assert onsets[62 - LOWEST, 5], "but the sound may look ahead at it"
    _, told = notes.read(encode([Note(64, 80, 0, 9)], 0, TOKENS, SECONDS), TOKENS, 0)
    assert TimedNote(3 * HOP, 64, 80) in told


def test_what_a_network_wrote_badly_is_read_as_notes():
    notes = track()
    rng = np.random.default_rng(1)
    block = encode([Note(60, 80, 0.1, 0.5)], 0, TOKENS, SECONDS) + 0.1 * rng.standard_normal(
        (ROWS, TOKENS)
    )
    block[5, 2] = np.nan
    clean, told = notes.read(block.astype(np.float32), TOKENS, 0)
    assert [n.pitch for n in told] == [60, 60]
    assert set(np.unique(clean.reshape(CHANNELS, PITCHES, -1)[2:])) == {-1, 1}
    assert np.isfinite(clean).all()


def test_no_key_sounds_for_longer_than_twelve_seconds():
    notes = track()
    block = quiet().reshape(CHANNELS, PITCHES, TOKENS)
    block[2:, 60 - LOWEST] = 1
    first = block.copy()
    first[0, 60 - LOWEST, 0] = 1
    told = list(notes.read(first.reshape(ROWS, -1), TOKENS, 0)[1])
    for _ in range(25):
        told += notes.read(block.reshape(ROWS, -1), TOKENS, 0)[1]
    ((_, _, start, end),) = sounding(told)
    assert end - start == pytest.approx(12, abs=0.2)


# --------------------------------------------------------------------------- forget


def test_a_new_stream_knows_of_no_key_no_phrase_and_no_time():
    notes = track()
    read_on(notes, 1, held=(60,))
    notes.play(PHRASE)
    notes.forget()
    assert not notes.in_phrase
    assert notes.now == 0
    assert read_on(notes, 1, held=(60,)) == [TimedNote(0, 60, 88)]
