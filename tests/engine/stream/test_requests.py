"""Requests of blocks: what each stage does, and which values the pack's controls have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from control_tables import engine_settings, shipped_settings
from tiny_pack import TINY

from engine.pack_settings import settings_for
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest
from engine.stages.request import PACKS_OWN, Request
from engine.stream.requests import make_request, request_from
from engine.time.tempo_map import Pace

MANIFEST = read_manifest(Path(__file__).parents[3] / "packs" / "piano")
PIANO = make_plan(MANIFEST)


def requested(**controls):
    """The controls of a request, with these values set."""
    return request_from(PIANO, shipped_settings(**controls), 0, 16, 1.0, Pace()).controls


def test_every_control_of_the_shipped_pack_has_a_value():
    assert {c.short for c in MANIFEST.controls} == set(requested())


def test_what_is_not_requested_is_left_to_the_music():
    values = requested()
    assert {n: values[n] for n in ("harmony", "register", "density", "loudness", "style")} == {
        "harmony": "free", "register": "free", "density": "free", "loudness": "free",
        "style": "free",
    }  # fmt: skip
    assert values["held"] == ()


def test_held_keys_and_other_controls_keep_their_values():
    values = requested(density=7.5, style="pop", held=(60, 64))
    assert (values["held"], values["density"], values["style"]) == ((60, 64), 7.5, "pop")


def test_by_default_each_stage_runs_as_the_manifest_says():
    request = make_request(PIANO, 3)
    assert (request.index, request.seed) == (3, 1)
    for stage in MANIFEST.sampled:
        asked, own = request.stages[stage.name], stage.sampling
        assert (asked.steps, asked.sampler) == (own.steps.default, PACKS_OWN)
        assert (asked.temperature, asked.guidance) == (own.temperature, own.guidance.scale)
        assert asked.keep == stage.block


@pytest.mark.parametrize(("steps", "later"), [(16, 4), (8, 2), (4, 1), (1, 1), (64, 4)])
def test_later_stages_take_their_share_of_fewer_steps_and_never_more_than_their_own(steps, later):
    notes, sound = (make_request(PIANO, 0, steps=steps).stages[n] for n in ("notes", "sound"))
    assert (notes.steps, sound.steps) == (steps, later)


@pytest.mark.parametrize(
    ("stride", "tokens"), [(1.0, 8), (0.5, 4), (0.3, 2), (0.125, 1), (0.01, 1), (2.0, 8)]
)
def test_what_is_kept_ends_on_a_frame_of_every_stage(stride, tokens):
    stages = make_request(PIANO, 0, stride=stride).stages
    assert (stages["notes"].keep, stages["sound"].keep) == (tokens, 8 * tokens)


def test_a_temperature_goes_to_the_stages_that_read_it():
    stages = make_request(PIANO, 0, temperature=0.8).stages
    assert stages["notes"].temperature == 0.8
    assert stages["sound"].temperature == MANIFEST.sampled[1].sampling.temperature


def test_a_player_requests_what_the_manifest_says():
    manifest = read_manifest(TINY)
    plan = make_plan(manifest)
    settings = settings_for(engine_settings(), manifest, 0.5)
    steps = int(settings.number("steps"))
    request = request_from(plan, settings, 0, steps, 0.5, Pace())
    assert request.stages == make_request(plan, 0, stride=0.5).stages


def test_a_request_is_the_same_after_its_way_through_the_pipe():
    request = make_request(PIANO, 7, steps=5, seed=9, controls={"held": [60], "density": 3.0})
    assert Request.from_message(json.loads(json.dumps(request.as_message()))) == request
