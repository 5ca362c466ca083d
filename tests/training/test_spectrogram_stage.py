"""The one-stage system: its dataset, its loss and its network."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from engine.representations.log_scale import LogScale  # noqa: E402
from engine.representations.stft import Stft  # noqa: E402
from engine.sampling.parameterisation import SIGMA_DATA  # noqa: E402
from export.wrap import Denoiser  # noqa: E402
from training.data.blocks import Blocks, SpectrogramConfig, normalised  # noqa: E402
from training.losses.edm import edm_loss  # noqa: E402
from training.losses.spectrogram import SpectrogramTask  # noqa: E402
from training.nets.unet import UNet, UNetConfig, patches, unpatched  # noqa: E402
from training.recipes.spectrogram import SPECTROGRAM  # noqa: E402
from training.run import Run  # noqa: E402

pytestmark = pytest.mark.torch
TINY = SPECTROGRAM["spectrogram-tiny"]


@pytest.fixture(scope="module")
def dataset(datasets):
    return datasets("spectrogram")


def test_the_split_is_by_work_and_nothing_is_on_both_sides(dataset):
    index = json.loads((dataset / "index.json").read_text())
    names = {s: {p["name"] for p in index["pieces"] if p["split"] == s} for s in ("train", "held")}
    assert names["train"]
    assert names["held"]
    assert not names["train"] & names["held"]


def test_training_and_the_engine_have_one_spectrogram(dataset):
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


def test_late_in_a_run_the_past_is_often_the_networks_own(dataset):
    task = SpectrogramTask(replace(TINY, rollout_share=0.5), "spectrogram-tiny", dataset)
    model = task.network()
    batch = task.batch(np.random.default_rng(0), 4)
    pasts = []
    model.register_forward_pre_hook(lambda _, inputs: pasts.append(inputs[2]))
    for progress in (0.5, 0.9):
        task.loss(model, batch, torch.Generator().manual_seed(0), progress)
    frames = TINY.spectrogram.frames
    true = batch["blocks"][..., frames : 2 * frames]
    off = [(past - true).flatten(1).std(1) for past in pasts]
    assert off[0].max() < TINY.context_noise + 0.01
    assert model.training
    assert not torch.equal(pasts[1][:2], pasts[0][:2])


def test_normalised_weights_return_to_the_unit_sphere(dataset, tmp_path):
    task = SpectrogramTask(TINY, "spectrogram-tiny", dataset)
    run = Run(task, task.network(), tmp_path, 600, TINY.schedule)
    for _ in range(4):
        run.step()
    weight = run.model.net.out.weight
    lengths = weight.flatten(1).square().mean(1).sqrt()
    torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=1e-3, rtol=1e-3)


def test_patches_are_undone():
    x = torch.arange(2 * 16 * 8.0).reshape(2, 1, 16, 8)
    assert torch.equal(unpatched(patches(x, (4, 2)), (4, 2)), x)


def test_an_untrained_denoiser_returns_the_best_linear_guess():
    """A fresh network puts out zero, so D(x) is c_skip x (Eq. 24, 28)."""
    denoiser = Denoiser(UNet(TINY.network))
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


def test_without_a_past_its_frames_have_no_effect():
    torch.manual_seed(0)
    config = TINY.network
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
    preset = SPECTROGRAM[name]
    size = preset.network.bins
    assert (preset.spectrogram.rate, preset.network.frames) == (8000, size)
    assert len(preset.network.channels) == 5
    assert preset.spectrogram.bins == size
    seconds = preset.spectrogram.frames * preset.spectrogram.hop / 8000
    assert seconds == pytest.approx(2.05, abs=0.05)
    assert isinstance(preset.network, UNetConfig)
