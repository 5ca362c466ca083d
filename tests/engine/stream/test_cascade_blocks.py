"""Blocks of the shipped piano: requested notes are played, reported in time, and audible."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError
from engine.execution.executor import make_executor
from engine.notes.note import Note
from engine.packs.read import read_manifest
from engine.stream.requests import make_request
from engine.stream.walk import PlanWalk

PIANO = Path(__file__).parents[3] / "packs" / "piano"
RATE = 24000
STEPS = 4  # the notes are rough, but everything else is as it is with more
REWIND = 1024 - 256  # the window's overlap
TOKEN = 2048
PHRASE = [Note(60, 90, 0.1, 0.6), Note(67, 101, 0.731, 1.3), Note(76, 60, 1.415, 1.9)]


@pytest.fixture(scope="module")
def opened():
    """The walk, and its state before the first block."""
    walk = PlanWalk(read_manifest(PIANO), make_executor())
    return walk, walk.state()


@pytest.fixture
def walk(opened):
    walk, fresh = opened
    walk.restore(fresh)
    return walk


def produced(walk, index=0, *, held=(), controls=None, **more):
    """One block."""
    values = {**(controls or {}), "held": held}
    return walk.make(make_request(walk.plan, index, controls=values, **{"steps": STEPS, **more}))


def stream(walk, blocks, first=0, **requested):
    """Samples of the next blocks, and their (seconds, pitch, velocity) from the first of them."""
    sound, events = np.zeros(0, np.float32), []
    for i in range(first, first + blocks):
        block = produced(walk, i, **requested)
        events += [((len(sound) + n.offset) / RATE, n.pitch, n.velocity) for n in block.notes]
        sound = np.concatenate([sound, block.samples[:, 0]])
    return sound, events


def strikes(events, pitch=None):
    return [t for t, p, v in events if v and pitch in (None, p)]


def level(sound, pitch, at):
    """Decibels of a pitch's fundamental over 43 ms from `at` seconds on."""
    begin = max(0, round(at * RATE))
    x = sound[begin : begin + 1024] * np.hanning(1024)
    tone = np.exp(-2j * np.pi * 440 * 2 ** ((pitch - 69) / 12) * np.arange(1024) / RATE)
    return 20 * np.log10(abs(x @ tone) + 1e-6)


# ------------------------------------------------------------------------ held keys


def test_held_keys_are_in_the_music_from_the_next_block_on(walk):
    sound, events = stream(walk, 5, held=(60, 64))
    for pitch in (60, 64):
        first = strikes(events, pitch)[0]
        assert first == pytest.approx(TOKEN / RATE, abs=1e-3)
        assert level(sound, pitch, first + 0.02) > level(sound, pitch, first - 0.06) + 20
        of_pitch = [(t, v) for t, p, v in events if p == pitch]
        for at, v in of_pitch:
            again = [t for t, w in of_pitch if w and 0 <= t - at < 0.045]
            assert v or again, "while it is held it comes up only to be struck again"
        assert max(np.diff([*strikes(events, pitch), len(sound) / RATE])) < 2.2


def test_a_held_key_is_let_go_with_the_finger(walk):
    stream(walk, 2, held=(24,))
    _, events = stream(walk, 6, first=2)
    assert any(p == 24 and not v for _, p, v in events)


def test_keys_that_are_not_held_are_left_to_the_music(walk):
    _, free = stream(walk, 3, steps=8)
    walk.reset()
    _, held = stream(walk, 3, steps=8, held=(36,))
    assert not strikes(free, 36)
    assert strikes(held, 36)


# -------------------------------------------------------------------------- phrases


def test_a_phrase_comes_out_as_its_own_notes_and_is_audible_at_their_times(walk):
    walk.play(PHRASE)
    sound, events = stream(walk, 3)
    mine = [(t, p, v) for t, p, v in events if v][: len(PHRASE)]
    assert [(p, v) for _, p, v in mine] == [(n.pitch, n.velocity) for n in PHRASE]
    shift = mine[0][0] - PHRASE[0].start
    for (at, pitch, _), n in zip(mine, PHRASE, strict=True):
        assert at == pytest.approx(n.start + shift, abs=0.045)
        early, late = level(sound, pitch, at - 0.045 - 0.043), level(sound, pitch, at + 0.045)
        assert late > early + 20, "it is audible within 45 ms of that"
        assert late > 10
    assert abs(sound[: round((mine[0][0] - 0.045) * RATE)]).max() < 0.05 * abs(sound).max()


def test_a_key_of_a_phrase_dies_away_when_it_is_let_go(walk):
    walk.play([Note(67, 100, 0.3, 0.8), Note(36, 20, 1.9, 2.0)])
    sound, events = stream(walk, 3)
    ((down, _), (up, _)) = [(t, v) for t, p, v in events if p == 67]
    assert up - down == pytest.approx(0.5, abs=0.045)
    assert level(sound, 67, up + 0.25) < level(sound, 67, up - 0.1) - 15


def test_a_phrase_in_mid_stream_follows_the_music_and_the_music_follows_it(walk):
    stream(walk, 2)
    walk.play(PHRASE)
    _, events = stream(walk, 5, first=2, steps=8)
    assert [p for _, p, v in events if v][:3] == [60, 67, 76]
    end = strikes(events)[2] + 0.5
    assert [t for t in strikes(events) if t > end], "the network goes on"


def test_a_short_stride_does_not_cut_a_phrase(walk):
    stream(walk, 1)
    walk.play(PHRASE)
    _, events = stream(walk, 14, first=1, stride=0.25)
    mine = [(t, p) for t, p, v in events if v][:3]
    assert [p for _, p in mine] == [60, 67, 76]
    gaps = np.diff([t for t, _ in mine])
    assert gaps == pytest.approx(np.diff([n.start for n in PHRASE]), abs=0.045)


def test_what_follows_depends_on_the_phrase(walk):
    walk.play(PHRASE)
    after = stream(walk, 5, steps=8)[1]
    walk.reset()
    walk.play([Note(n.pitch - 7, n.velocity, n.start, n.end) for n in PHRASE])
    other = stream(walk, 5, steps=8)[1]
    assert [(p, v) for _, p, v in after if v][3:] != [(p, v) for _, p, v in other if v][3:]


# -------------------------------------------------------------------------- answers


def ladder(base):
    """Five seconds of broken chords over `base`."""
    return [Note(base + s, 80, 0.2 * i, 0.2 * i + 0.3) for i, s in enumerate((0, 4, 7, 12, 7) * 5)]


def test_an_answer_goes_on_where_the_phrase_lies(walk):
    means = []
    for base in (45, 80):
        pitches = []
        for seed in (1, 2):
            walk.reset()
            walk.answer(ladder(base))
            _, events = stream(walk, 3, steps=8, seed=seed)
            pitches += [p for _, p, v in events if v]
        assert len(pitches) > 6
        means.append(np.mean(pitches))
    assert means[1] > means[0] + 6


def test_the_notes_of_an_answered_phrase_are_not_reported(walk):
    walk.answer([Note(100, 90, 0, 0.4), Note(103, 90, 0.5, 0.9)])
    _, events = stream(walk, 1, held=(30,))
    assert strikes(events, 30)
    assert not [t for t in strikes(events) if t < TOKEN / RATE - 0.001]


def test_a_key_that_sounds_at_the_phrases_end_is_taken_over_not_struck(walk):
    walk.answer([Note(60, 90, 0.7, 1.0)])
    _, events = stream(walk, 1, held=(60, 62))
    assert strikes(events, 62) == [pytest.approx(TOKEN / RATE, abs=1e-3)]
    assert not [t for t in strikes(events, 60) if t < TOKEN / RATE + 0.01]


def test_an_answer_in_mid_stream_does_not_move_the_time(walk):
    sound, _ = stream(walk, 3)
    walk.answer(ladder(60))
    more, events = stream(walk, 1, first=3, held=(30,))
    assert len(more) == 64 * 256
    # Notes are known four columns and one token before their sound.
    assert strikes(events, 30)[0] == pytest.approx((TOKEN + 4 * 256) / RATE, abs=0.001)
    assert level(more, 30, strikes(events, 30)[0] + 0.02) > level(more, 30, 0.05) + 6
    assert len(sound) == 3 * 64 * 256 - 4 * 256


def test_every_key_that_sounded_before_an_answer_comes_up(walk):
    down = set()
    _, before = stream(walk, 2, held=(22, 107))
    walk.answer(ladder(60))
    _, after = stream(walk, 3, first=2)
    for _, pitch, velocity in before + after:
        (down.add if velocity else down.discard)(pitch)
    assert not down & {22, 107}


# --------------------------------------------------------------------- going on from sound


@pytest.fixture(scope="module")
def recording(opened):
    """Three seconds of the pack's own: samples [frames, 1] and their notes."""
    walk, fresh = opened
    walk.restore(fresh)
    walk.play([Note(60, 90, 0.2, 1.4), Note(64, 90, 1.6, 3.4), Note(67, 80, 2.4, 3.4)])
    sound, events = stream(walk, 6)
    begin, end = len(sound) / RATE - 3, len(sound) / RATE
    notes, down = [], {}
    for at, pitch, velocity in events:
        if pitch in down:
            start, struck = down.pop(pitch)
            notes.append(Note(pitch, struck, start - begin, at - begin))
        if velocity:
            down[pitch] = (at, velocity)
    notes += [Note(p, v, t - begin, end - begin + 1) for p, (t, v) in down.items() if t < end]
    return sound[-3 * RATE :, None], [n for n in notes if n.end > 0]


def test_sound_goes_on_in_the_place_of_its_last_samples_without_a_step(walk, recording):
    sound, notes = recording
    walk.continue_from(sound, notes)
    block = produced(walk)
    assert block.rewind == REWIND
    assert len(block.samples) == 64 * 256 - 4 * 256
    joined = np.concatenate([sound[:-REWIND], block.samples])[:, 0]
    at = len(sound) - REWIND
    steps = abs(np.diff(joined))
    assert steps[at - 5 : at + 5].max() < 1.5 * steps[at - 6000 : at + 6000].max()
    first = slice(at, at + 128)
    off = abs(joined[first] - sound[-REWIND : -REWIND + 128, 0]).max()
    assert off < 0.2 * abs(sound[-4000:]).max(), "it fades from the sound it replaces"
    assert produced(walk, 1).rewind == 0, "once"


def test_keys_that_the_sound_left_down_are_taken_over_and_others_struck(walk, recording):
    sound, _ = recording
    end = len(sound) / RATE
    walk.continue_from(sound, [Note(60, 80, end - 0.5, end + 1)])
    _, events = stream(walk, 1, held=(60, 62))
    begin = TOKEN / RATE
    assert strikes(events, 62)[0] == pytest.approx(begin, abs=0.001)
    assert not [t for t in strikes(events, 60) if t < begin + 0.02]
    walk.continue_from(sound, [])
    _, events = stream(walk, 1, held=(60, 62))
    assert strikes(events, 60)[0] == pytest.approx(begin, abs=0.001)


def test_a_key_of_the_past_is_let_go_by_the_music(walk, recording):
    sound, _ = recording
    end = len(sound) / RATE
    walk.continue_from(sound, [Note(23, 80, end - 1, end + 1)])
    _, events = stream(walk, 6)
    assert [v for _, p, v in events if p == 23][:1] == [0]


def test_the_notes_of_the_past_make_a_difference(walk, recording):
    sound, notes = recording
    walk.continue_from(sound, notes)
    known = stream(walk, 2, steps=8)[1]
    walk.continue_from(sound, ())
    unknown = stream(walk, 2, steps=8)[1]
    assert known != unknown


def test_a_short_or_silent_past_is_gone_on_from_too(walk):
    for past in (np.zeros((0, 1), np.float32), np.full((500, 2), 0.1, np.float32)):
        walk.continue_from(past)
        sound, _ = stream(walk, 2, held=(60,))
        assert np.isfinite(sound).all()
        assert sound.std() > 1e-3


# --------------------------------------------------------------- the same again, and a new piece


def test_the_same_requests_give_the_same_samples_and_notes(walk, opened):
    a = stream(walk, 2, held=(60,))
    b = stream(PlanWalk(walk.manifest, make_executor()), 2, held=(60,))
    np.testing.assert_array_equal(a[0], b[0])
    assert a[1] == b[1]
    walk.restore(opened[1])
    different = stream(walk, 2, held=(60,), seed=2)
    assert abs(a[0] - different[0]).max() > 0.01


def test_a_reset_begins_a_new_piece(walk):
    first = stream(walk, 2, steps=8)
    walk.continue_from(np.full((RATE, 1), 0.1, np.float32), [Note(60, 80, 0.5, 2)])
    walk.play(PHRASE)
    walk.reset()
    again = stream(walk, 2, steps=8)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


@pytest.mark.parametrize("stride", [0.125, 0.3])
def test_whatever_the_stride_notes_and_sound_stay_together(walk, stride):
    stream(walk, 1)
    lengths = [len(produced(walk, 1 + i, stride=stride).samples) for i in range(2)]
    assert lengths == [max(1, round(stride * 8)) * TOKEN] * 2
    _, events = stream(walk, 1, first=3, held=(28,))
    assert strikes(events, 28)[0] == pytest.approx((TOKEN + 4 * 256) / RATE, abs=1e-4)


def test_a_refused_request_leaves_the_stream_as_it_was(walk):
    stream(walk, 1)
    before = walk.state()
    expected, _ = stream(walk, 1, first=1)
    walk.restore(before)
    with pytest.raises(ConfigError):
        produced(walk, 1, sampler="magic")
    np.testing.assert_array_equal(stream(walk, 1, first=1)[0], expected)


# ---------------------------------------------------------------------- controls and cost


def test_steps_of_the_sound_follow_those_of_the_notes(walk):
    assert produced(walk, 0, steps=16).evaluations == 16 + 4
    assert produced(walk, 1, steps=4).evaluations == 4 + 1


def test_guidance_costs_only_when_a_control_is_set(walk):
    assert produced(walk, 0, steps=8, guidance=2.0).evaluations == 8 + 2
    assert produced(walk, 1, steps=8, guidance=2.0, held=(60,)).evaluations > 8 + 2


def test_density_is_audible_in_the_number_of_notes(walk):
    counts = []
    for density in (1.0, 15.0):
        walk.reset()
        _, events = stream(walk, 4, steps=8, controls={"density": density})
        counts.append(len(strikes(events)))
    assert counts[1] > 2 * counts[0]


def test_brightness_is_audible_in_the_same_notes(walk):
    tilt = []
    for brightness in (-1.0, 1.0):
        walk.reset()
        walk.play(PHRASE)
        controls = {"instrument": 0.0, "room": 0.3, "brightness": brightness}
        sound, _ = stream(walk, 3, controls=controls)
        power = abs(np.fft.rfft(sound)) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        tilt.append(10 * np.log10(power[hertz > 1500].sum() / power[hertz < 1000].sum()))
    assert tilt[1] > tilt[0] + 3
