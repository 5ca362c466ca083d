"""The measures of the shipped pack, on synthetic sound and notes with known results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve

from benchmarks import figures
from benchmarks.embedding import Frechet
from benchmarks.endurance import silences, stuck
from benchmarks.figures import FIGURES, Found, Results, Value
from benchmarks.keys import BLOCKS, TRIADS, held_in, sounding_in
from benchmarks.listening import write_opus
from benchmarks.novelty import nearest, no_nearer
from benchmarks.obedience import agreement, rank_correlation, share
from benchmarks.onsets import found_in_sound, matched, scores
from benchmarks.phrases import Phrases
from benchmarks.quality import PARTS, chosen
from benchmarks.streams import paired
from benchmarks.timbre import afterglow, band_levels
from benchmarks.workbench import Workbench, Yardstick, thinned
from engine.errors import ConfigError
from engine.notes.note import Note

RATE = 24_000


def struck(notes: list[Note], seconds: float, level: float = 0.1) -> np.ndarray:
    """Decaying partials at each note, over a little noise."""
    rng = np.random.default_rng(0)
    x = 1e-5 * rng.standard_normal(round(seconds * RATE))
    for n in notes:
        begin = round(n.start * RATE)
        t = np.arange(min(round((n.end - n.start) * RATE), x.size - begin)) / RATE
        hz = 440 * 2 ** ((n.pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 7))
        x[begin : begin + t.size] += level * n.velocity / 127 * tone * np.exp(-3 * t)
    return x.astype(np.float32)


def melody(count: int, seed: int = 1) -> list[Note]:
    rng = np.random.default_rng(seed)
    return [
        Note(int(rng.integers(50, 80)), 90, 0.5 + 0.4 * k, 0.85 + 0.4 * k) for k in range(count)
    ]


# ----------------------------------------------------------------------- onsets


def test_an_onset_counts_once_within_the_tolerance_and_at_its_pitch() -> None:
    true = [Note(60, 80, 1.0, 2.0), Note(60, 80, 1.06, 2.0), Note(64, 80, 1.0, 2.0)]
    assert matched(true, true) == 3
    assert matched([Note(60, 80, 1.04, 2.0)], true) == 1
    assert matched([Note(60, 80, 1.11, 2.0)], true) == 1
    assert matched([Note(60, 80, 1.2, 2.0), Note(65, 80, 1.0, 2.0)], true) == 0
    # The earlier found one belongs to the earlier true one, so that both find a partner.
    assert matched([Note(60, 80, 1.03, 2.0), Note(60, 80, 1.1, 2.0)], true) == 2


def test_f1_is_the_harmonic_mean() -> None:
    precision, recall, f1 = scores(3, 4, 6)
    assert (precision, recall) == (0.75, 0.5)
    assert f1 == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    assert scores(0, 0, 0) == (0.0, 0.0, 0.0)


def test_notes_that_sound_are_found_without_transcription() -> None:
    notes = melody(20)
    x = struck(notes, 9.5)
    assert found_in_sound(x, RATE, notes, []) >= 19


def test_notes_sent_too_late_or_a_semitone_off_are_not_found() -> None:
    notes = melody(20)
    x = struck(notes, 9.5)
    late = [Note(n.pitch, n.velocity, n.start + 0.06, n.end) for n in notes]
    beside = [Note(n.pitch + 1, n.velocity, n.start, n.end) for n in notes]
    assert found_in_sound(x, RATE, late, []) <= 1
    assert found_in_sound(x, RATE, beside, []) <= 1


def test_a_transcribed_note_counts_even_where_nothing_rises() -> None:
    silent = np.zeros(3 * RATE, np.float32)
    sent = [Note(60, 80, 1.0, 2.0)]
    assert found_in_sound(silent, RATE, sent, [Note(60, 1, 1.02, 1.5)]) == 1
    assert found_in_sound(silent, RATE, sent, [Note(60, 1, 1.04, 1.5)]) == 0
    assert found_in_sound(silent, RATE, sent, []) == 0


# -------------------------------------------------------------------- endurance


def test_silence_is_found_across_the_pieces_it_is_read_in() -> None:
    x = np.full(10 * RATE, 0.1, np.float32)
    x[2 * RATE : 7 * RATE] = 1e-5
    pieces = [x[: 3 * RATE + 77], x[3 * RATE + 77 : 5 * RATE], x[5 * RATE :]]
    ((begin, length),) = silences(pieces, RATE)
    assert (begin, length) == (pytest.approx(2.0, abs=0.06), pytest.approx(5.0, abs=0.06))
    assert silences([x[: 2 * RATE]], RATE) == []


def test_a_note_that_is_never_released_is_stuck() -> None:
    events = [(0, 60, 80), (RATE, 60, 0), (2 * RATE, 64, 70)]
    assert stuck(events, RATE, 5 * RATE) == (0, 3.0, 2)
    assert stuck(events, RATE, 20 * RATE) == (1, 18.0, 2)


def test_ups_and_downs_become_notes_and_a_key_struck_again_ends_the_first() -> None:
    events = [(RATE, 60, 0), (0, 60, 80), (RATE, 60, 90), (2 * RATE, 60, 70), (3 * RATE, 99, 0)]
    notes, never, again = paired(events, RATE, 4 * RATE)
    assert [(n.start, n.end, n.velocity) for n in notes] == [(0, 1, 80), (1, 2, 90), (2, 4, 70)]
    assert [n.start for n in never] == [2]
    assert again == 1


# ---------------------------------------------------------------------- novelty


def unit(points: np.ndarray) -> np.ndarray:
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_a_copy_has_no_distance_from_training_and_many_copies_are_detected() -> None:
    rng = np.random.default_rng(1)
    training, held = unit(rng.standard_normal((300, 20))), unit(rng.standard_normal((100, 20)))
    copies = unit(training[:100] + 0.01 * rng.standard_normal((100, 20)))
    near, far = nearest(copies, training), nearest(held, training)
    assert near.max() < 0.01 < far.min()
    assert no_nearer(near, far) < 1e-6
    assert no_nearer(nearest(unit(rng.standard_normal((100, 20))), training), far) > 0.05


def test_a_phrase_is_recognised_in_another_key_and_tempo() -> None:
    rng = np.random.default_rng(2)
    pitches, gaps = rng.integers(40, 80, 200), rng.choice([0.2, 0.4, 0.9], 200)
    starts = np.cumsum(gaps)
    known = np.stack([pitches, np.full(200, 80), starts, starts + 0.1], 1)
    copy = known[50:90] + np.array([3, 0, 0, 0])
    copy[:, 2] *= 1.1
    own = np.stack(
        [rng.integers(40, 80, 40), np.full(40, 80), np.arange(40) * 0.3, np.arange(40)], 1
    )
    found = Phrases([known]).shared([copy])
    assert found.longest == 40
    assert found.share_of_8 == 1.0
    other = Phrases([known]).shared([own])
    assert other.longest <= 5
    assert other.share_of_8 == 0.0


def test_runs_do_not_reach_from_one_piece_into_the_next() -> None:
    piece = [Note(60 + k, 80, 0.3 * k, 0.3 * k + 0.1) for k in range(5)]
    assert Phrases([piece[:3], piece[3:]]).shared([piece]).longest == 3


def test_a_chord_is_the_same_in_whatever_order_its_keys_come_down() -> None:
    a = [Note(p, 80, 0.001 * k, 1.0) for k, p in enumerate((60, 64, 67))]
    b = [Note(p, 80, 0.001 * k, 1.0) for k, p in enumerate((67, 60, 64))]
    assert Phrases([a]).shared([b]).longest == 3


# --------------------------------------------------------------------- controls


def test_a_chord_agrees_with_its_own_classes_and_not_with_foreign_ones() -> None:
    x = struck([Note(p, 100, 0.1, 4.0) for p in (60, 64, 67)], 4.0)
    assert agreement(x, RATE, (0, 4, 7)) > 0.8 > 0.4 > agreement(x, RATE, (6, 10, 1))
    assert share(x, RATE, (0, 4, 7)) > 0.7 > 0.2 > share(x, RATE, (6, 10, 1))


def test_rank_correlation_leaves_out_pairs_without_a_measured_value() -> None:
    assert rank_correlation([(1, 10), (2, 20), (3, float("nan")), (4, 40)]) == pytest.approx(1.0)
    assert rank_correlation([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1.0)
    assert rank_correlation([(1, 5), (2, 5), (3, 5)]) == 0.0


def test_a_large_room_goes_on_where_the_small_one_has_fallen() -> None:
    notes = [Note(60, 100, 0.2 + k, 0.5 + k) for k in range(4)]
    dry = struck(notes, 5.0)
    tail = np.exp(-np.arange(RATE) / (0.15 * RATE)) * np.random.default_rng(1).standard_normal(RATE)
    wet = dry + 0.002 * fftconvolve(dry, tail)[: dry.size].astype(np.float32)
    assert afterglow(dry, wet, RATE) > 3.0
    assert afterglow(dry, dry, RATE) == 0.0


def test_a_brighter_sound_has_higher_upper_bands_whatever_its_level() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(4 * RATE).astype(np.float32) * 0.1
    bright = np.diff(noise, prepend=0).astype(np.float32)
    change = band_levels(bright, RATE) - band_levels(noise, RATE)
    assert change[:4].mean() < -6 < 3 < change[-4:].mean()
    np.testing.assert_allclose(band_levels(0.1 * noise, RATE), band_levels(noise, RATE), atol=0.01)


def test_held_keys_are_counted_in_their_own_blocks() -> None:
    notes = [Note(60, 80, 1.2, 1.8), Note(64, 80, 2.1, 3.0)]
    spans = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert sounding_in(notes, spans, [(), (60, 64), (60, 64)]) == (2, 4)
    assert held_in(0) == held_in(BLOCKS - 1) == ()
    assert held_in(BLOCKS) == held_in(2 * BLOCKS - 1) == TRIADS[0]
    assert held_in(3 * BLOCKS) == TRIADS[1]


# -------------------------------------------------------------------- yardstick


def test_the_unit_is_the_other_half_at_the_same_number_of_windows() -> None:
    rng = np.random.default_rng(4)
    a, b = (rng.standard_normal((800, 40)).astype(np.float32) for _ in range(2))
    ruler = Yardstick(Frechet(a, 16), b)
    same, _ = ruler.units(rng.standard_normal((400, 40)).astype(np.float32))
    off, _ = ruler.units(rng.standard_normal((400, 40)).astype(np.float32) + 1.0)
    assert same == pytest.approx(1.0, abs=0.35)
    assert off > 10
    assert ruler.unit(200) > ruler.unit(800)
    with pytest.raises(ConfigError, match="quiet"):
        ruler.units(np.zeros((3, 40), np.float32))
    assert thinned(np.arange(10)[:, None], 4)[:, 0].tolist() == [0, 3, 6, 9]


# ------------------------------------------------------------------- the page


def test_rows_are_compared_with_their_bounds_in_their_direction() -> None:
    rows = {a.key: a for a in FIGURES}
    assert rows["distance"].verdict(1.9) == "aim"
    assert rows["distance"].verdict(5.0) == "must"
    assert rows["distance"].verdict(6.1) == "**no**"
    assert rows["decoder_f1"].verdict(0.95) == "must"
    assert rows["decoder_f1"].verdict(0.5) == "**no**"
    assert rows["stuck"].verdict(0, short=True) == "so far"
    assert rows["stuck"].verdict(1, short=True) == "**no**"
    assert rows["distance"].verdict(float("nan")) == "**no**"
    assert rows["stuck"].bounds() == ["none", "none"]


def test_every_row_belongs_to_a_part_and_every_part_but_the_pictures_has_rows() -> None:
    assert {a.part for a in FIGURES} == set(PARTS) - {"pictures"}
    assert len({a.key for a in FIGURES}) == len(FIGURES)


def test_parts_measured_in_separate_calls_stand_on_one_page(tmp_path: Path) -> None:
    page = tmp_path / figures.PAGE
    page.write_text("# Mine\n\n<!-- quality:begin -->\nold\n<!-- quality:end -->\n\nThe end.\n")
    one = Results(tmp_path)
    one.add("held", Found({"held": Value(0.95, "0.95 (19 of 20)")}, "x"), "c", "Piano 2", "today")
    one.write()
    two = Results(tmp_path)
    nothing = Found({"few_many": Value(float("nan"), "unknown")}, "", {"a": np.float64(1.5)})
    two.add("many", nothing, "d", "Piano 2", "today")
    two.write()
    text = page.read_text()
    assert text.startswith("# Mine")
    assert text.rstrip().endswith("The end.")
    assert "old" not in text
    assert "| 0.95 (19 of 20) | at least 0.9 | at least 0.98 | must |" in text
    assert "| unknown | 1.15 | 1 | **no** |" in text
    assert text.count("not measured yet") == len(FIGURES) - 2
    assert json.loads((tmp_path / "benchmarks/quality.json").read_text())["parts"]["many"]["data"]


def test_an_unknown_part_is_refused_with_the_list_of_parts() -> None:
    assert chosen("held, decoder") == ["decoder", "held"]
    assert chosen(None) == list(PARTS)
    with pytest.raises(ConfigError, match=r"unknown part 'heldd'. Choose from decoder, .*pictures"):
        chosen("heldd")


def test_a_cloud_is_computed_once_and_then_read(tmp_path: Path) -> None:
    bench = Workbench(argparse.Namespace(work=tmp_path / "new"))
    first = bench.kept_cloud("a", lambda: np.ones((2, 3), np.float32))
    again = bench.kept_cloud("a", lambda: pytest.fail("computed twice"))
    np.testing.assert_array_equal(first, again)


def test_sound_examples_are_small_and_keep_their_pitch_and_length(tmp_path: Path) -> None:
    x = struck(melody(10), 5.0)
    size = write_opus(tmp_path / "sounds" / "a.opus", x, RATE)
    assert size < 5 * 64_000 / 8 * 1.5
    back, rate = soundfile.read(tmp_path / "sounds" / "a.opus")
    assert rate == 48_000
    assert len(back) == pytest.approx(5 * rate, abs=rate // 20)
    assert found_in_sound(back[::2].astype(np.float32), RATE, melody(10), []) >= 9
