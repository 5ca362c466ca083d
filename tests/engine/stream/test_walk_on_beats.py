"""The walk of a pack whose notes lie on beats: tempo, bars, phrases."""

import numpy as np
import pytest
from made_packs import beat_roll

from engine.execution.executor import make_executor
from engine.notes.note import Note
from engine.packs.read import read_manifest
from engine.stages.request import Request
from engine.stream.requests import make_request
from engine.stream.walk import PlanWalk
from engine.time.tempo_map import Pace

BEAT = 8000  # samples, at 120 BPM and 16 kHz


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return read_manifest(beat_roll(tmp_path_factory.mktemp("pack")))


@pytest.fixture
def walk(manifest):
    return PlanWalk(manifest, make_executor("cpu", 1))


def played(walk, blocks, pace=None, **more):
    """Samples, and notes as (sample, pitch, velocity) from the first of them."""
    samples, notes, at = [], [], 0
    for index in range(blocks):
        made = walk.make(make_request(walk.plan, index, pace=pace or Pace(), **more))
        notes += [(at + n.offset, n.pitch, n.velocity) for n in made.notes]
        at += len(made.samples)
        samples.append(made.samples)
    return np.concatenate(samples), notes


def phrase(*pitches):
    """A note on each beat at 120 BPM, in seconds."""
    return [Note(p, 100, i / 2, i / 2 + 0.25) for i, p in enumerate(pitches)]


def struck(notes, first, end):
    return [(at, pitch) for at, pitch, velocity in notes if velocity and first <= at < end]


def test_a_phrase_is_played_on_the_beats(walk):
    delay = int(walk.plan.delay("sound"))
    walk.play(phrase(60, 61, 62, 63))
    _, notes = played(walk, 20)
    assert struck(notes, 0, 7 * BEAT // 2) == [(delay + i * BEAT, 60 + i) for i in range(4)]


def test_a_phrase_is_read_at_the_tempo_that_it_comes_with(walk):
    walk.pace = Pace(60)
    walk.play(phrase(60, 61, 62, 63))  # two notes to a beat
    _, notes = played(walk, 20, Pace(60))
    delay = int(walk.plan.delay("sound"))
    assert struck(notes, 0, 7 * BEAT // 2) == [(delay + i * BEAT, 60 + i) for i in range(4)]


def test_a_tempo_change_moves_the_beats_that_no_block_has_needed_yet(walk):
    delay = int(walk.plan.delay("sound"))
    walk.play(phrase(60, 61, 62, 63))
    first, notes = played(walk, 3)  # until they read the second beat
    written = walk.state()["tempo/samples"].tolist()
    assert written == [0, BEAT]
    _, later = played(walk, 20, Pace(60))
    notes += [(at + len(first), pitch, velocity) for at, pitch, velocity in later]
    assert struck(notes, 0, 6 * BEAT) == [
        (delay, 60), (delay + BEAT, 61), (delay + 3 * BEAT, 62), (delay + 5 * BEAT, 63),
    ]  # fmt: skip


def test_the_metre_is_read_by_the_stage_on_beats(walk, manifest):
    other = PlanWalk(manifest, make_executor("cpu", 1))
    assert not np.array_equal(played(walk, 8)[0], played(other, 8, Pace(bar=3))[0])


def test_the_same_requests_as_messages_give_the_same_samples(walk, manifest):
    requests = [
        make_request(walk.plan, i, stride=(1, 0.5)[i % 2], pace=Pace(80.0 + 7.3 * i, 3))
        for i in range(20)
    ]
    first = [walk.make(request).samples for request in requests]
    other = PlanWalk(manifest, make_executor("cpu", 1))
    for request, samples in zip(requests, first, strict=True):
        again = other.make(Request.from_message(request.as_message()))
        np.testing.assert_array_equal(again.samples, samples)


def test_a_phrase_that_is_answered_changes_what_comes_and_is_not_played(walk, manifest):
    delay = int(walk.plan.delay("sound"))
    other = PlanWalk(manifest, make_executor("cpu", 1))
    other.answer(phrase(63, 63, 63))
    _, notes = played(other, 8)
    _, without = played(walk, 8)
    assert notes != without
    assert min(at for at, _, _ in notes) >= delay


def test_a_recording_and_its_notes_are_continued(walk, manifest):
    sound = np.sin(np.arange(16000) / 9)[:, None].astype(np.float32)
    walk.continue_from(sound, phrase(60, 62))
    state = walk.state()
    assert (state["log/strings/frames"][:4] > 0).any()
    assert (state["log/roll/frames"][:4] > 0).any()
    samples, _ = played(walk, 4)
    assert np.isfinite(samples).all()


def test_the_tempo_map_stays_as_long_as_the_plan_says(walk):
    played(walk, 120, Pace(300))
    assert len(walk.state()["tempo/samples"]) <= walk.plan.beats + 1
