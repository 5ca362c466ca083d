"""Packs of every kind of plan: they play, and going back, forking and recalling are exact."""

import numpy as np
import pytest
from made_packs import (
    beat_roll,
    coarse_and_fine_codes,
    latent,
    latent_with_diffusion_decoder,
    low_rate_and_upsampler,
    mdct,
    mel_and_vocoder,
    stereo_waveform,
    text_prompt,
)

from engine.execution.executor import make_executor
from engine.packs.read import read_manifest
from engine.stream.requests import make_request
from engine.stream.walk import PlanWalk

PACKS = (
    stereo_waveform,
    latent,
    latent_with_diffusion_decoder,
    mel_and_vocoder,
    low_rate_and_upsampler,
    mdct,
    coarse_and_fine_codes,
    text_prompt,
    beat_roll,
)
TWO_MINUTES = 120


@pytest.fixture(scope="module", params=PACKS, ids=lambda make: make.__name__)
def pack(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("pack"))


@pytest.fixture
def walk(pack):
    return PlanWalk(read_manifest(pack), make_executor("cpu", 1))


def played(walk, blocks, first=0, **asked):
    made = [walk.make(make_request(walk.plan, first + i, **asked)) for i in range(blocks)]
    assert not any(m.faults for m in made)
    return np.concatenate([m.samples for m in made])


def test_two_minutes_are_played_with_every_sample_finite_and_not_silent(walk):
    rate, channels = walk.manifest.rate, walk.manifest.channels
    seconds, levels, stride = 0.0, [], 0
    while seconds < TWO_MINUTES:
        samples = played(walk, 1, stride=(1.0, 0.5)[stride % 2])
        stride += 1
        assert samples.shape[1] == channels
        assert np.isfinite(samples).all()
        seconds += len(samples) / rate
        if len(samples):
            levels.append(float(np.abs(samples).max()))
    assert min(levels[4:]) > 1e-4


def test_a_stream_that_goes_back_repeats_itself_to_the_bit(walk):
    played(walk, 3)
    state = walk.state()
    first = played(walk, 6, first=3, stride=0.5)
    walk.restore(state)
    np.testing.assert_array_equal(played(walk, 6, first=3, stride=0.5), first)


def test_a_fork_begins_alike_and_goes_elsewhere(walk):
    played(walk, 3)
    state = walk.state()
    first = played(walk, 12)
    walk.restore(state)
    other = played(walk, 12, seed=2)
    assert not np.array_equal(first, other)


def test_another_process_recalls_a_state_to_the_bit(walk, pack):
    played(walk, 5, stride=0.5)
    state = {name: array.copy() for name, array in walk.state().items()}
    expected = played(walk, 5)
    other = PlanWalk(read_manifest(pack), make_executor("cpu", 1))
    other.restore(state)
    np.testing.assert_array_equal(played(other, 5), expected)


def test_texts_with_weights_are_blended_and_other_texts_are_other_music(tmp_path):
    walk = PlanWalk(read_manifest(text_prompt(tmp_path)), make_executor("cpu", 1))
    start = walk.state()
    found = []
    for prompt in ("piano", "fast piano", (("piano", 1.0), ("fast piano", 2.0))):
        walk.restore(start)
        found.append(played(walk, 3, controls={"prompt": prompt}))
    one, other, both = found
    assert not np.allclose(one, other, atol=1e-3)
    assert not np.allclose(one, both, atol=1e-3)
    assert not np.allclose(other, both, atol=1e-3)


def test_a_text_pack_passes_its_self_test_and_its_state_needs_no_tokenizer_again(tmp_path):
    manifest = read_manifest(text_prompt(tmp_path))
    walk = PlanWalk(manifest, make_executor("cpu", 1))
    walk.warm_up()
    played(walk, 2, controls={"prompt": "slow rain"})
    assert sum("prompt/prompt/" in name for name in walk.state()) == 2
    walk.restore(walk.state())
