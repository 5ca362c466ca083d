"""Music on a beat grid: cells and notes, scores and their bars, harmony, conditions, the split."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")
mido = pytest.importorskip("mido", reason="the training extra is not installed")

from songs import song, tune, write_kit, write_score  # noqa: E402

from training.data import beats, cells, harmony, scores  # noqa: E402
from training.data import conditions as on  # noqa: E402
from training.data.build import held_out  # noqa: E402
from training.data.scores import BEAT, TOKEN  # noqa: E402

pytestmark = pytest.mark.torch


# ------------------------------------------------------------------------------ cells


def notes_at_random(rng, count=200, tokens=64):
    """Notes on places that a token can say, one for each key and token."""
    token = rng.integers(0, tokens, count)
    pitch = rng.integers(21, 109, count)
    _, first = np.unique(token * 128 + pitch, return_index=True)
    token, pitch = token[first], pitch[first]
    onset = token * TOKEN + rng.choice(scores.PLACES, len(token))
    length = cells.length_ticks(rng.uniform(-0.9, 1.0, len(token)))
    table = np.stack([onset, length, pitch, rng.integers(1, 128, len(token))], axis=1)
    return scores.cut_where_struck_again(table)


def test_notes_become_cells_and_the_same_notes_again():
    notes = notes_at_random(np.random.default_rng(1))
    notes = notes[notes[:, 0] >= -TOKEN // 2]
    again = cells.decode(cells.encode(notes, 0, 64))
    assert again[:, [0, 2, 3]].tolist() == notes[:, [0, 2, 3]].tolist()
    assert np.array_equal(np.maximum(again[:, 1], 2), np.maximum(notes[:, 1], 2))


def test_a_note_on_the_grid_lies_in_its_token_wherever_the_excerpt_begins():
    note = np.array([[7 * BEAT, BEAT, 60, 100]])
    for start in (0, 3 * BEAT, 7 * BEAT):
        roll = cells.encode(note, start, 32)
        token = (7 * BEAT - start) // TOKEN
        assert np.argwhere(roll[:, cells.ONSET] > 0).tolist() == [[token, 39]]
        assert roll[token, cells.PLACE, 39] == 0
        assert np.flatnonzero(roll[:, cells.SOUNDING, 39]).tolist() == list(range(token, token + 4))


def test_a_string_sounds_on_into_an_excerpt_and_ends_when_it_is_struck_again():
    notes = np.array([[0, 4 * BEAT, 60, 90], [3 * BEAT, BEAT // 2, 60, 90]])
    roll = cells.encode(notes, 2 * BEAT, 16)
    assert np.flatnonzero(roll[:, cells.SOUNDING, 39]).tolist() == [0, 1, 2, 3, 4, 5]


def test_without_notes_all_is_silent():
    nothing = cells.encode(np.zeros((0, 5), np.int64), 0, 8)
    assert not nothing[:, 1:].any()
    assert (nothing[:, cells.ONSET] == -1).all()
    assert len(cells.decode(nothing)) == 0


def test_the_sounding_row_of_blocks_one_after_another_is_that_of_the_whole():
    roll = cells.encode(notes_at_random(np.random.default_rng(2)), 0, 64)
    until = np.zeros(88, np.int64)
    rows = []
    for begin in range(0, 64, 4):
        row, until = cells.sounding(roll[begin : begin + 4, :3], until)
        rows.append(row)
    assert np.array_equal(np.concatenate(rows), roll[:, cells.SOUNDING])


# ----------------------------------------------------------------------------- scores


def test_played_onsets_move_to_the_grid_of_their_beat_and_triplets_stay_triplets():
    straight = np.array([0.4, 5.2, 12.9, 17.6])
    assert scores.quantised(straight, 0.5).tolist() == [0, 6, 12, 18]
    triplets = 24 + np.array([0.3, 8.4, 15.8])
    assert scores.quantised(triplets, 0.5).tolist() == [24, 32, 40]
    assert scores.quantised(np.array([23.6]), 0.5).tolist() == [24]
    written = scores.quantised(np.array([0.0, 3.0, 6.0, 8.0, 16.0]), 10.0)
    assert set(((written + 3) % TOKEN - 3).tolist()) <= set(scores.PLACES)


def test_a_score_has_its_bars_its_voice_and_its_chords(tmp_path):
    write_score(tmp_path / "work.mid", tune(96), song(96))
    work = scores.read_score(tmp_path / "work.mid", "songs", voice=True)
    assert set(np.diff(work.bars)) == {4 * BEAT}
    assert set(work.notes[:, 4]) == {scores.PIANO, scores.MELODY}
    assert work.flat
    c_major, g_seven = harmony.mask({0, 4, 7}), harmony.mask({7, 11, 2, 5})
    assert work.chords[0].tolist() == [c_major, 0]
    assert work.chords[3 * 8].tolist() in ([g_seven, 7], [harmony.mask({7, 11, 2}), 7])
    assert set(work.keys[:16]) == {0}


def test_an_upbeat_is_found_from_the_notes(tmp_path):
    write_score(tmp_path / "work.mid", tune(97, upbeat=1), song(97, upbeat=1))
    work = scores.read_score(tmp_path / "work.mid", "songs", voice=True)
    bass = work.notes[work.notes[:, 2] < 48]
    assert (np.isin(bass[:, 0], work.bars)).mean() > 0.9


def test_stuck_pedals_are_measured():
    one = np.array([[i * BEAT, BEAT, 60 + i % 12, 80, 0] for i in range(64)])
    assert scores.sounding_share(one) == 0
    stuck = one.copy()
    stuck[:, 1] = 64 * BEAT
    stuck[:, 2] = 30 + np.arange(64)
    assert scores.sounding_share(stuck) > 0.5


def test_bars_in_which_nothing_sounds_are_cut_but_one():
    notes = np.array([[b * 4 * BEAT, BEAT, 60, 80, 0] for b in (2, 3, 8, 9)])
    steps = 10 * 8
    work = scores.Work(
        "a", "b", notes, np.arange(11) * 4 * BEAT, np.arange(steps, dtype=np.float32),
        np.zeros((steps, 2), np.int16), np.zeros(steps, np.int8), np.array([8 * 4 * BEAT]), False,
    )  # fmt: skip
    cut = scores.without_rests(work)
    assert (cut.notes[:, 0] // (4 * BEAT)).tolist() == [0, 1, 3, 4]
    assert cut.bars[-1] == 5 * 4 * BEAT
    assert cut.tempo[0] == 2 * 8
    assert cut.phrases.tolist() == [3 * 4 * BEAT]


# ---------------------------------------------------------------------------- harmony


@pytest.mark.parametrize(
    ("label", "classes", "bass"),
    [("C:maj", {0, 4, 7}, 0), ("F#:min7/b7", {6, 9, 1, 4}, 4), ("Bb:maj/3", {10, 2, 5}, 2)],
)
def test_chord_labels_are_read(label, classes, bass):
    assert harmony.parse_chord(label) == (harmony.mask(classes), bass)


def test_a_label_that_names_no_chord_is_unknown():
    assert harmony.parse_chord("N") == (-1, -1)
    assert harmony.parse_chord("C:strange") == (-1, -1)


def test_a_transposed_work_takes_its_chords_and_key_along():
    steps = 8
    work = scores.Work(
        "a", "b", np.array([[0, 24, 60, 80, 0], [0, 24, 108, 80, 0]]), np.array([0, 96]),
        np.full(steps, 90.0), np.array([[harmony.mask({0, 4, 7}), 4]] * 7 + [[-1, -1]]),
        np.array([9 + 12] * 7 + [-1]), np.zeros(0, int), True,
    )  # fmt: skip
    up = beats.transposed(work, 3)
    assert up.notes[:, 2].tolist() == [63], "what lies beyond the keyboard is left out"
    assert up.chords[0].tolist() == [harmony.mask({3, 7, 10}), 7]
    assert up.chords[-1].tolist() == [-1, -1]
    assert up.keys.tolist() == [12] * 7 + [-1]


def test_a_pedal_holds_what_belongs_to_the_chord_and_nothing_else():
    notes = np.array([[0, 6, 48, 80, 0], [6, 6, 52, 80, 0], [12, 6, 50, 80, 0]])
    chords = np.array([[harmony.mask({0, 4, 7}), 0]] * 4 + [[harmony.mask({2, 5, 9}), 2]] * 4)
    held = beats.pedalled(notes, chords, np.array([0, 96]))
    assert held[:, 1].tolist() == [48, 42, 6]


# -------------------------------------------------------------------------- conditions


def test_conditions_say_what_the_cells_hold():
    notes = np.array([[0, 4 * BEAT, 60, 100], [BEAT, BEAT, 67, 100], [2 * BEAT, BEAT, 72, 50]])
    roll = cells.encode(notes, 0, 32)
    rows = on.measured(roll, np.full(32, 16), np.full(32, 60.0))
    assert 2 ** (3 * rows["density"][0, 0]) - 0.5 == pytest.approx(3 / 4)
    assert 60 + 24 * rows["register"][0, 0] == pytest.approx((60 + 67 + 72) / 3)
    assert 64 + 32 * rows["loudness"][0, 0] == pytest.approx(250 / 3, abs=1e-3)
    assert np.flatnonzero(rows["held"][0]).tolist() == [39]
    assert rows["register"][4].tolist() == [0, 0], "nothing is struck there: unknown"


def test_a_block_knows_its_own_chord_first():
    chords = np.array([[harmony.mask({i, i + 4, i + 7}), i] for i in range(12)])
    rows = on.ahead(on.chord_rows(chords), 4).reshape(4, 1 + on.HORIZON, on.CHORD)
    for block in range(4):
        for beat in range(1 + on.HORIZON):
            assert rows[block, beat, 12:24].argmax() == block + beat


def test_free_conditions_are_all_zero_and_kept_ones_stay():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        free = on.left_free(np.ones((16, on.WIDTH), np.float32), rng, kept=("ending",))
        assert free[:, on.SLICES["ending"]].all()
        seen.add(bool(free[:, on.SLICES["key"]].any()))
        assert np.ptp(free[:, on.SLICES["density"]]) == 0
    assert seen == {True, False}


# ----------------------------------------------------------------------------- dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A data set that the program builds from a tiny kit."""
    return write_kit(tmp_path_factory.mktemp("kit"))


def test_works_are_read_and_split_by_name(dataset):
    works = json.loads((dataset / "index.json").read_text())["works"]
    assert {w["collection"] for w in works} == {"pop909", "openscore-lieder"}
    for w in works:
        assert w["split"] == ("held" if held_out(w["name"].rpartition("/")[2]) else "train")
    train, held = (beats.Beats(dataset, split, 64) for split in ("train", "held"))
    names = [{w.name for of in b.works.values() for w in of} for b in (train, held)]
    assert all(names)
    assert not names[0] & names[1]


def test_a_copy_of_a_work_in_another_key_is_left_out(dataset):
    names = [w["name"] for w in json.loads((dataset / "index.json").read_text())["works"]]
    assert "openscore-lieder/z-copy" not in names


def test_pop909_has_its_labels_on_its_beats(dataset):
    of = beats.Beats(dataset, "train", 64).works["pop909"]
    assert of[0].chords[0].tolist() == [harmony.mask({0, 4, 7}), 0]
    assert of[0].keys[0] == 0
    assert of[0].tempo[:8].tolist() == pytest.approx([120.0] * 8, rel=1e-3)
    assert set(of[0].notes[:, 4]) == {scores.PIANO, scores.MELODY, scores.BRIDGE}
    assert not of[0].flat


def test_an_excerpt_begins_on_a_bar_line_and_music_that_ends_says_so(dataset):
    drawn = beats.Beats(dataset, "train", 64)
    rng = np.random.default_rng(3)
    ended = 0
    for _ in range(60):
        e = drawn.excerpt(rng)
        assert e["when"][0, 0] == 1
        assert e["cells"].shape == (64, 4, 88)
        ending = e["conditions"][:, on.SLICES["ending"]]
        if ending[-1, 0] == 0 and ending[-1, 2] == 1:
            ended += 1
            assert "ending" in e["kept"]
    assert ended > 3


def test_a_batch_can_be_drawn_again_and_its_known_cells_are_those_of_the_music(dataset):
    drawn = beats.Beats(dataset, "train", 64)
    for seed in range(8):
        a, b = (drawn.batch(np.random.default_rng(seed), 4) for _ in range(2))
        assert a.keys() == b.keys()
        assert all((a[k] == b[k]).all() for k in a)
        if "known" in a:
            mask = a["known"][:, :, :1].bool()
            assert ((a["known"][:, :, 1:] == a["cells"]) | ~mask).all()
            assert (a["known"][:, :, 1:] * ~mask == 0).all()


def test_a_damaged_past_is_consistent_with_itself():
    rng = np.random.default_rng(5)
    whole = cells.encode(notes_at_random(rng), 0, 64)
    other = cells.encode(notes_at_random(rng), 0, 64)
    changed = 0
    for _ in range(30):
        past = beats.damaged(whole, other, np.zeros(88, np.int64), rng)
        changed += bool((past != whole).any())
        row, _ = cells.sounding(past, np.zeros(88, np.int64))
        assert np.array_equal(row, past[:, cells.SOUNDING])
        silent = past[:, cells.ONSET] < 0
        assert not past[:, cells.LENGTH][silent].any()
    assert changed > 20


def test_a_folder_without_data_says_how_to_build_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m training\.data\.beats"):
        beats.Beats(tmp_path, "train", 64)
