"""The benchmarks measure the sound that the instrument plays, and write their pages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from control_tables import SHIPPED_TABLE

from benchmarks.continuation import strangers, wins
from benchmarks.live import growth_per_hour, located
from benchmarks.material import Held, Source, limited
from benchmarks.numbers import Row
from benchmarks.report import replaced, table
from benchmarks.seams import interior
from benchmarks.settings import SWEEP
from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.packs.discovery import find_pack
from engine.sampling.samplers import table_for
from engine.sampling.schedules import make_schedule

STEPS = 2  # enough for sound, and quick


@pytest.fixture(scope="module")
def source() -> Source:
    return Source("piano")


@pytest.fixture
def held_folder(tmp_path: Path) -> Path:
    audio = np.concatenate([np.full(32000, 1000), np.full(48000, -2000)]).astype(np.int16)
    np.save(tmp_path / "held.npy", audio)
    pieces = [
        {"name": "train me", "split": "train", "offset": 0, "length": 99},
        {"name": "one", "split": "held", "offset": 0, "length": 32000},
        {"name": "two", "split": "held", "offset": 32000, "length": 48000},
    ]
    (tmp_path / "index.json").write_text(json.dumps({"rate": 16000, "pieces": pieces}))
    return tmp_path


def test_a_measured_stream_equals_a_rendered_file(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "rendered.wav"
    Instrument(find_pack("piano"), steps=STEPS, seed=5, latency=3.0).render(path, 2.0)
    rendered, rate = soundfile.read(path, dtype="float32")
    stream = source.stream(2.0, source.request(steps=STEPS, seed=5))
    late = round(0.003 * rate)  # the limiter looks ahead
    n = 2 * rate - late - 1000
    settled = slice(round(0.05 * rate), n)
    got, want = rendered[late : late + n][settled], stream.samples[:n][settled]
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_joints_are_where_each_block_begins(source: Source) -> None:
    stream = source.stream(2.5, source.request(steps=STEPS))
    block, held_back = source.plan.block_samples, 4 * source.hop
    assert stream.joints == [k * block - held_back for k in range(1, len(stream.joints) + 1)]
    assert len(stream.samples) == (len(stream.joints) + 1) * block - held_back
    # Frame k * frames begins at k * block; the passage ends window - hop later.
    assert stream.joints[0] + stream.crossing == block + (source.window - source.hop) // 2


def test_a_continuation_begins_where_its_phrase_ends(source: Source) -> None:
    n = np.arange(round(2.0 * source.manifest.rate))
    phrase = (0.1 * np.sin(2 * np.pi * 440 * n / source.manifest.rate)).astype(np.float32)
    with_phrase = source.stream(1.0, source.request(steps=STEPS), phrase).samples
    without = source.stream(1.0, source.request(steps=STEPS)).samples
    kept_back = 4 * source.hop + source.window - source.hop
    assert (len(with_phrase) + kept_back) % source.plan.block_samples == 0
    assert np.abs(with_phrase[:8000] - without[:8000]).max() > 1e-3


def test_noise_levels_can_be_tried_without_another_pack(source: Source) -> None:
    other = source.rescheduled(sigma_max=3.0, rho=None)
    request = source.request(steps=STEPS)
    own, tried = (s.stream(1.0, request).samples for s in (source, other))
    assert np.abs(own - tried).max() > 1e-3
    again = source.rescheduled(sigma_max=None).stream(1.0, request).samples
    np.testing.assert_array_equal(own, again)


def test_a_request_has_the_defaults_of_the_instrument(source: Source) -> None:
    wanted = Instrument(find_pack("piano")).settings
    assert source.request().settings == wanted.changed(stride=1.0)
    assert source.request(seed=None, steps=3).settings["steps"] == 3
    with pytest.raises(ConfigError, match="'tremolo'"):
        source.request(tremolo=1.0)


def test_loud_sound_is_limited_as_in_the_mixer_and_soft_sound_is_unchanged() -> None:
    n = np.arange(16000)
    soft = (0.5 * np.sin(0.1 * n)).astype(np.float32)
    np.testing.assert_array_equal(limited(soft, 16000), soft)
    assert np.abs(limited(4 * soft, 16000)).max() <= 0.97


def test_held_out_pieces_are_found_by_their_own_offsets(held_folder: Path) -> None:
    held = Held(held_folder, 16000)
    assert [p["name"] for p in held.pieces] == ["one", "two"]
    assert held.longer_than(2.5) == [1]
    assert held.cut(1, 40000, 20000).size == 8000
    assert held.cut(1, 0, 10)[0] == pytest.approx(-2000 / 32768)
    with pytest.raises(ConfigError, match="16000 Hz"):
        Held(held_folder, 22050)
    with pytest.raises(ConfigError, match="--held"):
        Held(held_folder / "nowhere", 16000)


def test_the_nearer_excerpt_wins_and_only_other_works_compete() -> None:
    names = ["a", "a", "b"]
    others = strangers(names, np.random.default_rng(1))
    assert [sorted(o) for o in others] == [[2], [2], [0, 1]]
    truths = [np.array([1.0, 0.0]), np.array([1.0, 0.1]), np.array([0.0, 1.0])]
    assert wins(truths, truths, others) == (3, 1.0)
    swapped = [truths[2], truths[2], truths[0]]
    assert wins(swapped, truths, others) == (0, 0.0)


def test_interior_places_keep_clear_of_the_seams() -> None:
    joints = [31744, 64512, 97280]
    places = interior(joints, 1408, 16000, np.random.default_rng(1))
    assert len(places) == 4
    for place in places:
        assert min(abs(place - j) for j in joints) >= 0.4 * 16000


def test_a_block_is_located_in_what_was_played_at_another_rate() -> None:
    rng = np.random.default_rng(3)
    from engine.resample import resample

    block = rng.standard_normal(16000).astype(np.float32) * 0.1
    played = resample(np.concatenate([np.zeros(8000, np.float32), block]), 16000, 48000)
    noise = 0.01 * rng.standard_normal(played.size).astype(np.float32)
    place, match = located(block, 16000, played + noise, 48000)
    assert place == pytest.approx(24000, abs=3)
    assert match > 0.95
    _, chance = located(block, 16000, rng.standard_normal(48000).astype(np.float32), 48000)
    assert chance < 0.5


def test_growth_is_a_slope_and_the_beginning_does_not_count() -> None:
    times = [float(t) for t in range(100)]
    values = [50.0 if t < 20 else 80.0 + t / 3600 for t in times]
    assert growth_per_hour(times, values) == pytest.approx(1.0, rel=1e-6)


def test_a_row_names_the_bound_that_it_meets_and_short_measurements_so_far() -> None:
    assert Row("", 0.05, "", 0.35, 0.1).verdict == "aim"
    assert Row("", 0.2, "", 0.35, 0.1).verdict == "must"
    assert Row("", 0.5, "", 0.35, 0.1).verdict == "**no**"
    assert Row("", 2.0, "", 1.5, 3.0, higher=True).verdict == "must"
    assert Row("", 0.0, "", 2.0, 0.0, short=True).verdict == "so far"
    assert Row("", 9.0, "", 2.0, 0.0, short=True).verdict == "**no**"


def test_a_section_is_refreshed_in_its_place_and_the_rest_of_the_page_kept() -> None:
    page = "# Page\n\n<!-- a:begin -->\nold\n<!-- a:end -->\n\nThe end.\n"
    new = replaced(page, "a", "new")
    assert new == "# Page\n\n<!-- a:begin -->\nnew\n<!-- a:end -->\n\nThe end.\n"
    assert replaced(new, "b", "more").endswith("<!-- b:begin -->\nmore\n<!-- b:end -->\n")
    assert table(["x", "y"], [[1, "z"]]) == "| x | y |\n|---|---|\n| 1 | z |"


def test_every_sampler_of_the_sweep_exists() -> None:
    for sampler, steps in SWEEP:
        assert sampler in SHIPPED_TABLE["sampler"].choices
        assert len(table_for(sampler, steps, lambda n: make_schedule("karras", n))) == steps
