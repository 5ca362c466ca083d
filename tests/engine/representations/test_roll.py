"""The roll: held keys, phrases, the past, when each note is published, and states."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.notes.note import LOWEST, PITCHES, Note
from engine.representations.keyboard import Keyboard
from engine.representations.kinds import make_representation
from engine.representations.protocol import Event
from engine.representations.roll import CHANNELS, encode, silence
from engine.representations.signals import Grid, Signal

HOP, RATE, TOKENS = 2048, 24000, 8
SECONDS = HOP / RATE
ROWS = CHANNELS * PITCHES
HELD = ((), (60,), (60, 64), ())  # keys, block by block


def make(rows=ROWS, **options):
    grid = Grid(samples=Fraction(HOP))
    return make_representation(
        Signal("notes", "roll", rows, 1, grid, options=options), RATE, {}.get
    )


def projection():
    return make().projection()


def quiet(tokens=TOKENS):
    return silence(tokens).reshape(ROWS, tokens)


def read_on(notes, blocks, held=()):
    """The events of that many blocks in which nothing is played but the keys held."""
    events = []
    for _ in range(blocks):
        block, known = quiet(), notes.known(held, TOKENS)
        if known is not None:
            block[known.mask] = known.context[known.mask]
        events += notes.project(block, TOKENS)[1]
    return events


def played(notes, phrase):
    """The events of all the blocks of a phrase."""
    events = []
    for block in projection().phrase(phrase, TOKENS):
        events += notes.project(block, TOKENS)[1]
    return events


def sounding(events):
    """(pitch, velocity, start, end) in seconds of what went down and came up."""
    down, out = {}, []
    for n in events:
        if n.pitch in down:
            velocity, start = down.pop(n.pitch)
            out.append((n.pitch, velocity, start, n.frame * SECONDS))
        if n.velocity:
            down[n.pitch] = (n.velocity, n.frame * SECONDS)
    assert not down, "every key comes up"
    return sorted(out, key=lambda n: n[2])


# ------------------------------------------------------------------------ held keys


def test_no_held_key_asks_for_nothing():
    assert projection().known((), TOKENS) is None


def test_keys_that_no_piano_has_ask_for_nothing():
    assert projection().known((20, 109), TOKENS) is None


def test_a_held_key_is_struck_at_the_blocks_beginning_and_sounds_through_all_of_it():
    assert read_on(projection(), 1, held=(60, 21, 108)) == [
        Event(0, 21, 88), Event(0, 60, 88), Event(0, 108, 88)
    ]  # fmt: skip


def test_only_the_held_keys_own_cells_are_forced():
    known = projection().known((60,), TOKENS)
    mask = known.mask.reshape(CHANNELS, PITCHES, TOKENS)
    assert not np.delete(mask, 60 - LOWEST, axis=1).any()
    assert mask[2:, 60 - LOWEST].all(), "it sounds in every token"
    assert mask[:2, 60 - LOWEST].sum() == 2, "the network may strike it again, where it likes"
    assert mask[:2, 60 - LOWEST, 0].all()


def test_a_held_key_that_sounds_is_struck_again_every_second():
    events = read_on(projection(), 12, held=(60,))
    strikes = [n.frame * SECONDS for n in events if n.velocity]
    assert strikes[0] == 0
    assert len(strikes) > 2
    assert np.diff(strikes).min() >= 1.0
    assert np.diff(strikes).max() < 1.0 + SECONDS + 1e-6


def test_a_held_key_that_sounds_is_not_let_go_between_blocks():
    events = read_on(projection(), 12, held=(60,))
    for up in (n for n in events if not n.velocity):
        again = [n for n in events if n.velocity and n.frame == up.frame]
        assert again, "it comes up only to be struck again"


def test_a_key_let_go_comes_up_where_the_next_block_begins():
    notes = projection()
    read_on(notes, 1, held=(60,))
    (up,) = read_on(notes, 1)
    assert (up.pitch, up.velocity) == (60, 0)
    assert up.frame == pytest.approx(TOKENS, abs=0.5)


def test_a_key_that_the_music_has_just_struck_is_held_on_and_not_struck():
    notes = projection()
    struck = encode([Note(60, 90, 0.3, 9)], 0, TOKENS, SECONDS)
    notes.project(struck, TOKENS)
    assert read_on(notes, 1, held=(60,)) == []


# -------------------------------------------------------------------------- phrases

PHRASE = [Note(60, 90, 0.1, 0.6), Note(67, 101, 0.731, 1.3), Note(76, 60, 1.415, 1.9)]


def test_a_phrase_is_read_as_it_was_played():
    notes = projection()
    events = played(notes, PHRASE) + read_on(notes, 1)
    shift = sounding(events)[0][2] - 0.1
    assert 0 <= shift < TOKENS * SECONDS, "less than a block passes before it"
    for (pitch, velocity, start, end), n in zip(sounding(events), PHRASE, strict=True):
        assert (pitch, velocity) == (n.pitch, n.velocity)
        assert start - shift == pytest.approx(n.start, abs=0.001)
        assert end - shift == pytest.approx(n.end, abs=SECONDS / 2)


def test_the_music_takes_over_at_the_moment_the_phrase_ends():
    notes = projection()
    last = [n for n in played(notes, PHRASE) if n.velocity][-1]
    assert notes.now == 3 * TOKENS, "three blocks"
    assert (notes.now - last.frame) * SECONDS == pytest.approx(1.9 - 1.415, abs=1e-4)
    assert Event(3 * TOKENS, 60, 88) in read_on(notes, 1, held=(60,))


@pytest.mark.parametrize("notes", [[], [Note(60, 80, 0.0, 0.0)]])
def test_a_phrase_without_length_has_no_blocks(notes):
    assert projection().phrase(notes, TOKENS) == []


def test_a_chord_is_struck_at_once_and_a_note_off_the_keyboard_is_left_out():
    phrase = [Note(p, 80, 0.2, 0.9) for p in (48, 55, 64, 120)]
    strikes = [n for n in played(projection(), phrase) if n.velocity]
    assert [n.pitch for n in strikes] == [48, 55, 64]
    assert len({n.frame for n in strikes}) == 1


# ------------------------------------------------------------------------- the past


def test_the_past_is_the_roll_of_its_last_notes():
    notes = projection()
    given = [Note(60, 80, 0.5, 1.2), Note(64, 70, 3.0, 3.2)]
    end, tokens = 4.0, 32
    roll = notes.past(given, end, tokens).reshape(CHANNELS, PITCHES, tokens)
    start = end - tokens * SECONDS
    struck = {(int(r) + LOWEST, int(t)) for r, t in np.argwhere(roll[0] > 0)}
    assert struck == {(64, int((3.0 - start) / SECONDS))}, "the first lies too far back"
    assert roll[0].max() == pytest.approx(0.5 + 70 / 127, abs=1e-6)


def test_nothing_of_the_past_is_read_again():
    notes = projection()
    notes.past([Note(60, 80, 0.2, 0.9)], 2.0, 32)
    assert read_on(notes, 2) == []


def test_a_key_that_sounds_at_the_pasts_end_goes_on_until_the_music_lets_it_go():
    notes = projection()
    roll = notes.past([Note(60, 80, 1.5, 2.0), Note(72, 80, 1.0, 1.4)], 2.0, 32)
    assert roll.reshape(CHANNELS, PITCHES, 32)[3, :, -1].argmax() == 60 - LOWEST
    events = read_on(notes, 2)
    assert [(n.pitch, n.velocity) for n in events] == [(60, 0)]


def test_a_key_that_rang_for_a_while_is_struck_when_it_is_pressed():
    notes = projection()
    notes.project(encode([Note(60, 20, 0.0, 9)], 0, TOKENS, SECONDS), TOKENS)
    strikes = [n for n in read_on(notes, 1, held=(60,)) if n.velocity]
    assert [(n.pitch, n.velocity, n.frame) for n in strikes] == [(60, 88, TOKENS)]


def test_a_held_key_that_the_past_left_sounding_is_not_struck_again():
    notes = projection()
    notes.past([Note(60, 80, 1.5, 2.0)], 2.0, 32)
    soon = notes.now + 0.4 / SECONDS
    struck = [n for n in read_on(notes, 1, held=(60, 62)) if n.velocity]
    assert [n.pitch for n in struck if n.frame < soon] == [62]


def test_a_past_without_notes_is_silence():
    assert np.array_equal(projection().past([], 2.0, 16), quiet(16))


# --------------------------------------------------------------------------- timing


def test_notes_are_timed_to_the_sample():
    starts = [0.0, 0.0171, 0.0853, 0.2222, 0.5]
    roll = encode([Note(60 + i, 80, s, 9) for i, s in enumerate(starts)], 0, TOKENS, SECONDS)
    _, events = projection().project(roll, TOKENS)
    for n, s in zip(events, starts, strict=True):
        assert n.frame * HOP == pytest.approx(s * RATE, abs=1.5)


def test_time_goes_on_by_what_is_kept():
    notes = projection()
    assert notes.now == 0
    roll = encode([Note(60, 80, 0.01, 9), Note(62, 80, 5.5 * SECONDS, 9)], 0, TOKENS, SECONDS)
    clean, events = notes.project(roll, 3)
    assert notes.now == 3
    assert [n.pitch for n in events] == [60], "the next block replaces what lies beyond"
    assert clean.shape == (ROWS, TOKENS)
    onsets = clean.reshape(CHANNELS, PITCHES, TOKENS)[0] > 0
    assert onsets[62 - LOWEST, 5], "but the sound may look ahead at it"
    _, events = notes.project(encode([Note(64, 80, 0, 9)], 0, TOKENS, SECONDS), TOKENS)
    assert Event(3, 64, 80) in events


def test_what_a_network_wrote_badly_is_read_as_notes():
    notes = projection()
    rng = np.random.default_rng(1)
    block = encode([Note(60, 80, 0.1, 0.5)], 0, TOKENS, SECONDS) + 0.1 * rng.standard_normal(
        (ROWS, TOKENS)
    )
    block[5, 2] = np.nan
    clean, events = notes.project(block.astype(np.float32), TOKENS)
    assert [n.pitch for n in events] == [60, 60]
    assert set(np.unique(clean.reshape(CHANNELS, PITCHES, -1)[2:])) == {-1, 1}
    assert np.isfinite(clean).all()


def test_no_key_sounds_for_longer_than_twelve_seconds():
    notes = projection()
    block = quiet().reshape(CHANNELS, PITCHES, TOKENS)
    block[2:, 60 - LOWEST] = 1
    first = block.copy()
    first[0, 60 - LOWEST, 0] = 1
    events = list(notes.project(first.reshape(ROWS, -1), TOKENS)[1])
    for _ in range(25):
        events += notes.project(block.reshape(ROWS, -1), TOKENS)[1]
    ((_, _, start, end),) = sounding(events)
    assert end - start == pytest.approx(12, abs=0.2)


# --------------------------------------------------------------------------- state


def test_a_new_stream_knows_of_no_key_and_no_time():
    notes = projection()
    read_on(notes, 1, held=(60,))
    notes.reset()
    assert notes.now == 0
    assert read_on(notes, 1, held=(60,)) == [Event(0, 60, 88)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), before=st.integers(0, 4), keep=st.integers(1, TOKENS))
def test_a_restored_projection_continues_to_the_bit(seed, before, keep):
    rng = np.random.default_rng(seed)

    def step(notes, block, held):
        known = notes.known(held, TOKENS)
        if known is not None:
            block = np.where(known.mask, known.context, block)
        return notes.project(block, keep)

    def blocks(n):
        steps = [(rng.normal(-0.6, 0.6, (ROWS, TOKENS)), held) for held in HELD[:n]]
        return [(block.astype(np.float32), held) for block, held in steps]

    one, other = projection(), projection()
    one.past([Note(60, 80, 0.2, 2.5)], 2.5, 32)
    for block, held in blocks(before):
        step(one, block, held)
    if seed % 2:
        one.past([Note(62, 80, 0.2, 2.5)], 2.5, 32)  # keys that come up with the next block
    other.project(blocks(1)[0][0], keep)  # what the state replaces
    other.restore(one.state())
    for block, held in blocks(3):
        clean, events = step(one, block, held)
        again, same = step(other, block, held)
        assert events == same
        np.testing.assert_array_equal(clean, again)
    assert one.now == other.now


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    notes, same = projection(), projection()
    read_on(notes, 1, held=(60,))
    read_on(same, 1, held=(60,))
    state = notes.state()
    with pytest.raises(ConfigError, match="another version"):
        notes.restore({**state, "sounding": np.zeros((1, 3))})
    with pytest.raises(ConfigError, match="'ups'"):
        notes.restore({k: v for k, v in state.items() if k != "ups"})
    assert read_on(notes, 2, held=(60,)) == read_on(same, 2, held=(60,))


# --------------------------------------------------------------------------- keyboards


def test_a_roll_has_the_keys_of_its_signal():
    roll = make(rows=4 * 16, lowest=36)  # drums
    assert roll.empty.shape == (64, 1)
    phrase = [Note(36, 100, 0.0, 0.1), Note(51, 90, 0.2, 0.3), Note(52, 90, 0.2, 0.3)]
    notes, events = roll.projection(), []
    for block in roll.projection().phrase(phrase, TOKENS):
        assert block.shape == (64, TOKENS)
        events += notes.project(block, TOKENS)[1]
    assert [n.pitch for n in events if n.velocity] == [36, 51]


def test_the_empty_frame_is_silence():
    np.testing.assert_array_equal(make().empty, quiet(1))


def test_a_keyboard_says_which_pitches_it_has():
    drums = Keyboard(36, 16)
    assert [drums.row(p) for p in (35, 36, 51, 52)] == [None, 0, 15, None]


def test_a_roll_cannot_be_read_from_sound_or_played():
    with pytest.raises(ConfigError, match="transcribe"):
        make().encode(np.zeros((1, 100), np.float32))
    with pytest.raises(ConfigError, match="a stage"):
        make().decoder()


@pytest.mark.parametrize("rows", [350, 2])
def test_rows_that_are_no_keyboards_are_refused(rows):
    with pytest.raises(ConfigError, match=f"{rows} rows"):
        make(rows=rows)
