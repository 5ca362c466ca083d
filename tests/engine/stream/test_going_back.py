"""Going back, forking, recalling and restarting: the same samples as they enter the lead."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_packs import beat_roll, latent, stereo_waveform
from virtual_stream import VirtualStream

from engine.errors import ConfigError, StorageError
from engine.stream.snapshot import Bars, Snapshot, read_snapshot, write_snapshot

PACKS = (latent, stereo_waveform, beat_roll)


@pytest.fixture(scope="module", params=PACKS, ids=lambda make: make.__name__)
def pack(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("pack"))


@pytest.fixture
def stream(pack):
    made = []

    def make(**controls):
        made.append(VirtualStream(pack, **controls))
        return made[-1]

    yield make
    for one in made:
        one.close()


FADE = 0.02
BARS = Bars(97.5, 3, 1.25)


def snapshot_at(place):
    return Snapshot("made", "1", "d", {"now": place}, {"gain": -3.0}, ("seed",), BARS, {"a": "b"})


def test_a_killed_generator_costs_no_sample(stream):
    expected = stream().pull(4.0)
    for die_at in (1, 2, 9):
        other = stream(die_at=die_at)
        np.testing.assert_array_equal(other.pull(4.0), expected)
        assert [kind for kind, _ in other.said] == ["restarted"]


@pytest.mark.parametrize("seconds", [0.0, 0.333, 1.7])
def test_going_back_plays_the_same_samples_again(stream, seconds):
    one = stream()
    first = one.pull(4.0)
    one.back(seconds)
    again = one.pull(seconds + 3.0)
    fade = round(FADE * one.manifest.rate)
    start = len(first) - round(seconds * one.manifest.rate)
    known = first[start:]
    np.testing.assert_array_equal(again[fade : len(known)], known[fade:])
    uninterrupted = stream().pull(7.0)
    np.testing.assert_array_equal(again[fade:], uninterrupted[start : start + len(again)][fade:])


def test_the_join_where_the_music_goes_back_is_a_crossfade(stream):
    one = stream()
    first = one.pull(3.0)
    one.back(1.0)
    n = round(0.01 * one.manifest.rate)
    joined = np.concatenate([first[-n:], one.pull(1.0)])
    steps = np.abs(np.diff(joined, axis=0))
    assert steps[: 2 * n].max() <= 1.5 * steps[2 * n :].max() + 1e-3


def test_it_goes_back_again_and_again(stream):
    one = stream()
    one.pull(3.0)
    one.back(1.0)
    second = one.pull(2.0)
    one.back(1.5)
    third = one.pull(1.5)
    fade = round(FADE * one.manifest.rate)
    tail = second[len(second) - len(third) :]
    np.testing.assert_array_equal(third[fade:], tail[fade:])


def test_what_is_too_long_ago_or_not_played_yet_is_not_found(stream):
    one = stream()
    one.pull(1.0)
    history = one.feeder.history
    assert history.find(-1) is None
    assert history.find(one.lead.position[1] + 1) is None
    assert history.oldest == 0


def test_a_snapshot_file_plays_in_another_run(stream, pack, tmp_path):
    one = stream()
    one.pull(2.5)
    place = one.feeder.history.find(one.lead.position[0])
    path = tmp_path / "moment.attacca-snapshot"
    snapshot = snapshot_at(place)
    write_snapshot(snapshot, path)
    expected = one.pull(3.0)
    other = stream()
    other.pull(0.7)
    found = read_snapshot(path)
    for name in ("pack", "version", "digest", "controls", "pending", "bars", "about"):
        assert getattr(found, name) == getattr(snapshot, name)
    other.feeder.go_to(found.place("bar"))  # the moment itself, where the line is not there
    other.clock.sleep(0.2)
    fade = round(FADE * other.manifest.rate)
    np.testing.assert_array_equal(other.pull(3.0)[fade:], expected[fade:])


def test_the_state_of_another_pack_is_refused_and_the_music_goes_on(stream, pack, tmp_path):
    one = stream()
    before = one.pull(1.0)
    place = one.feeder.history.find(one.lead.position[0])
    state = {name: array for name, array in place.keyframe.state.items() if "blocks/" not in name}
    one.feeder.go_to(replace(place, keyframe=replace(place.keyframe, state=state)))
    one.clock.sleep(0.2)
    after = one.pull(3.0)
    assert [kind for kind, _ in one.said] == ["refused"]
    expected = stream().pull(4.0)
    np.testing.assert_array_equal(np.concatenate([before, after]), expected)


def test_a_state_of_other_shapes_is_refused_and_the_music_goes_on(stream):
    one = stream()
    before = one.pull(1.0)
    place = one.feeder.history.find(one.lead.position[0])
    state = {
        name: array[..., 1:] if name.endswith("/frames") and array.size else array
        for name, array in place.keyframe.state.items()
    }
    one.feeder.go_to(replace(place, keyframe=replace(place.keyframe, state=state)))
    one.clock.sleep(0.2)
    after = one.pull(3.0)
    assert [kind for kind, _ in one.said] == ["refused"]
    np.testing.assert_array_equal(np.concatenate([before, after]), stream().pull(4.0))


def test_a_new_piece_drops_what_was_generated_to_go_back(stream):
    one = stream()
    one.pull(2.0)
    place = one.feeder.history.find(one.lead.position[0])
    make = one.generator.make

    def reset_meanwhile(request):
        one.generator.make = make
        one.feeder.reset()
        return make(request)

    one.generator.make = reset_meanwhile
    one.feeder.go_to(place)
    one.clock.sleep(0.2)
    np.testing.assert_array_equal(one.pull(2.0), stream().pull(2.0))


def test_a_damaged_snapshot_is_read_or_refused_in_one_line(stream, tmp_path):
    one = stream()
    one.pull(1.0)
    place = one.feeder.history.find(one.lead.position[0])
    path = tmp_path / "moment.attacca-snapshot"
    write_snapshot(snapshot_at(place), path)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(200):
        data = bytearray(whole)
        at = int(rng.integers(len(data)))
        data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data if rng.random() < 0.8 else data[:at])
        try:
            read_snapshot(path)
        except StorageError as error:
            refused.append(str(error))
    assert len(refused) > 150
    assert not any("\n" in line for line in refused)


def rewritten(path, change):
    """The snapshot's text changed, and put into its place again with the right checksum."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    text = json.loads(str(arrays["about"]))
    change(text, arrays)
    arrays["about"] = np.array(json.dumps(text))
    with path.open("wb") as file:
        np.savez(file, **arrays)


def put(text, keys, value):
    for key in keys[:-1]:
        text = text[key]
    text[keys[-1]] = value


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("format",), 2), (("places",), {}), (("places", "now", "keyframe"), 1),
        (("places", "now", "keyframe"), -1), (("places", "now", "offset"), -5),
        (("places", "now", "offset"), 1e300), (("places", "now", "request", "seed"), "x"),
        (("places", "now", "request", "index"), True), (("places", "now", "request", "stages"), 3),
        (("places", "now", "request", "controls"), 3), (("places", "now", "before"), [{}]),
        (("places", "now", "before"), [0] * 5000), (("bars", "bpm"), 0), (("bars", "beats"), 1.5),
        (("bars", "phase"), float("nan")), (("bars", "phase"), 9), (("controls",), 7),
        (("pending",), None), (("keyframes",), []), (("keyframes",), [{"has_past": 1}]),
    ],
)  # fmt: skip
def test_a_snapshot_whose_text_makes_no_sense_is_refused_in_one_line(stream, tmp_path, keys, value):
    one = stream()
    one.pull(0.5)
    place = one.feeder.history.find(one.lead.position[0])
    path = tmp_path / "moment.attacca-snapshot"
    write_snapshot(snapshot_at(place), path)
    rewritten(path, lambda text, arrays: put(text, keys, value))
    with pytest.raises(StorageError, match="no snapshot") as caught:
        read_snapshot(path)
    assert "\n" not in str(caught.value)


def test_requests_and_arrays_out_of_all_bounds_are_refused(stream, tmp_path):
    one = stream()
    one.pull(0.5)
    place = one.feeder.history.find(one.lead.position[0])
    path = tmp_path / "moment.attacca-snapshot"
    state = next(iter(place.keyframe.state))

    def stage(text):
        return next(iter(text["places"]["now"]["request"]["stages"].values()))

    changes = [
        *(lambda text, _, f=f, v=v: stage(text).update({f: v}) for f, v in (
            ("keep", 0), ("keep", 2**40), ("steps", 10**9), ("steps", 1.5), ("sampler", 3),
            ("temperature", float("inf")), ("guidance", "x"), ("unknown", 1),
        )),
        *(lambda _, arrays, a=a: arrays.update({f"state/0/{state}": a}) for a in (
            np.array(["text"]), np.array([np.nan]), np.array([1j]), np.zeros(3, np.uint8),
        )),
    ]  # fmt: skip
    for change in changes:
        write_snapshot(snapshot_at(place), path)
        rewritten(path, change)
        with pytest.raises(StorageError, match="no snapshot"):
            read_snapshot(path)


def test_a_moment_begins_at_the_position_that_was_asked_for_and_keeps_its_time_when_late(stream):
    one = stream()
    first = one.pull(3.0)
    rate, fade = one.manifest.rate, round(FADE * one.manifest.rate)
    at = one.lead.position[0] + round(0.4 * rate)
    place, begun = one.feeder.history.find(round(1.3 * rate)), []
    one.feeder.go_to(place, lambda: at, begun.append)
    one.clock.sleep(0.2)
    until = at - len(first) - fade
    after = one.pull(1.5)
    assert begun == [at]
    np.testing.assert_array_equal(after[:until], stream().pull(5.0)[len(first) :][:until])
    known = first[round(1.3 * rate) :]
    moment = after[at - len(first) :]
    count = min(len(known), len(moment))
    np.testing.assert_array_equal(moment[:count], known[:count])
    late = one.lead.position[0] - round(0.25 * rate)  # that is over
    one.feeder.go_to(place, lambda: late, begun.append)
    one.clock.sleep(0.2)
    rest = one.pull(0.5)[fade:]
    skipped = round(0.25 * rate) + fade
    np.testing.assert_array_equal(rest, known[skipped:][: len(rest)])
    assert begun[-1] == late


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip", bytes(100)])
def test_a_file_that_is_no_snapshot_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "odd.attacca-snapshot"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="no snapshot") as caught:
        read_snapshot(path)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, ConfigError)
