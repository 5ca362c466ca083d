"""The notes stage: no token hears what comes after it, it learns, and a run is taken up again."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")
mido = pytest.importorskip("mido", reason="the training extra is not installed")

from engine.notes.note import LOWEST, PITCHES, Note  # noqa: E402
from engine.representations.roll import CHANNELS, ROWS, encode  # noqa: E402
from training.data import rolls  # noqa: E402
from training.data.build import held_out  # noqa: E402
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
from training.run import Run, Schedule, read_checkpoint  # noqa: E402

pytestmark = pytest.mark.torch
TINY = NOTES["notes-tiny"]
BLOCK = TINY.network.block
TOKENS = 4 * BLOCK


def midi_file(path, seed):
    """A minute of single notes within an octave, at one of two velocities."""
    rng = np.random.default_rng(seed)
    track = mido.MidiTrack()
    for _ in range(160):
        pitch, velocity = int(rng.integers(60, 72)), int(rng.choice([40, 60, 90, 100]))
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=120))
        track.append(mido.Message("note_off", note=pitch, time=240))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(path)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A data set of a few files, built by the program itself."""
    folder = tmp_path_factory.mktemp("notes")
    (folder / "midi").mkdir()
    names = [f"work{i}" for i in range(60)]
    held = [n for n in names if held_out(n)][:1]
    for seed, name in enumerate(held + [n for n in names if not held_out(n)][:3]):
        midi_file(folder / "midi" / f"{name}.mid", seed)
    (folder / "midi" / "broken.mid").write_bytes(b"MThd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sys.argv",
            ["rolls", "--midi", str(folder / "midi"), "--out", str(folder / "data"),
             "--workers", "1"],
        )  # fmt: skip
        rolls.main()
    return folder / "data"


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


def test_conditions_are_what_a_listener_would_say():
    scale = [Note(60, 100, 0.0, 2.0), Note(67, 100, 0.4, 0.6), Note(72, 50, 0.9, 1.1)]
    roll = encode(scale, 0, 24, TOKEN).reshape(CHANNELS, PITCHES, -1)
    told = conditions(roll, 1.0, BLOCK)
    assert told.shape == (3, CONDITIONS)
    first = told[0]
    assert np.flatnonzero(first[:12]).tolist() == [0, 7], "C and G sound"
    assert first[0] == 1
    assert first[12] == 1
    assert 60 + 24 * first[13] == pytest.approx((60 + 67 + 72) / 3, abs=1e-4)
    assert 2 ** (3 * first[15]) - 0.5 == pytest.approx(3 / (24 * TOKEN), rel=1e-4)
    assert 64 + 32 * first[17] == pytest.approx(250 / 3, abs=1e-3)
    assert first[19] == 1
    assert np.flatnonzero(first[21:]).tolist() == [60 - LOWEST], "C is held through it all"
    assert told[2, 14] == told[2, 18] == 0, "nothing is struck: neither height nor force is known"


def test_what_is_left_out_is_left_out_with_its_flag():
    told = np.ones((3, CONDITIONS), np.float32)
    rng = np.random.default_rng(0)
    seen = {flag: set() for flag in (12, 14, 16, 18, 20)}
    for _ in range(60):
        out = left_free(told, rng)
        for flag, first in ((12, 0), (14, 13), (16, 15), (18, 17), (20, 19)):
            assert (out[:, first:flag] == out[:, flag : flag + 1]).all()
            seen[flag].add(float(out[0, flag]))
        assert (told == 1).all()
    assert all(values == {0.0, 1.0} for values in seen.values())


# --------------------------------------------------------------------------- network


@pytest.fixture(scope="module")
def network():
    """A network whose zero-initialised layers do something."""
    torch.manual_seed(0)
    net = NotesNet(replace(TINY.network, context_layers=2, layers=2)).eval()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.05 * torch.randn(p.shape)
    return net


@pytest.fixture
def given():
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


def believed(network, given, **changed):
    with torch.no_grad():
        b = network(*(given | changed).values())
    return torch.cat([b.onset, b.velocity, b.position, b.middle, b.end], dim=-1)[0]


def blocks_moved(network, given, **changed):
    """Which blocks' beliefs a change is heard in."""
    off = (believed(network, given) - believed(network, given, **changed)).abs()
    return [bool(off[i : i + BLOCK].max() > 1e-5) for i in range(0, TOKENS, BLOCK)]


@pytest.mark.parametrize("block", [0, 1, 2, 3])
def test_a_clean_token_is_heard_after_its_block_and_never_in_it_or_before(network, given, block):
    clean = given["clean"].clone()
    clean[:, block * BLOCK : (block + 1) * BLOCK] *= -1
    assert blocks_moved(network, given, clean=clean) == [i > block for i in range(4)]


@pytest.mark.parametrize("block", [0, 2])
def test_a_noised_token_and_its_conditions_are_heard_in_their_own_block_alone(
    network, given, block
):
    for name in ("x", "condition"):
        other = given[name].clone()
        other[:, block * BLOCK + 3] += 1
        assert blocks_moved(network, given, **{name: other}) == [i == block for i in range(4)], name


def test_every_token_of_a_block_hears_the_whole_block(network, given):
    other = given["x"].clone()
    other[:, 2 * BLOCK + BLOCK - 1] += 1
    off = (believed(network, given) - believed(network, given, x=other)).abs().amax(-1)
    assert (off[2 * BLOCK : 3 * BLOCK] > 1e-5).all()


def test_beyond_its_reach_a_block_hears_no_past(network, given):
    clean = given["clean"].clone()
    clean[:, :BLOCK] *= -1
    near = torch.tensor([0])
    off = believed(network, given, reach=near) - believed(network, given, reach=near, clean=clean)
    assert off[: 2 * BLOCK].abs().max() > 1e-5, "what each key has just done is always known"
    assert off[2 * BLOCK :].abs().max() < 1e-5


def test_the_causal_past_says_nothing_of_what_follows(network, given):
    with torch.no_grad():
        whole = network.past(given["clean"])
        part = network.past(given["clean"][:, :11])
    torch.testing.assert_close(whole[:, :11], part, atol=1e-5, rtol=1e-5)


def test_an_untrained_network_answers_what_the_cells_themselves_say():
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


def test_the_right_answer_costs_less_than_any_wrong_one():
    roll = torch.from_numpy(encode([Note(60, 80, 0.1, 0.4)], 0, BLOCK, TOKEN).T.copy())[None]
    on = roll.reshape(1, BLOCK, CHANNELS, PITCHES)

    def cost(onset, velocity, middle):
        b = Beliefs(8 * onset, velocity, on[:, :, 1], 8 * middle, 8 * on[:, :, 3])
        return [float(t.sum()) for t in cross_entropy(b, b, roll)]

    right = cost(on[:, :, 0].sign(), on[:, :, 0], on[:, :, 2])
    assert cost(-on[:, :, 0].sign(), on[:, :, 0], on[:, :, 2])[0] > right[0] + 100
    assert cost(on[:, :, 0].sign(), on[:, :, 0] - 0.5, on[:, :, 2])[0] > right[0] + 0.5
    assert cost(on[:, :, 0].sign(), on[:, :, 0], -on[:, :, 2])[1] > right[1] + 100


def test_nothing_of_the_network_is_made_on_another_device():
    # The meta device refuses tensors of others, as a GPU would, and needs no GPU.
    with torch.device("meta"):
        network = NotesNet(TINY.network)
    roll = torch.zeros(2, TOKENS, ROWS, device="meta")
    level = torch.ones(2, TOKENS, device="meta")
    told = torch.zeros(2, TOKENS, CONDITIONS, device="meta")
    reach = torch.full((2,), TOKENS, device="meta")
    beliefs = network(roll, roll, level, told, reach)
    onsets, sounding = cross_entropy(posterior(beliefs, roll, level[..., None]), beliefs, roll)
    assert onsets.shape == sounding.shape == (2, TOKENS)


def test_the_shipped_size_stays_under_six_million():
    count = sum(p.numel() for p in NotesNet(NotesConfig()).parameters())
    assert 5e6 < count < 6e6


# -------------------------------------------------------------------------------- run


def test_thirty_steps_make_the_loss_smaller(dataset):
    torch.manual_seed(0)
    task = NotesTask(TINY, "notes-tiny", dataset)
    model = NotesNet(TINY.network)
    batch = task.batch(np.random.default_rng(1), TINY.batch)
    assert batch["roll"].shape == (TINY.batch, TINY.tokens, ROWS)
    assert batch["conditions"].shape == (TINY.batch, TINY.tokens, CONDITIONS)

    def loss():
        with torch.no_grad():
            return float(task.loss(model, batch, torch.Generator().manual_seed(2)))

    first = loss()
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    noise, rng = torch.Generator().manual_seed(1), np.random.default_rng(2)
    for _ in range(30):
        optimiser.zero_grad()
        task.loss(model, task.batch(rng, TINY.batch), noise).backward()
        optimiser.step()
    assert loss() < 0.8 * first


def test_a_batch_in_bfloat16_has_nearly_the_same_loss(dataset):
    task = NotesTask(TINY, "notes-tiny", dataset)
    torch.manual_seed(0)
    model = task.network()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.02 * torch.randn(p.shape)
    batch = task.batch(np.random.default_rng(0), TINY.batch)
    losses = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = task.loss(model, batch, torch.Generator().manual_seed(0))
        assert loss.dtype == torch.float32
        model.zero_grad()
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1] != losses[0]


def test_a_run_is_taken_up_where_it_stopped_with_the_same_weights(dataset, tmp_path):
    torch.manual_seed(0)
    task = NotesTask(TINY, "notes-tiny", dataset)
    schedule = Schedule(warm_up=20, ema=400)
    run = Run(task, NotesNet(TINY.network), tmp_path, 100, schedule)
    run.go(1.0)
    state = read_checkpoint(tmp_path)
    assert state is not None
    assert state["steps"] == run.steps == 25
    assert json.loads(state["network"]) == TINY.network.as_dict()
    torch.manual_seed(9)
    again = Run(task, NotesNet(TINY.network), tmp_path, 200, schedule)
    assert again.steps == run.steps
    for mine, theirs in ((again.ema, run.ema), (again.model, run.model)):
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)
    row = dict(zip(*(line.split(",") for line in (tmp_path / "log.csv").read_text().split()),
                   strict=True))  # fmt: skip
    assert float(row["samples"]) == run.steps * TINY.batch
    assert float(row["onset_0.5"]) < float(row["onset_10"]), "less noise, fewer doubts"


def test_a_folder_that_is_no_data_set_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Build a dataset with 'python -m training\.data"):
        NotesTask(TINY, "notes-tiny", tmp_path)
