"""Blocks of the shipped piano: the notes asked for are made, told at their times, and heard."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError
from engine.packs.manifest import read_manifest
from engine.packs.sessions import Sessions
from engine.signal.roll import Note
from engine.stream.blocks import BlockMaker, Request
from engine.stream.recent_notes import RecentNotes

PIANO = Path(__file__).parents[3] / "packs" / "piano"
RATE = 24000
STEPS = 4  # the notes are rough, but everything else is as it is with more
REWIND = 1024 - 256  # the window's overlap
TOKEN = 2048
PHRASE = [Note(60, 90, 0.1, 0.6), Note(67, 101, 0.731, 1.3), Note(76, 60, 1.415, 1.9)]


@pytest.fixture(scope="module")
def opened():
    manifest = read_manifest(PIANO)
    return manifest, Sessions(manifest, threads=1)


@pytest.fixture
def maker(opened):
    return BlockMaker(*opened)


def stream(maker, blocks, first=0, **asked):
    """Samples of the next blocks, and their (seconds, pitch, velocity) from the first of them."""
    sound, told = np.zeros(0, np.float32), []
    asked = {"steps": STEPS, **asked}
    for i in range(first, first + blocks):
        made = maker.make(Request(i, **asked))
        told += [((len(sound) + n.offset) / RATE, n.pitch, n.velocity) for n in made.notes]
        sound = np.concatenate([sound, made.samples[:, 0]])
    return sound, told


def strikes(told, pitch=None):
    return [t for t, p, v in told if v and pitch in (None, p)]


def level(sound, pitch, at):
    """Decibels of a pitch's fundamental over 43 ms from `at` seconds on."""
    begin = max(0, round(at * RATE))
    x = sound[begin : begin + 1024] * np.hanning(1024)
    tone = np.exp(-2j * np.pi * 440 * 2 ** ((pitch - 69) / 12) * np.arange(1024) / RATE)
    return 20 * np.log10(abs(x @ tone) + 1e-6)


# ------------------------------------------------------------------------ held keys


def test_held_keys_are_in_the_music_from_the_next_block_on(maker):
    sound, told = stream(maker, 5, controls={"held": (60, 64)})
    for pitch in (60, 64):
        first = strikes(told, pitch)[0]
        assert first == pytest.approx(TOKEN / RATE, abs=1e-3)
        assert level(sound, pitch, first + 0.02) > level(sound, pitch, first - 0.06) + 20
        told_of = [(t, v) for t, p, v in told if p == pitch]
        for at, v in told_of:
            again = [t for t, w in told_of if w and 0 <= t - at < 0.045]
            assert v or again, "while it is held it comes up only to be struck again"
        assert max(np.diff([*strikes(told, pitch), len(sound) / RATE])) < 2.2


def test_a_held_key_is_let_go_with_the_finger(maker):
    stream(maker, 2, controls={"held": (24,)})
    _, told = stream(maker, 6, first=2)
    assert any(p == 24 and not v for _, p, v in told)


def test_keys_that_are_not_held_are_left_to_the_music(maker, opened):
    _, free = stream(maker, 3, steps=8)
    _, held = stream(BlockMaker(*opened), 3, steps=8, controls={"held": (36,)})
    assert not strikes(free, 36)
    assert strikes(held, 36)


# -------------------------------------------------------------------------- phrases


def test_a_phrase_comes_out_as_its_own_notes_and_is_heard_when_they_say(maker):
    maker.play(PHRASE)
    sound, told = stream(maker, 3)
    mine = [(t, p, v) for t, p, v in told if v][: len(PHRASE)]
    assert [(p, v) for _, p, v in mine] == [(n.pitch, n.velocity) for n in PHRASE]
    shift = mine[0][0] - PHRASE[0].start
    for (at, pitch, _), n in zip(mine, PHRASE, strict=True):
        assert at == pytest.approx(n.start + shift, abs=0.045)
        early, late = level(sound, pitch, at - 0.045 - 0.043), level(sound, pitch, at + 0.045)
        assert late > early + 20, "it is heard within 45 ms of that"
        assert late > 10
    assert abs(sound[: round((mine[0][0] - 0.045) * RATE)]).max() < 0.05 * abs(sound).max()


def test_a_key_of_a_phrase_dies_away_when_it_is_let_go(maker):
    maker.play([Note(67, 100, 0.3, 0.8), Note(36, 20, 1.9, 2.0)])
    sound, told = stream(maker, 3)
    ((down, _), (up, _)) = [(t, v) for t, p, v in told if p == 67]
    assert up - down == pytest.approx(0.5, abs=0.045)
    assert level(sound, 67, up + 0.25) < level(sound, 67, up - 0.1) - 15


def test_a_phrase_in_mid_stream_follows_the_music_and_the_music_follows_it(maker):
    stream(maker, 2)
    maker.play(PHRASE)
    _, told = stream(maker, 5, first=2, steps=8)
    assert [p for _, p, v in told if v][:3] == [60, 67, 76]
    end = strikes(told)[2] + 0.5
    assert [t for t in strikes(told) if t > end], "the network goes on"


def test_a_short_stride_does_not_cut_a_phrase(maker):
    stream(maker, 1)
    maker.play(PHRASE)
    _, told = stream(maker, 4, first=1, stride=0.25)
    mine = [(t, p) for t, p, v in told if v][:3]
    assert [p for _, p in mine] == [60, 67, 76]
    gaps = np.diff([t for t, _ in mine])
    assert gaps == pytest.approx(np.diff([n.start for n in PHRASE]), abs=0.045)


def test_what_follows_depends_on_the_phrase(maker):
    maker.play(PHRASE)
    after = stream(maker, 5, steps=8)[1]
    maker.reset()
    maker.play([Note(n.pitch - 7, n.velocity, n.start, n.end) for n in PHRASE])
    other = stream(maker, 5, steps=8)[1]
    assert [(p, v) for _, p, v in after if v][3:] != [(p, v) for _, p, v in other if v][3:]


# -------------------------------------------------------------------------- answers


def ladder(base):
    """Five seconds of broken chords over `base`."""
    return [Note(base + s, 80, 0.2 * i, 0.2 * i + 0.3) for i, s in enumerate((0, 4, 7, 12, 7) * 5)]


def test_an_answer_goes_on_where_the_phrase_lies(maker):
    means = []
    for base in (45, 80):
        pitches = []
        for seed in (1, 2):
            maker.reset()
            maker.answer(ladder(base))
            _, told = stream(maker, 3, steps=8, seed=seed)
            pitches += [p for _, p, v in told if v]
        assert len(pitches) > 6
        means.append(np.mean(pitches))
    assert means[1] > means[0] + 6


def test_an_answered_phrase_is_not_told(maker):
    maker.answer([Note(100, 90, 0, 0.4), Note(103, 90, 0.5, 0.9)])
    _, told = stream(maker, 1, controls={"held": (30,)})
    assert strikes(told, 30)
    assert not [t for t in strikes(told) if t < TOKEN / RATE - 0.001]


def test_a_key_that_sounds_at_the_phrases_end_is_taken_over_not_struck(maker):
    maker.answer([Note(60, 90, 0.7, 1.0)])
    _, told = stream(maker, 1, controls={"held": (60, 62)})
    assert strikes(told, 62) == [pytest.approx(TOKEN / RATE, abs=1e-3)]
    assert not [t for t in strikes(told, 60) if t < TOKEN / RATE + 0.01]


def test_an_answer_in_mid_stream_does_not_move_the_time(maker):
    sound, _ = stream(maker, 3)
    maker.answer(ladder(60))
    more, told = stream(maker, 1, first=3, controls={"held": (30,)})
    assert len(more) == 64 * 256
    # Notes are known four columns and one token before their sound.
    assert strikes(told, 30)[0] == pytest.approx((TOKEN + 4 * 256) / RATE, abs=0.001)
    assert level(more, 30, strikes(told, 30)[0] + 0.02) > level(more, 30, 0.05) + 6
    assert len(sound) == 3 * 64 * 256 - 4 * 256


def test_every_key_that_sounded_before_an_answer_comes_up(maker):
    down = set()
    _, before = stream(maker, 2, controls={"held": (22, 107)})
    maker.answer(ladder(60))
    _, after = stream(maker, 3, first=2)
    for _, pitch, velocity in before + after:
        (down.add if velocity else down.discard)(pitch)
    assert not down & {22, 107}


# --------------------------------------------------------------------- going on from sound


@pytest.fixture(scope="module")
def recording(opened):
    """Three seconds of the pack's own: samples [frames, 1] and their notes."""
    maker = BlockMaker(*opened)
    maker.play([Note(60, 90, 0.2, 1.4), Note(64, 90, 1.6, 3.4), Note(67, 80, 2.4, 3.4)])
    recent, parts = RecentNotes(RATE), []
    for i in range(6):
        made = maker.make(Request(i, STEPS))
        recent.add(made.notes, len(made.samples), made.rewind)
        parts.append(made.samples)
    sound = np.concatenate(parts)[-3 * RATE :]
    return sound, recent.notes(len(sound))


def test_sound_goes_on_in_the_place_of_its_last_samples_without_a_step(maker, recording):
    sound, notes = recording
    maker.continue_from(sound, notes)
    made = maker.make(Request(0, STEPS))
    assert made.rewind == REWIND
    assert len(made.samples) == 64 * 256 - 4 * 256
    joined = np.concatenate([sound[:-REWIND], made.samples])[:, 0]
    at = len(sound) - REWIND
    steps = abs(np.diff(joined))
    assert steps[at - 5 : at + 5].max() < 1.5 * steps[at - 6000 : at + 6000].max()
    first = slice(at, at + 128)
    off = abs(joined[first] - sound[-REWIND : -REWIND + 128, 0]).max()
    assert off < 0.2 * abs(sound[-4000:]).max(), "it fades from the sound it replaces"
    assert maker.make(Request(1, STEPS)).rewind == 0, "once"


def test_keys_that_the_sound_left_down_are_taken_over_and_others_struck(maker, recording):
    sound, _ = recording
    end = len(sound) / RATE
    maker.continue_from(sound, [Note(60, 80, end - 0.5, end + 1)])
    _, told = stream(maker, 1, controls={"held": (60, 62)})
    begin = TOKEN / RATE
    assert strikes(told, 62)[0] == pytest.approx(begin, abs=0.001)
    assert not [t for t in strikes(told, 60) if t < begin + 0.02]
    maker.continue_from(sound, [])
    _, told = stream(maker, 1, controls={"held": (60, 62)})
    assert strikes(told, 60)[0] == pytest.approx(begin, abs=0.001)


def test_a_key_of_the_past_is_let_go_by_the_music(maker, recording):
    sound, _ = recording
    end = len(sound) / RATE
    maker.continue_from(sound, [Note(23, 80, end - 1, end + 1)])
    _, told = stream(maker, 6)
    assert [v for _, p, v in told if p == 23][:1] == [0]


def test_the_notes_of_the_past_make_a_difference(maker, recording):
    sound, notes = recording
    maker.continue_from(sound, notes)
    known = stream(maker, 2, steps=8)[1]
    maker.continue_from(sound, ())
    unknown = stream(maker, 2, steps=8)[1]
    assert known != unknown


def test_a_short_or_silent_past_is_gone_on_from_too(maker):
    for past in (np.zeros((0, 1), np.float32), np.full((500, 2), 0.1, np.float32)):
        maker.continue_from(past)
        sound, _ = stream(maker, 2, controls={"held": (60,)})
        assert np.isfinite(sound).all()
        assert sound.std() > 1e-3


# --------------------------------------------------------------- the same again, and anew


def test_the_same_requests_give_the_same_samples_and_notes(maker, opened):
    other = BlockMaker(*opened)
    a, b = stream(maker, 2, controls={"held": (60,)}), stream(other, 2, controls={"held": (60,)})
    np.testing.assert_array_equal(a[0], b[0])
    assert a[1] == b[1]
    different = stream(BlockMaker(*opened), 2, controls={"held": (60,)}, seed=2)
    assert abs(a[0] - different[0]).max() > 0.01


def test_a_reset_begins_a_new_piece(maker):
    first = stream(maker, 2, steps=8)
    maker.continue_from(np.full((RATE, 1), 0.1, np.float32), [Note(60, 80, 0.5, 2)])
    maker.play(PHRASE)
    maker.reset()
    again = stream(maker, 2, steps=8)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


@pytest.mark.parametrize("stride", [0.125, 0.3])
def test_whatever_the_stride_notes_and_sound_stay_together(maker, stride):
    stream(maker, 1)
    lengths = [len(maker.make(Request(1 + i, STEPS, stride=stride)).samples) for i in range(2)]
    assert lengths == [max(1, round(stride * 8)) * TOKEN] * 2
    _, told = stream(maker, 1, first=3, controls={"held": (28,)})
    assert strikes(told, 28)[0] == pytest.approx((TOKEN + 4 * 256) / RATE, abs=1e-4)


def test_a_refused_request_leaves_the_stream_as_it_was(maker, opened):
    other = BlockMaker(*opened)
    stream(maker, 1)
    stream(other, 1)
    with pytest.raises(ConfigError):
        maker.make(Request(1, STEPS, sampler="magic"))
    np.testing.assert_array_equal(stream(maker, 1, first=1)[0], stream(other, 1, first=1)[0])


# ---------------------------------------------------------------------- controls and cost


def test_steps_of_the_sound_follow_those_of_the_notes(maker):
    assert maker.make(Request(0, 16)).evaluations == 16 + 4
    assert maker.make(Request(1, 4)).evaluations == 4 + 1


def test_guidance_costs_only_when_something_is_asked_for(maker):
    assert maker.make(Request(0, 8, guidance=2.0)).evaluations == 8 + 2
    assert maker.make(Request(1, 8, guidance=2.0, controls={"held": (60,)})).evaluations > 8 + 2


def test_density_is_heard_in_the_number_of_notes(opened):
    counts = []
    for density in (1.0, 15.0):
        maker = BlockMaker(*opened)
        _, told = stream(maker, 4, steps=8, controls={"density": density})
        counts.append(len(strikes(told)))
    assert counts[1] > 2 * counts[0]


def test_brightness_is_heard_in_the_same_notes(opened):
    tilt = []
    for brightness in (-1.0, 1.0):
        maker = BlockMaker(*opened)
        maker.play(PHRASE)
        controls = {"instrument": 0.0, "room": 0.3, "brightness": brightness}
        sound, _ = stream(maker, 3, controls=controls)
        power = abs(np.fft.rfft(sound)) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        tilt.append(10 * np.log10(power[hertz > 1500].sum() / power[hertz < 1000].sum()))
    assert tilt[1] > tilt[0] + 3
