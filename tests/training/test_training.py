"""The recipe end to end at its smallest: dataset, run, resume, export, parity."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from engine.execution.executor import make_executor  # noqa: E402
from engine.packs.read import read_manifest  # noqa: E402
from engine.representations.log_scale import LogScale  # noqa: E402
from engine.representations.stft import Stft  # noqa: E402
from engine.stream.walk import PlanWalk  # noqa: E402
from training.data import build  # noqa: E402
from training.data.blocks import Blocks, SpectrogramConfig, normalised  # noqa: E402
from training.edm import SIGMA_DATA, Denoiser, edm_loss  # noqa: E402
from training.nets.unet import UNet, UNetConfig, patches, unpatched  # noqa: E402
from training.recipes.piano import PRESETS  # noqa: E402
from training.train import Trainer  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Recordings of decaying chords, through the same command a user types."""
    folder = tmp_path_factory.mktemp("audio")
    rng = np.random.default_rng(0)
    for i in range(24):
        t = np.arange(8 * 22050) / 22050
        x = np.zeros_like(t)
        for start in np.arange(0, 8, 0.5):
            age = np.maximum(t - start, 0)
            for f in 110 * 2 ** (rng.integers(0, 36, 3) / 12):
                x += 0.1 * np.sin(2 * np.pi * f * age) * np.exp(-3 * age) * (t >= start)
        soundfile.write(folder / f"piece{i}.wav", x, 22050)
    out = tmp_path_factory.mktemp("data")
    arguments = ["build", "--audio", str(folder), "--out", str(out), "--rate", "8000"]
    old, sys.argv = sys.argv, [*arguments, "--hours", "0.1", "--workers", "1"]
    try:
        build.main()
    finally:
        sys.argv = old
    return out


def test_the_split_is_by_work_and_nothing_is_on_both_sides(dataset):
    index = json.loads((dataset / "index.json").read_text())
    names = {s: {p["name"] for p in index["pieces"] if p["split"] == s} for s in ("train", "held")}
    assert names["train"]
    assert names["held"]
    assert not names["train"] & names["held"]


def test_training_sees_what_the_engine_plays(dataset):
    """The two implementations of the normalised spectrogram agree to float32."""
    config = SpectrogramConfig(rate=8000, window=128, hop=32, frames=32)
    blocks = Blocks(dataset, "train", config)
    norm = blocks.measure(np.random.default_rng(0), 40)
    x = blocks.excerpt(np.random.default_rng(1), 32)
    ours = normalised(blocks.spectrogram(torch.from_numpy(x)[None]), norm)[0, 0].numpy()
    stft = Stft(128, 32)
    coding = LogScale(stft.bins, stft.ceiling, 64, config.floor, norm.mean, norm.scale)
    engines = coding.encode(np.abs(stft.forward(x)))
    np.testing.assert_allclose(engines, ours, atol=2e-4)
    many = normalised(blocks.batch(np.random.default_rng(2), 32, 1), norm)
    assert float(many.std()) == pytest.approx(SIGMA_DATA, rel=0.15)


def test_a_run_learns_stops_and_goes_on_where_it_stopped(dataset, tmp_path):
    torch.set_num_threads(1)
    preset = PRESETS["tiny"]
    trainer = Trainer(preset, "tiny", dataset, tmp_path, samples=600, device="cpu")
    before = trainer.validate()["held"]
    trainer.go(save_minutes=10)
    after = trainer.validate()["held"]
    assert after < 0.95 * before
    again = Trainer(preset, "tiny", dataset, tmp_path, samples=1200, device="cpu")
    assert (again.samples, again.steps) == (trainer.samples, trainer.steps)
    assert again.validate()["held"] == pytest.approx(after, rel=1e-5)
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert float(rows[-1]["held"]) == pytest.approx(after, rel=1e-3)


def test_a_checkpoint_becomes_a_pack_that_computes_the_same(dataset, tmp_path):
    from export.checkpoint import read_checkpoint
    from export.pack import PARITY, Card, write_pack

    torch.set_num_threads(1)
    trainer = Trainer(PRESETS["tiny"], "tiny", dataset, tmp_path, samples=120, device="cpu")
    trainer.go(save_minutes=10)
    card = Card("own", "My own", "CC0-1.0", ("Me, CC0",), steps=4)
    checkpoint = read_checkpoint(tmp_path / "checkpoint.pt")
    worst = write_pack(checkpoint, card, tmp_path / "own")
    assert worst <= PARITY
    manifest = read_manifest(tmp_path / "own")
    assert manifest.credits == ("Me, CC0",)
    (stage,) = PlanWalk(manifest, make_executor()).diffusion.values()
    graphs = stage.graphs
    nothing = graphs.run_context(graphs.zeros())

    def denoised(x, alpha, sigma):
        level = {"alpha": np.float32([alpha]), "sigma": np.float32([sigma])}
        return graphs.main.run(graphs.feed(graphs.main, {**nothing, **level, "x": x}), ["x0"])[0]

    rng = np.random.default_rng(0)
    x = rng.standard_normal(graphs.shape).astype(np.float32)
    # The step graph takes any (alpha, sigma) of the same ratio for the same thing.
    one = denoised(x, 1.0, 0.7)
    other = denoised(0.5 * x, 0.5, 0.35)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_file_that_is_no_checkpoint_is_refused_without_running_it(tmp_path):
    import pickle

    from engine.errors import PackError
    from export.checkpoint import read_checkpoint

    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    (tmp_path / "x.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(PackError, match=r"x\.pt: not a checkpoint"):
        read_checkpoint(tmp_path / "x.pt")
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(PackError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "y.pt")


def test_patches_are_undone():
    x = torch.arange(2 * 16 * 8.0).reshape(2, 1, 16, 8)
    assert torch.equal(unpatched(patches(x, (4, 2)), (4, 2)), x)


def test_at_its_beginning_the_denoiser_answers_the_best_linear_guess():
    """A fresh network puts out zero, so D(x) is c_skip x (Eq. 24, 28)."""
    denoiser = Denoiser(PRESETS["tiny"].network)
    x = torch.randn(2, 1, 64, 32)
    sigma = torch.tensor([0.1, 3.0])
    out = denoiser(x, sigma, torch.zeros_like(x), torch.zeros(2))
    skip = SIGMA_DATA**2 / (SIGMA_DATA**2 + sigma**2)
    torch.testing.assert_close(out, skip[:, None, None, None] * x)


def test_the_loss_of_that_guess_is_one_at_every_noise_level():
    """Eq. 33 weighs every noise level alike: c_skip x has expected loss 1 on data of SIGMA_DATA."""
    clean = SIGMA_DATA * torch.randn(8, 1, 64, 64)
    for level in (0.02, 0.5, 10.0):
        sigma = torch.full((8,), level)
        skip = SIGMA_DATA**2 / (SIGMA_DATA**2 + level**2)
        loss = edm_loss(skip * (clean + level * torch.randn_like(clean)), clean, sigma)
        assert float(loss.mean()) == pytest.approx(1.0, rel=0.05)


def test_without_a_past_the_past_has_no_say():
    torch.manual_seed(0)
    config = PRESETS["tiny"].network
    net = UNet(config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 0:
                parameter.fill_(1.0)
        net.context.gains.fill_(1.0)
        x, noise = torch.randn(1, 1, 64, 32), torch.zeros(1)
        pasts = [torch.randn(1, 1, 64, 32) for _ in range(2)]
        absent = [net(x, noise, net.context(p, torch.zeros(1))) for p in pasts]
        present = [net(x, noise, net.context(p, torch.ones(1))) for p in pasts]
    torch.testing.assert_close(absent[0], absent[1])
    assert not torch.allclose(present[0], present[1], atol=1e-3)


@pytest.mark.parametrize("name", ["paper-128", "paper-256"])
def test_the_papers_presets_are_its_table_one(name):
    preset = PRESETS[name]
    size = preset.network.bins
    assert (preset.spectrogram.rate, preset.network.frames) == (8000, size)
    assert len(preset.network.channels) == 5
    assert preset.spectrogram.bins == size
    seconds = preset.spectrogram.frames * preset.spectrogram.hop / 8000
    assert seconds == pytest.approx(2.05, abs=0.05)
    assert isinstance(preset.network, UNetConfig)
