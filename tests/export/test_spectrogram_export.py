"""A checkpoint of the one-stage system in, a pack out that computes the same."""

import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from small_systems import UNET_CONFIG  # noqa: E402

from engine.errors import PackError  # noqa: E402
from engine.execution.executor import make_executor  # noqa: E402
from engine.packs.read import read_manifest  # noqa: E402
from engine.stream.walk import PlanWalk  # noqa: E402
from export.pack import PARITY  # noqa: E402
from export.systems.spectrogram import read_network  # noqa: E402
from export.wrap import Denoiser  # noqa: E402
from training.nets.unet import UNet  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow]


def test_a_checkpoint_becomes_a_pack_that_computes_the_same(spectrogram_pack):
    assert 0 < spectrogram_pack.worst <= PARITY
    manifest = read_manifest(spectrogram_pack.folder)
    assert manifest.credits[0] == "The tests, CC0."
    stage, decode = manifest.stages
    assert (stage.continues, stage.sampling.guidance.branch) == ("embed", "past")
    assert stage.sampling.steps.default == 4
    assert decode.transform == "decode"
    graphs = PlanWalk(manifest, make_executor()).diffusion["spectrogram"].graphs
    context = graphs.run_context(graphs.zeros())
    x = np.random.default_rng(0).standard_normal(graphs.shape).astype(np.float32)

    def denoised(alpha, sigma):
        level = {"alpha": np.full(1, alpha, np.float32), "sigma": np.full(1, sigma, np.float32)}
        feed = graphs.feed(graphs.main, {**context, **level, "x": alpha * x})
        return graphs.main.run(feed, ["x0"])[0]

    # The step graph takes any (alpha, sigma) of the same ratio for the same thing.
    one, other = denoised(np.float32(1.0), 0.7), denoised(np.float32(0.5), 0.35)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_exported_network_is_the_averaged_one_in_half_precision(saved_runs):
    """Layers with normalised weights compute with the weights that they were validated with."""
    averaged = Denoiser(UNet(UNET_CONFIG)).eval()
    state = torch.load(saved_runs["spectrogram"], weights_only=True)["ema"]
    averaged.load_state_dict(state)
    exported = read_network(saved_runs["spectrogram"]).network
    x = torch.randn(1, 1, UNET_CONFIG.bins, UNET_CONFIG.frames)
    inputs = x, torch.tensor([0.7]), torch.randn_like(x), torch.ones(1)
    with torch.no_grad():
        own, other = averaged(*inputs), exported(*inputs)
    assert float((own - other).abs().max()) < 1e-3 * float(own.std())


def test_a_file_that_is_no_checkpoint_is_refused_without_running_it(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    (tmp_path / "x.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(PackError, match=r"x\.pt: not a checkpoint"):
        read_network(tmp_path / "x.pt")
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(PackError, match="no such file"):
        read_network(tmp_path / "y.pt")
