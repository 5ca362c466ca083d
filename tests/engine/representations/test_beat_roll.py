"""Notes on a beat grid: written, read back, cleaned, continued."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.notes.note import Note
from engine.representations.beat_roll import encode, length_value, sounding
from engine.representations.keyboard import PIANO
from engine.representations.kinds import make_representation
from engine.representations.signals import Grid, Signal

KEYS, PER_BEAT, BLOCK = 88, 4, 4
ROWS = 4 * KEYS
# As the pitches of a melody and of a chord that come and go.
BEATS = [Note(60, 90, 0.0, 1.0), Note(64, 64, 1.0, 1.5), Note(67, 30, 2.25, 4.0)]


def make(rows=ROWS, per_beat: Fraction | int | None = PER_BEAT, **options):
    grid = Grid(samples=Fraction(1)) if per_beat is None else Grid(per_beat=Fraction(per_beat))
    signal = Signal("music", "roll", rows, 1, grid, options=options)
    return make_representation(signal, 24_000, {}.__getitem__)


def projection():
    return make().projection()


def quiet(tokens=BLOCK):
    return np.repeat(make().empty, tokens, axis=1)


def played(notes, blocks, keep=BLOCK):
    """The events of blocks [rows, BLOCK]."""
    return [e for block in blocks for e in notes.project(block, keep)[1]]


def as_notes(events):
    """(pitch, velocity, start, end) in beats of what went down and came up."""
    down, out = {}, []
    for e in events:
        if e.pitch in down:
            velocity, start = down.pop(e.pitch)
            out.append((e.pitch, velocity, start, e.frame / PER_BEAT))
        if e.velocity:
            down[e.pitch] = (e.velocity, e.frame / PER_BEAT)
    assert not down, "every key comes up"
    return sorted(out, key=lambda n: (n[2], n[0]))


# Every place of the grid: on it, thirty-seconds, and both triplets.
PLACED = [t + place / 6 for t in range(24) for place in (-3, -2, 0, 2)]


@st.composite
def scores(draw):
    """Notes on places of the grid over six beats, each token of a key struck at most once."""
    starts = st.sampled_from([p for p in PLACED if p >= 0])
    notes, used = [], set()
    for _ in range(draw(st.integers(0, 12))):
        pitch, at = draw(st.integers(21, 108)), draw(starts)
        if (pitch, round(at + 1e-9)) in used or (pitch, int(np.floor(at + 0.5))) in used:
            continue
        used |= {(pitch, int(np.floor(at + 0.5)))}
        length = draw(st.integers(2, 96)) / 24
        notes.append(Note(pitch, draw(st.integers(2, 127)), at / PER_BEAT, at / PER_BEAT + length))
    return notes


def cut(notes):
    """A string that is struck again stops."""
    out = []
    for n in notes:
        later = [m.start for m in notes if m.pitch == n.pitch and m.start > n.start]
        out.append((n.pitch, n.velocity, n.start, min([n.end, *later])))
    return sorted(out, key=lambda n: (n[2], n[0]))


@settings(max_examples=60, deadline=None)
@given(notes=scores(), keep=st.integers(1, BLOCK))
def test_notes_on_the_grid_survive_and_any_stride_reads_the_same(notes, keep):
    tokens = 48
    cells = encode(notes, 0.0, tokens, PER_BEAT, PIANO)
    roll, events, at = projection(), [], 0
    while at < tokens:
        clean, new = roll.project(cells[:, at : at + BLOCK], min(keep, tokens - at))
        np.testing.assert_array_equal(clean, cells[:, at : at + BLOCK])
        events += new
        at += min(keep, tokens - at)
    frames = [e.frame for e in events]
    assert frames == sorted(frames)
    for got, wanted in zip(as_notes(events), cut(notes), strict=True):
        assert got[:2] == wanted[:2]
        assert got[2] == pytest.approx(wanted[2], abs=1e-9)
        assert got[3] == pytest.approx(wanted[3], abs=1e-9)


def test_the_sounding_group_is_that_of_the_training_data():
    pytest.importorskip("mido")  # of the training extra
    from training.data import cells as reference

    rng = np.random.default_rng(3)
    count = 200
    notes = np.stack(
        [rng.integers(-48, 24 * 40, count), rng.integers(1, 200, count),
         rng.integers(21, 109, count), rng.integers(1, 128, count)], axis=1,
    )  # fmt: skip
    wanted = reference.encode(notes, 0, 160).transpose(1, 2, 0)
    given = wanted[:3]
    until = reference.carried(notes, 0)
    group, after = sounding(given, until, 24)
    np.testing.assert_array_equal(group, wanted[3])
    _, reference_after = reference.sounding(given.transpose(2, 0, 1), until)
    np.testing.assert_array_equal(after, reference_after)


def test_cells_hold_what_the_format_says():
    cells = encode(BEATS, 0.0, 16, PER_BEAT, PIANO).reshape(4, KEYS, 16)
    onset, place, length, sounds = cells
    assert np.argwhere(onset > 0).tolist() == [[39, 0], [43, 4], [46, 9]]
    assert onset[39, 0] == pytest.approx(0.5 + 90 / 127)
    assert not place.any()
    assert length[46, 9] == pytest.approx(np.log2(1.75) / 3.5)
    assert [int(s) for s in sounds.sum(axis=1)[[39, 43, 46]]] == [4, 2, 7]
    triplet = encode([Note(60, 90, 1 / 3, 1.0)], 0.0, 4, PER_BEAT, PIANO).reshape(4, KEYS, 4)
    assert triplet[1, 39, 1] == 1


def test_lengths_have_bounds():
    assert length_value(1 / 64) == -1
    assert length_value(1.0) == 0
    assert length_value(64.0) == pytest.approx(1.2)


def test_a_network_samples_three_groups_and_the_fourth_follows():
    roll = make()
    assert (roll.rows, roll.sampled_rows) == (ROWS, 3 * KEYS)
    cells = encode(BEATS, 0.0, 4, PER_BEAT, PIANO)
    clean, _ = projection().project(cells[: roll.sampled_rows], 4)
    np.testing.assert_array_equal(clean, cells)


def test_what_a_network_wrote_badly_is_read_as_notes():
    rng = np.random.default_rng(1)
    block = encode(BEATS, 0.0, 16, PER_BEAT, PIANO)
    noisy = block + 0.1 * rng.standard_normal(block.shape).astype(np.float32)
    noisy[7, 3], noisy[KEYS, 2], noisy[2 * KEYS + 3, 1] = np.nan, np.inf, -np.inf
    clean, events = projection().project(noisy, 16)
    assert np.isfinite(clean).all()
    struck = clean[:KEYS] > 0
    np.testing.assert_array_equal(struck, block[:KEYS] > 0)
    assert (clean[:KEYS][~struck] == -1).all()
    assert not clean[KEYS : 3 * KEYS][np.tile(~struck, (2, 1))].any()
    assert set(np.unique(clean[3 * KEYS :])) == {0, 1}
    assert [e.pitch for e in events if e.velocity] == [60, 64, 67]
    again, _ = projection().project(clean, 16)
    np.testing.assert_array_equal(again, clean)


def test_a_note_ends_after_its_length_or_when_it_is_struck_again():
    blocks = np.split(encode([Note(60, 80, 0, 9), Note(60, 90, 2.5, 3)], 0, 16, 4, PIANO), 4, 1)
    assert as_notes(played(projection(), blocks)) == [(60, 80, 0, 2.5), (60, 90, 2.5, 3)]


def test_frames_beyond_the_stride_are_cleaned_and_not_read_yet():
    roll = projection()
    cells = encode(BEATS, 0.0, 8, PER_BEAT, PIANO)
    clean, events = roll.project(cells, 4)
    np.testing.assert_array_equal(clean, cells)
    assert [e.pitch for e in events] == [60]
    assert roll.now == 4
    _, events = roll.project(cells[:, 4:], 4)
    assert [(e.pitch, e.velocity) for e in events] == [(60, 0), (64, 64), (64, 0)]


# ------------------------------------------------------------------------ held keys


def held(roll, blocks, keys):
    events = []
    for _ in range(blocks):
        block, known = quiet()[: 3 * KEYS], roll.known(keys, BLOCK)
        if known is not None:
            block[known.mask] = known.context[known.mask]
        events += roll.project(block, BLOCK)[1]
    return events


def test_no_held_key_fixes_nothing():
    assert projection().known((), BLOCK) is None
    assert projection().known((20, 109), BLOCK) is None


def test_a_held_key_is_struck_on_the_beat_and_again_every_second_beat():
    strikes = [(e.frame, e.velocity) for e in held(projection(), 6, (60,)) if e.velocity]
    assert strikes == [(0, 88), (8, 88), (16, 88)]


def test_a_held_key_sounds_until_it_is_struck_again():
    events = held(projection(), 6, (60,))
    ups = [e.frame for e in events if not e.velocity]
    assert ups == [8, 16]


def test_only_the_held_keys_own_cells_are_fixed():
    known = projection().known((60,), BLOCK)
    mask = known.mask.reshape(3, KEYS, BLOCK)
    assert mask[:, 39, 0].all()
    assert mask.sum() == 3


def test_a_key_that_was_just_struck_is_not_struck_when_it_is_pressed():
    roll = projection()
    roll.project(encode([Note(60, 80, 0.5, 4)], 0, BLOCK, PER_BEAT, PIANO), BLOCK)
    assert roll.known((60,), BLOCK) is None
    roll = projection()
    roll.project(encode([Note(60, 80, 0.0, 4)], 0, BLOCK, PER_BEAT, PIANO), BLOCK)
    assert roll.known((60,), BLOCK) is not None, "a beat ago is long enough"


# ------------------------------------------------------------------------ phrases, the past


def test_a_phrase_keeps_its_place_in_the_bar():
    notes = projection()
    blocks = notes.phrase(BEATS, BLOCK)
    assert len(blocks) == 4
    assert as_notes(played(notes, blocks) + played(notes, [quiet()])) == [
        (60, 90, 0, 1), (64, 64, 1, 1.5), (67, 30, 2.25, 4)
    ]  # fmt: skip
    assert notes.phrase([], BLOCK) == []


def test_nothing_of_the_past_is_read_again_and_what_sounds_ends_in_time():
    roll = projection()
    cells = roll.past([Note(60, 80, 0.5, 1.2), Note(64, 70, 3.0, 5.0)], 4.0, 8)
    np.testing.assert_array_equal(cells, encode([Note(64, 70, 1.0, 3.0)], 0.0, 8, PER_BEAT, PIANO))
    assert roll.now == 8
    (up,) = played(roll, [quiet(), quiet()])
    assert (up.pitch, up.velocity, up.frame) == (64, 0, 8 + 4)


def test_a_note_that_began_before_the_pasts_cells_still_ends_in_time():
    roll = projection()
    cells = roll.past([Note(60, 80, 0.0, 5.0)], 4.0, 8).reshape(4, KEYS, 8)
    assert not (cells[0] > 0).any()
    assert cells[3, 39].all()
    (up,) = played(roll, [quiet(), quiet()])
    assert (up.pitch, up.frame) == (60, 8 + 4)


def test_keys_that_the_past_does_not_have_come_up():
    roll = projection()
    roll.project(encode([Note(62, 80, 0.0, 9.0)], 0, BLOCK, PER_BEAT, PIANO), BLOCK)
    roll.past([Note(60, 80, 3.0, 5.0)], 4.0, 8)
    ups = played(roll, [quiet(), quiet()])
    assert [(e.pitch, e.velocity) for e in ups] == [(62, 0), (60, 0)]


# ------------------------------------------------------------------------ state


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), before=st.integers(0, 4), keep=st.integers(1, BLOCK))
def test_a_restored_projection_continues_to_the_bit(seed, before, keep):
    rng = np.random.default_rng(seed)

    def block():
        cells = rng.normal(-0.8, 0.6, (3 * KEYS, BLOCK)).astype(np.float32)
        return cells, (60, 61) if rng.random() < 0.5 else ()

    def step(roll, cells, keys):
        known = roll.known(keys, BLOCK)
        if known is not None:
            cells = np.where(known.mask, known.context, cells)
        return roll.project(cells, keep)

    one, other = projection(), projection()
    for _ in range(before):
        step(one, *block())
    if seed % 2:
        one.past(BEATS, 4.0, 8)
    other.project(block()[0], keep)
    other.restore(one.state())
    for _ in range(3):
        cells, keys = block()
        clean, events = step(one, cells, keys)
        again, same = step(other, cells, keys)
        assert events == same
        np.testing.assert_array_equal(clean, again)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    one, other = projection(), projection()
    for roll in (one, other):
        held(roll, 1, (60,))
    with pytest.raises(ConfigError, match="another version"):
        one.restore({**one.state(), "ends": np.zeros(12, np.int64)})
    assert held(one, 3, (60,)) == held(other, 3, (60,))


def test_a_new_stream_begins_at_nothing():
    roll = projection()
    held(roll, 2, (60,))
    roll.reset()
    assert roll.now == 0
    assert played(roll, [quiet(), quiet(), quiet()]) == []


# ------------------------------------------------------------------------ signals


def test_the_grid_says_which_roll_a_signal_holds():
    assert make().sampled_rows == 3 * KEYS
    assert make(per_beat=None).sampled_rows == ROWS


def test_a_roll_has_the_keys_and_the_grid_of_its_signal():
    roll = make(rows=64, per_beat=6, lowest=36)
    (block,) = roll.projection().phrase([Note(36, 80, 0.5, 0.9), Note(35, 80, 0.5, 0.9)], 6)
    (down, up) = roll.projection().project(block, 6)[1]
    assert (down.frame, down.pitch) == (3, 36)
    assert up.frame == pytest.approx(0.9 * 6, abs=1 / 6)


@pytest.mark.parametrize(
    ("rows", "per_beat", "message"),
    [(350, 4, "350 rows"), (352, Fraction(3, 2), "whole frames per beat")],
)
def test_signals_that_do_not_fit_are_refused_in_one_line(rows, per_beat, message):
    with pytest.raises(ConfigError, match=message) as refused:
        make(rows=rows, per_beat=per_beat)
    assert "\n" not in str(refused.value)


def test_a_roll_cannot_be_read_from_sound_or_played():
    with pytest.raises(ConfigError, match="transcribe"):
        make().encode(np.zeros((1, 100), np.float32))
    with pytest.raises(ConfigError, match="a stage"):
        make().decoder()
