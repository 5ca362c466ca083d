"""A checkpoint of the one-stage system in, a pack out that computes the same."""

import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from engine.errors import PackError  # noqa: E402
from engine.packs.manifest import read_manifest  # noqa: E402
from engine.packs.sessions import Sessions  # noqa: E402
from export.pack import PARITY  # noqa: E402
from export.systems.spectrogram import read_network  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.xdist_group("export")]


def test_a_checkpoint_becomes_a_pack_that_computes_the_same(spectrogram_pack):
    assert 0 < spectrogram_pack.worst <= PARITY
    manifest = read_manifest(spectrogram_pack.folder)
    assert manifest.credits[0] == "Nobody, CC0."
    (stage,) = manifest.stages
    assert (stage.continuing, stage.guidance, stage.steps) == ("embed", "past", 4)
    sessions = Sessions(manifest).stages[0]
    nothing = sessions.context(sessions.nothing())
    rng = np.random.default_rng(0)
    x = rng.standard_normal(sessions.shape).astype(np.float32)
    # The step graph takes any (alpha, sigma) of the same ratio for the same thing.
    one = sessions.denoise(x, 1.0, 0.7, nothing)
    other = sessions.denoise(0.5 * x, 0.5, 0.35, nothing)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_file_that_is_no_checkpoint_is_refused_without_running_it(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    (tmp_path / "x.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(PackError, match=r"x\.pt: not a checkpoint"):
        read_network(tmp_path / "x.pt")
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(PackError, match="no such checkpoint"):
        read_network(tmp_path / "y.pt")
