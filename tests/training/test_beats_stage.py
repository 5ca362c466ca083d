"""The notes stage on beats: which block sees what, Bayes' rule, streams, evaluation."""

import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("mido", reason="the training extra is not installed")


from training import evaluate_beats  # noqa: E402
from training.data import cells as grid  # noqa: E402
from training.data.conditions import BLOCK, WHEN, WIDTH  # noqa: E402
from training.data.scores import BEAT  # noqa: E402
from training.losses.beats import BeatsTask, levels  # noqa: E402
from training.nets.beats import BeatsConfig, BeatsNet  # noqa: E402
from training.nets.beliefs import (  # noqa: E402
    LENGTH_SPREAD,
    VELOCITY_SPREAD,
    Beliefs,
    cross_entropy,
    mean,
    posterior,
    unseen,
)
from training.nets.denoiser import Denoiser, Prior  # noqa: E402
from training.nets.keys import echo, recent  # noqa: E402
from training.recipes.beats import BEATS  # noqa: E402
from training.run import Run  # noqa: E402
from training.sample_beats import Sampling, Streams, in_seconds  # noqa: E402
from training.weights import write_weights  # noqa: E402

pytestmark = pytest.mark.torch
TINY = BEATS["beats-tiny"]
TOKENS = 24
BLOCKS = TOKENS // BLOCK


@pytest.fixture(scope="module")
def dataset(datasets):
    return datasets("beats")


@pytest.fixture(scope="module")
def network():
    """A network whose zero-initialised layers do something."""
    torch.manual_seed(0)
    net = BeatsNet(TINY.network).eval()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.05 * torch.randn(p.shape)
    return net


@pytest.fixture
def batch():
    """One excerpt of six blocks of random cells."""
    g = torch.Generator().manual_seed(3)
    past = torch.zeros(1, TOKENS, 4, 88)
    past[:, :, 0] = torch.where(torch.rand(1, TOKENS, 88, generator=g) < 0.05, 1.0, -1.0)
    past[:, :, 2:] = torch.rand(1, TOKENS, 2, 88, generator=g)
    known = torch.zeros(1, TOKENS, 4, 88)
    known[:, 10] = 1
    return {
        "x": torch.randn(1, TOKENS, 3, 88, generator=g), "past": past,
        "when": torch.randn(1, TOKENS, WHEN, generator=g),
        "bar": torch.full((1, TOKENS), 4), "echo": torch.ones(1, 3),
        "conditions": 0.3 * torch.randn(1, BLOCKS, WIDTH, generator=g), "known": known,
    }  # fmt: skip


def believed(network, batch):
    x = batch["x"]
    rest = {k: v for k, v in batch.items() if k != "x"}
    with torch.no_grad():
        _, b = network(x, torch.ones(*x.shape[:2], 1), rest)
    return torch.cat([torch.stack([b.onset, b.velocity, b.length], 2), b.places], 2)[0]


def blocks_moved(network, batch, **changed):
    """The blocks whose beliefs a change reaches."""
    off = (believed(network, batch) - believed(network, batch | changed)).abs()
    return [i for i in range(BLOCKS) if off[i * BLOCK : (i + 1) * BLOCK].max() > 1e-5]


# -------------------------------------------------------------------------- which block sees what


@pytest.mark.parametrize("block", [0, 2, 5])
def test_a_clean_token_reaches_later_blocks_and_never_its_own_or_earlier_ones(
    network, batch, block
):
    past = batch["past"].clone()
    past[:, block * BLOCK : (block + 1) * BLOCK] += 0.5
    moved = blocks_moved(network, batch, past=past)
    assert moved == list(range(block + 1, BLOCKS))


@pytest.mark.parametrize("name", ["x", "conditions"])
def test_a_noisy_token_and_its_conditions_reach_their_own_block_alone(network, batch, name):
    other = batch[name].clone()
    other[:, 2 if name == "conditions" else 2 * BLOCK + 3] += 1
    assert blocks_moved(network, batch, **{name: other}) == [2]


def test_known_cells_reach_the_blocks_before_them_as_far_as_the_horizon(network, batch):
    known = batch["known"].clone()
    known[:, 18, 1:] += 1
    known[:, 18, 0] = 1
    assert TINY.network.ahead == 8
    assert blocks_moved(network, batch, known=known) == [3, 4]
    nothing = torch.zeros_like(known)
    assert blocks_moved(network, batch, known=nothing)[-1] == 2, "a known cell is not a past"


def test_a_block_sees_no_further_back_than_its_memory(batch):
    torch.manual_seed(1)
    short = replace(TINY.network, memory=8, window=2, context_layers=1)
    net = BeatsNet(short).eval()
    with torch.no_grad():
        for p in net.prior_layers.parameters():
            p += 0.05 * torch.randn(p.shape)
    batch["echo"] = torch.zeros(1, 3)
    past = batch["past"].clone()
    past[:, :BLOCK] += 0.5
    moved = blocks_moved(net, batch | {"known": torch.zeros(1, TOKENS, 4, 88)}, past=past)
    assert 1 in moved
    net.recent.weight.data.zero_()
    net.key_head.down.weight.data.zero_()
    assert max(blocks_moved(net, batch, past=past)) <= 3


def test_reading_in_pieces_gives_the_memory_of_reading_at_once(network, batch):
    past, when = batch["past"], batch["when"]
    with torch.no_grad():
        whole = network.read(past, when)
        memory = None
        for begin in range(0, TOKENS, BLOCK):
            own = slice(begin, begin + BLOCK)
            memory = network.trimmed(network.read(past[:, own], when[:, own], memory))
    assert memory.position == whole.position == TOKENS
    for pieces, once in zip(memory.prior, network.trimmed(whole).prior, strict=True):
        for a, b in zip(pieces, once, strict=True):
            assert a.shape[2] == TINY.network.memory
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_block_alone_with_its_memory_has_the_beliefs_it_has_within_the_excerpt(network, batch):
    batch["known"] = torch.zeros_like(batch["known"])
    first = 5 * BLOCK
    own = slice(first, first + BLOCK)
    at = torch.arange(first, first + BLOCK)
    before = batch["past"][:, :first]
    with torch.no_grad():
        memory = network.trimmed(network.read(before, batch["when"][:, :first]))
        prior = network.prior(
            {
                "when": batch["when"][:, own], "conditions": batch["conditions"][:, 5:6],
                "echo": echo(before, batch["bar"][:, own], at, batch["echo"]),
                "recent": recent(before, at[:1]), "known": batch["known"][:, own],
            },
            [[pair] for pair in memory.prior],
            at,
        )  # fmt: skip
        alone = network.denoise(batch["x"][:, own], torch.ones(1, BLOCK, 1), prior)
    torch.testing.assert_close(
        alone.onset[0], believed(network, batch)[own, 0], atol=1e-4, rtol=1e-4
    )


def test_the_echo_is_the_same_key_one_two_and_four_bars_before():
    past = torch.zeros(1, 40, 4, 88)
    past[:, :, 0] = -1
    past[0, 8, 0, 5], past[0, 8, 2, 5] = 1.2, 0.3
    bar = torch.full((1, 4), 8)
    for after, lag in ((16, 0), (24, 1), (40, 2)):
        out = echo(past, bar, torch.arange(after, after + 4), torch.ones(1, 3))[0]
        assert out[0, :, 5].tolist() == pytest.approx(
            [0.0] * 2 * lag + [1, 0.3] + [0.0] * (4 - 2 * lag)
        )
        assert not out[1:].any()
    silenced = echo(past, bar, torch.arange(16, 20), torch.tensor([[0.0, 1.0, 1.0]]))
    assert not silenced.any()
    short = echo(past, torch.full((1, 4), 2), torch.arange(12, 16), torch.ones(1, 3))
    assert short[0, 0, 0, 5] == 1, "a bar shorter than a block counts twice"


def test_nothing_of_the_network_is_on_another_device():
    # The meta device refuses tensors of others, as a GPU would, and needs no GPU.
    with torch.device("meta"):
        network = BeatsNet(TINY.network)
        task_batch = {
            "past": torch.zeros(2, TOKENS, 4, 88), "when": torch.zeros(2, TOKENS, WHEN),
            "bar": torch.ones(2, TOKENS, dtype=torch.long), "echo": torch.ones(2, 3),
            "conditions": torch.zeros(2, BLOCKS, WIDTH),
        }  # fmt: skip
        x, sigma = torch.zeros(2, TOKENS, 3, 88), torch.ones(2, TOKENS, 1)
    with pytest.MonkeyPatch.context() as patch:
        # the chunks of a pattern depend on values, which the meta device has not
        patch.setattr("training.nets.beats.pattern", lambda mask: None)
        prior, beliefs = network(x, sigma, task_batch)
    assert unseen(prior).places.shape == (2, TOKENS, 4, 88)
    found = posterior(beliefs, x, sigma[:, :, None])
    onset, place, value = cross_entropy(found, beliefs, x)
    assert onset.shape == place.shape == value.shape == (2, TOKENS)


def test_the_part_that_every_step_runs_stays_small():
    net = BeatsNet(BeatsConfig())
    assert sum(p.numel() for p in net.parameters()) < 12e6
    assert sum(p.numel() for p in net.denoise.parameters()) < 1e6


# ------------------------------------------------------------------------------ keys together


def chords(count, generator):
    """Blocks with one of two chords in a token: four keys that sound together or not at all."""
    clean = torch.zeros(1, count * BLOCK, 3, 88)
    clean[:, :, grid.ONSET] = -1
    which = torch.randint(0, 2, (count,), generator=generator)
    for block, chord in enumerate(which.tolist()):
        clean[0, block * BLOCK, grid.ONSET, [40 + chord, 44 + chord, 47 + chord, 52 + chord]] = 1.0
    return clean


def test_keys_of_a_block_learn_from_each_other_which_chord_it_is():
    # The prior knows that it is one of two chords; only the keys together know which.
    g = torch.Generator().manual_seed(4)
    torch.manual_seed(4)
    output = torch.zeros(BLOCK, 7, 88)
    output[:, 0], output[:, 1] = -9.0, 1.0
    output[0, 0, [40, 41, 44, 45, 47, 48, 52, 53]] = 0.0
    net = Denoiser(32, 1, 16)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)

    def nats(count, *, learnt, sigma=1.5):
        prior = Prior(output.repeat(count, 1, 1)[None], torch.zeros(1, count * BLOCK, 32))
        clean = chords(count, g)
        level = torch.full((*clean.shape[:2], 1), sigma)
        x = clean + sigma * torch.randn(clean.shape, generator=g)
        beliefs = net(x, level, prior) if learnt else prior.beliefs
        found = posterior(beliefs, x, level[:, :, None])
        return cross_entropy(found, beliefs, clean)[0].sum() / count

    for _ in range(60):
        loss = nats(16, learnt=True)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        together, alone = (float(nats(256, learnt=learnt)) for learnt in (True, False))
    assert together < 0.4 * alone


def test_the_effect_of_one_key_on_another_depends_on_their_interval_alone():
    torch.manual_seed(5)
    net = Denoiser(32, 2, 16)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.05 * torch.randn(p.shape)
        net.placed.zero_()
    output = torch.zeros(1, BLOCK, 7, 88)
    output[:, :, 0] = -8.0
    output[:, 1, 0, [40, 44, 47]] = 0.0
    x = torch.zeros(1, BLOCK, 3, 88)
    x[:, :, grid.ONSET] = -1
    x[:, 1, grid.ONSET, 40] = 1.0
    hidden, level = torch.randn(1, BLOCK, 32), torch.ones(1, BLOCK, 1)
    with torch.no_grad():
        here = net(x, level, Prior(output, hidden)).onset
        there = net(x.roll(3, -1), level, Prior(output.roll(3, -1), hidden)).onset
    # the keys at both ends see the edge of the keyboard
    torch.testing.assert_close(there[..., 34:60], here[..., 31:57], atol=1e-4, rtol=1e-4)


def test_some_blocks_have_one_level_and_others_cells_of_two():
    preset = replace(TINY, mixed=0.5)
    found = levels(preset, 8, 50, torch.Generator().manual_seed(0))
    assert found.shape == (8, 50 * BLOCK, 88)
    assert found.min() >= preset.sigma_min
    assert found.max() <= preset.sigma_max
    values = [set(block.unique().tolist()) for block in found.reshape(-1, BLOCK * 88)]
    several = [v for v in values if len(v) > 1]
    two = set(torch.tensor([preset.sigma_min, preset.sigma_blind]).tolist())
    assert all(v == two for v in several)
    assert 0.35 < len(several) / len(values) < 0.55


def test_an_untrained_denoiser_returns_the_prior():
    net = Denoiser(32, 2, 16)
    output = torch.randn(1, 8, 7, 88)
    x, level = torch.randn(1, 8, 3, 88), torch.ones(1, 8, 1)
    beliefs = net(x, level, Prior(output, torch.randn(1, 8, 32)))
    torch.testing.assert_close(beliefs.onset, output[:, :, 0])
    torch.testing.assert_close(beliefs.places, output[:, :, 3:])


# ------------------------------------------------------------------------------ Bayes' rule


def normal(x, centre, variance):
    return np.exp(-((x - centre) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0])
def test_the_posterior_is_bayes_rule_by_brute_force(sigma):
    rng = np.random.default_rng(int(sigma * 10))
    onset, velocity, length = -1.0, 0.9, 0.2
    logits = np.array([0.5, -1.0, 1.5, 0.2])
    x = np.array([0.1, -0.6, 0.3]) + 0.3 * rng.normal(size=3)
    prior = 1 / (1 + np.exp(-onset))
    places = np.exp(logits) / np.exp(logits).sum()
    fine = np.linspace(-3, 4, 4001)
    s2 = sigma**2
    of_velocity = normal(fine, velocity, VELOCITY_SPREAD**2) * normal(x[0], fine, s2)
    of_length = normal(fine, length, LENGTH_SPREAD**2) * normal(x[2], fine, s2)
    of_place = places * normal(x[1], np.array(grid.PLACE_VALUES), s2)
    step = fine[1] - fine[0]
    struck = prior * of_velocity.sum() * step * of_length.sum() * step * of_place.sum()
    silent = (1 - prior) * normal(x[0], -1, s2) * normal(x[1], 0, s2) * normal(x[2], 0, s2)
    weight = struck / (struck + silent)
    expected = [
        weight * (of_velocity * fine).sum() / of_velocity.sum() - (1 - weight),
        weight * (of_place * grid.PLACE_VALUES).sum() / of_place.sum(),
        weight * (of_length * fine).sum() / of_length.sum(),
    ]
    full = torch.ones(1, 1, 88)
    beliefs = Beliefs(
        full * onset, full * velocity, full * length,
        torch.tensor(logits, dtype=torch.float32)[:, None].expand(1, 1, 4, 88),
    )  # fmt: skip
    noisy = torch.tensor(x, dtype=torch.float32)[:, None].expand(1, 1, 3, 88)
    found = posterior(beliefs, noisy, torch.full((1, 1, 1, 1), sigma))
    assert mean(found)[0, 0, :, 0].tolist() == pytest.approx(expected, abs=2e-4)
    assert float(torch.sigmoid(found.onset)[0, 0, 0]) == pytest.approx(weight, abs=1e-4)


def test_right_beliefs_cost_less_than_any_wrong_ones():
    notes = np.array([[2 + BEAT, BEAT, 60, 80]])
    clean = torch.from_numpy(grid.encode(notes, 0, 8)[None, :, :3])
    on = torch.where(clean[:, :, 0] > 0, 8.0, -8.0)
    places = torch.zeros(1, 8, 4, 88)
    places[:, :, 3] = 6.0  # the triplet after the grid
    right = Beliefs(on, clean[:, :, 0], clean[:, :, 2], places.log_softmax(2))

    def cost(**wrong):
        b = replace(right, **wrong)
        return [float(t.sum()) for t in cross_entropy(b, b, clean)]

    least = cost()
    assert least[1] < 0.1
    assert cost(onset=-on)[0] > least[0] + 100
    assert cost(velocity=right.velocity - 0.5)[2] > least[2] + 3
    assert cost(length=right.length + 0.5)[2] > least[2] + 1
    assert cost(places=torch.zeros(1, 8, 4, 88).log_softmax(2))[1] > least[1] + 1
    known = (clean[:, :, 0] > 0).float()
    rest = [float(t.sum()) for t in cross_entropy(replace(right, onset=-on), right, clean, known)]
    assert rest[1:] == [0, 0], "what is known does not count"


# ------------------------------------------------------------------------------ streams


def played(network, seed, beats=6):
    streams = Streams(network, [16, 12], [90.0, 120.0], seed, Sampling(steps=4))
    streams.play(beats)
    return streams


def test_streams_depend_on_their_seed_alone_and_hold_only_valid_cells(network):
    a, b, c = played(network, 1), played(network, 1), played(network, 2)
    assert torch.equal(a.cells, b.cells)
    assert not torch.equal(a.cells, c.cells)
    on = a.cells[:, :, grid.ONSET] > 0
    assert set(a.cells[:, :, grid.PLACE].unique().tolist()) <= set(grid.PLACE_VALUES)
    assert not a.cells[:, :, grid.LENGTH][~on].any()
    assert (a.cells[:, :, grid.SOUNDING][on] == 1).all()
    row, _ = grid.sounding(a.cells[0].numpy(), np.zeros(88, np.int64))
    assert np.array_equal(row, a.cells[0, :, grid.SOUNDING].numpy())


def test_notes_lie_in_seconds_where_the_tempo_puts_them():
    notes = np.array([[0, 24, 60, 80], [48, 12, 62, 90]])
    assert in_seconds(notes, 120.0).tolist() == [[60, 80, 0, 0.5], [62, 90, 1, 1.25]]
    slower = in_seconds(notes, np.array([120.0, 120.0, 60.0, 60.0, 60.0]))
    assert slower[:, 2].tolist() == [0, 1.5]


def test_an_evaluation_prints_streams_beside_held_out_works(
    dataset, network, tmp_path, monkeypatch, capsys
):
    task = BeatsTask(TINY, "beats-tiny", dataset)
    Run(task, network, tmp_path, 1000, TINY.schedule).save()
    stats = tmp_path / "stats.py"
    stats.write_text(
        "def statistics(notes, seconds):\n    return {'notes/s': len(notes) / seconds}\n"
    )
    monkeypatch.setattr(evaluate_beats, "CHUNK", 10.0)
    monkeypatch.setattr(evaluate_beats, "SKIP", 2.0)
    monkeypatch.setattr(
        sys, "argv", ["evaluate", str(tmp_path), "--stats", str(stats), "--data", str(dataset),
                      "--minutes", "0.1", "--streams", "3", "--works", "2", "--steps", "2"],
    )  # fmt: skip
    evaluate_beats.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| measure | streams (")
    assert "held-out works (" in lines[0]
    assert any(line.startswith("| notes/s |") for line in lines)


def test_written_weights_are_those_of_the_run_in_float16(dataset, network, tmp_path):
    task = BeatsTask(TINY, "beats-tiny", dataset)
    Run(task, network, tmp_path / "run", 1000, TINY.schedule).save()
    write_weights(tmp_path / "run", tmp_path / "out")
    again = evaluate_beats.network(tmp_path / "out")
    assert again.config == TINY.network
    for name, own in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], own, atol=1e-3, rtol=1e-3)
    assert not list((tmp_path / "out").glob("*.pt"))


def test_a_folder_without_a_checkpoint_says_how_to_train_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"training\.train beats"):
        evaluate_beats.network(tmp_path)
