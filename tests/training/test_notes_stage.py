"""The notes stage: its data and conditions, which block sees what, and Bayes' rule."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")
mido = pytest.importorskip("mido", reason="the training extra is not installed")

from engine.notes.note import LOWEST, PITCHES, Note  # noqa: E402
from engine.representations.roll import CHANNELS, ROWS, encode  # noqa: E402
from training.data.rolls import TOKEN, Rolls, conditions, left_free  # noqa: E402
from training.losses.notes import NotesTask  # noqa: E402
from training.nets.notes import (  # noqa: E402
    CONDITIONS,
    Beliefs,
    NotesConfig,
    NotesNet,
    cross_entropy,
    posterior,
)
from training.recipes.notes import NOTES  # noqa: E402

pytestmark = pytest.mark.torch
TINY = NOTES["notes-tiny"]
BLOCK = TINY.network.block
TOKENS = 4 * BLOCK


@pytest.fixture(scope="module")
def dataset(datasets):
    return datasets("notes")


# ------------------------------------------------------------------------------ data


def test_works_are_read_once_and_held_out_whole(dataset):
    pieces = json.loads((dataset / "index.json").read_text())["pieces"]
    assert [p["split"] for p in pieces].count("held") == 1
    assert len(pieces) == 4, "what cannot be read is left out"
    table = np.load(dataset / "notes.npy")
    assert [p["count"] for p in pieces] == [160] * 4
    assert len(table) == 640
    assert set(table[:, 0]) <= set(range(60, 72))


def test_an_excerpt_is_a_roll_of_the_work_and_says_what_it_is(dataset):
    drawn = Rolls(dataset, "held", TOKENS, BLOCK)
    table = np.load(dataset / "notes.npy")
    piece = next(p for p in json.loads((dataset / "index.json").read_text())["pieces"]
                 if p["split"] == "held")  # fmt: skip
    own = table[piece["offset"] : piece["offset"] + piece["count"]]
    roll, style = drawn.excerpt(np.random.default_rng(4))
    onsets = np.argwhere(roll.reshape(CHANNELS, PITCHES, -1)[0].T > 0)  # (token, row), in time
    pitches = "".join(chr(int(p)) for p in own[:, 0])
    assert "".join(chr(r + LOWEST) for _, r in onsets) in pitches
    assert len(onsets) >= 4
    assert style == -1.0


def test_conditions_describe_the_music_as_a_listener_would():
    scale = [Note(60, 100, 0.0, 2.0), Note(67, 100, 0.4, 0.6), Note(72, 50, 0.9, 1.1)]
    roll = encode(scale, 0, 24, TOKEN).reshape(CHANNELS, PITCHES, -1)
    found = conditions(roll, 1.0, BLOCK)
    assert found.shape == (3, CONDITIONS)
    first = found[0]
    assert np.flatnonzero(first[:12]).tolist() == [0, 7], "C and G sound"
    assert first[0] == 1
    assert first[12] == 1
    assert 60 + 24 * first[13] == pytest.approx((60 + 67 + 72) / 3, abs=1e-4)
    assert 2 ** (3 * first[15]) - 0.5 == pytest.approx(3 / (24 * TOKEN), rel=1e-4)
    assert 64 + 32 * first[17] == pytest.approx(250 / 3, abs=1e-3)
    assert first[19] == 1
    assert np.flatnonzero(first[21:]).tolist() == [60 - LOWEST], "C is held through it all"
    assert found[2, 14] == found[2, 18] == 0, "nothing is struck: neither height nor force is known"


def test_a_free_condition_is_zero_with_its_flag():
    all_set = np.ones((3, CONDITIONS), np.float32)
    rng = np.random.default_rng(0)
    seen = {flag: set() for flag in (12, 14, 16, 18, 20)}
    for _ in range(60):
        out = left_free(all_set, rng)
        for flag, first in ((12, 0), (14, 13), (16, 15), (18, 17), (20, 19)):
            assert (out[:, first:flag] == out[:, flag : flag + 1]).all()
            seen[flag].add(float(out[0, flag]))
        assert (all_set == 1).all()
    assert all(values == {0.0, 1.0} for values in seen.values())


# --------------------------------------------------------------------------- network


@pytest.fixture(scope="module")
def network():
    """A network with weights that are not zero where they begin as zero."""
    torch.manual_seed(0)
    net = NotesNet(replace(TINY.network, context_layers=2, layers=2)).eval()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.05 * torch.randn(p.shape)
    return net


@pytest.fixture
def excerpt():
    """Inputs of an excerpt of four blocks."""
    g = torch.Generator().manual_seed(3)
    clean = torch.where(torch.rand(1, TOKENS, ROWS, generator=g) < 0.05, 1.0, -1.0)
    return {
        "clean": clean,
        "x": clean + torch.randn(clean.shape, generator=g),
        "sigma": torch.ones(1, TOKENS),
        "condition": 0.3 * torch.randn(1, TOKENS, CONDITIONS, generator=g),
        "reach": torch.tensor([TOKENS]),
    }


def believed(network, excerpt, **changed):
    with torch.no_grad():
        b = network(*(excerpt | changed).values())
    return torch.cat([b.onset, b.velocity, b.position, b.middle, b.end], dim=-1)[0]


def blocks_moved(network, excerpt, **changed):
    """The blocks whose beliefs a change reaches."""
    off = (believed(network, excerpt) - believed(network, excerpt, **changed)).abs()
    return [bool(off[i : i + BLOCK].max() > 1e-5) for i in range(0, TOKENS, BLOCK)]


@pytest.mark.parametrize("block", [0, 1, 2, 3])
def test_a_clean_token_reaches_later_blocks_and_never_its_own_or_earlier_ones(
    network, excerpt, block
):
    clean = excerpt["clean"].clone()
    clean[:, block * BLOCK : (block + 1) * BLOCK] *= -1
    assert blocks_moved(network, excerpt, clean=clean) == [i > block for i in range(4)]


@pytest.mark.parametrize("block", [0, 2])
def test_a_noisy_token_and_its_conditions_reach_their_own_block_alone(network, excerpt, block):
    for name in ("x", "condition"):
        other = excerpt[name].clone()
        other[:, block * BLOCK + 3] += 1
        assert blocks_moved(network, excerpt, **{name: other}) == [i == block for i in range(4)], (
            name
        )


def test_every_token_of_a_block_sees_the_whole_block(network, excerpt):
    other = excerpt["x"].clone()
    other[:, 2 * BLOCK + BLOCK - 1] += 1
    off = (believed(network, excerpt) - believed(network, excerpt, x=other)).abs().amax(-1)
    assert (off[2 * BLOCK : 3 * BLOCK] > 1e-5).all()


def test_beyond_its_reach_a_block_sees_no_past(network, excerpt):
    clean = excerpt["clean"].clone()
    clean[:, :BLOCK] *= -1
    near = torch.tensor([0])
    off = believed(network, excerpt, reach=near) - believed(
        network, excerpt, reach=near, clean=clean
    )
    assert off[: 2 * BLOCK].abs().max() > 1e-5, "what each key has just done is always known"
    assert off[2 * BLOCK :].abs().max() < 1e-5


def test_the_past_is_read_causally(network, excerpt):
    with torch.no_grad():
        whole = network.past(excerpt["clean"])
        part = network.past(excerpt["clean"][:, :11])
    torch.testing.assert_close(whole[:, :11], part, atol=1e-5, rtol=1e-5)


def test_an_untrained_network_returns_the_evidence_of_the_noisy_cells():
    torch.manual_seed(0)
    net = NotesNet(TINY.network)
    roll = encode([Note(60, 80, 0.1, 0.4), Note(72, 100, 0.5, 2)], 0, TOKENS, TOKEN)
    clean = torch.from_numpy(roll.T.copy())[None]
    level = torch.full((1, TOKENS), 0.2)
    x = clean + 0.2 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        beliefs = net(clean, x, level, torch.zeros(1, TOKENS, CONDITIONS), torch.tensor([TOKENS]))
        x0 = posterior(beliefs, x, level[..., None]).mean()
    assert torch.equal(x0[..., :PITCHES] > -0.5, clean[..., :PITCHES] > 0)
    assert (x0[..., 2 * PITCHES :] - clean[..., 2 * PITCHES :]).abs().max() < 0.1


def test_the_posterior_weighs_belief_and_cell_by_the_noise():
    flat = torch.zeros(1, 1, PITCHES)
    sure = Beliefs(flat + 6, flat + 1.0, flat + 0.5, flat + 6, flat - 6)
    x = torch.full((1, 1, ROWS), -1.0)
    loud = posterior(sure, x, torch.full((1, 1, 1), 10.0)).mean().reshape(CHANNELS, PITCHES)
    soft = posterior(sure, x, torch.full((1, 1, 1), 0.1)).mean().reshape(CHANNELS, PITCHES)
    assert loud[0, 0] > 0.9, "in noise the belief is all there is"
    assert soft[0, 0] < -0.9, "without noise the cell is"
    assert loud[2, 0] > 0.9 > -0.9 > soft[2, 0]
    assert loud[3, 0] < -0.9


def test_right_beliefs_cost_less_than_any_wrong_ones():
    roll = torch.from_numpy(encode([Note(60, 80, 0.1, 0.4)], 0, BLOCK, TOKEN).T.copy())[None]
    on = roll.reshape(1, BLOCK, CHANNELS, PITCHES)

    def cost(onset, velocity, middle):
        b = Beliefs(8 * onset, velocity, on[:, :, 1], 8 * middle, 8 * on[:, :, 3])
        return [float(t.sum()) for t in cross_entropy(b, b, roll)]

    right = cost(on[:, :, 0].sign(), on[:, :, 0], on[:, :, 2])
    assert cost(-on[:, :, 0].sign(), on[:, :, 0], on[:, :, 2])[0] > right[0] + 100
    assert cost(on[:, :, 0].sign(), on[:, :, 0] - 0.5, on[:, :, 2])[0] > right[0] + 0.5
    assert cost(on[:, :, 0].sign(), on[:, :, 0], -on[:, :, 2])[1] > right[1] + 100


def test_nothing_of_the_network_is_on_another_device():
    # The meta device refuses tensors of others, as a GPU would, and needs no GPU.
    with torch.device("meta"):
        network = NotesNet(TINY.network)
    roll = torch.zeros(2, TOKENS, ROWS, device="meta")
    level = torch.ones(2, TOKENS, device="meta")
    condition = torch.zeros(2, TOKENS, CONDITIONS, device="meta")
    reach = torch.full((2,), TOKENS, device="meta")
    beliefs = network(roll, roll, level, condition, reach)
    onsets, sounding = cross_entropy(posterior(beliefs, roll, level[..., None]), beliefs, roll)
    assert onsets.shape == sounding.shape == (2, TOKENS)


def test_the_shipped_size_stays_under_six_million():
    count = sum(p.numel() for p in NotesNet(NotesConfig()).parameters())
    assert 5e6 < count < 6e6


def test_a_folder_without_a_dataset_is_refused_with_how_to_build_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Build a dataset with 'python -m training\.data"):
        NotesTask(TINY, "notes-tiny", tmp_path)
