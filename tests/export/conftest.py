"""Tiny networks, their checkpoints, and the packs of both systems, exported once for all tests."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from torch.onnx._internal.exporter._registration import ONNXRegistry  # noqa: E402

from export.checkpoint import Trained  # noqa: E402
from export.contents import Card, Contents, Sampling  # noqa: E402
from export.pack import write_pack  # noqa: E402
from export.systems import cascade, spectrogram  # noqa: E402
from export.wrap import Denoiser  # noqa: E402
from training.nets.columns import Columns  # noqa: E402
from training.nets.notes import NotesNet  # noqa: E402
from training.nets.unet import UNet  # noqa: E402
from training.recipes.notes import NOTES  # noqa: E402
from training.recipes.sound import SOUND  # noqa: E402
from training.recipes.spectrogram import SPECTROGRAM  # noqa: E402

PIANO = Path(__file__).parents[2] / "packs" / "piano"
NOTES_CONFIG = NOTES["notes-tiny"].network
# Eight tokens of eight columns: the sound's block is made as long as the notes'.
SOUND_CONFIG = replace(SOUND["sound-tiny"].network, frames=64, dilations=(1,))
UNET_CONFIG = replace(
    SPECTROGRAM["spectrogram-tiny"].network, channels=(8, 12), blocks=(1, 1),
    context_channels=(8, 8), attention_levels=1,
)  # fmt: skip
CASCADE_SAMPLING = {
    "notes": Sampling("ddim", 4, 2, sigma_max=8.0, sigma_min=0.15, rho=5.0),
    "sound": Sampling("ddim", 2, 1, sigma_max=20.0, sigma_min=0.03, rho=7.0),
}
CARD = Card("small", "A small piano", "CC0-1.0", ("The tests, CC0.",), notes="Toy.")


@pytest.fixture(scope="session", autouse=True)
def _quick_exports() -> Iterator[None]:
    """One thread, and PyTorch's table of operators read once: it reads it again for each graph."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        once = staticmethod(cache(ONNXRegistry.from_torchlib))
        patch.setattr(ONNXRegistry, "from_torchlib", once)
        yield


def with_weights(network: Any) -> Any:
    """The network with weights that are not zero where they begin as zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in network.parameters():
            p += 0.03 * torch.randn(p.shape, generator=generator)
    return network


def saved(path: Path, network: Any, preset: str, config: Any, **facts: Any) -> Path:
    """A checkpoint as a run writes it."""
    facts = {"steps": 3, "samples": 12, "seconds": 7.5, "preset": preset, **facts}
    state = {"ema": network.state_dict(), "network": json.dumps(config.as_dict()), **facts}
    torch.save(state, path)
    return path


def checkpoints(folder: Path) -> dict[str, Path]:
    """Checkpoints of the three stages that can be exported, by the stages' names."""
    torch.manual_seed(0)
    out = {"notes": saved(
        folder / "notes.pt", with_weights(NotesNet(NOTES_CONFIG)), "notes-tiny", NOTES_CONFIG
    )}  # fmt: skip
    for name, preset, config in (
        ("sound", SOUND["sound-tiny"], SOUND_CONFIG),
        ("spectrogram", SPECTROGRAM["spectrogram-tiny"], UNET_CONFIG),
    ):
        mean = np.linspace(-1, -3, config.bins).astype(np.float32)
        floor = preset.spectrogram.floor
        net = Columns(config, mean, 1.3, floor) if name == "sound" else UNet(config)
        out[name] = saved(
            folder / f"{name}.pt", with_weights(Denoiser(net)), f"{name}-tiny", config,
            spectrogram=json.dumps(asdict(preset.spectrogram)), mean=torch.from_numpy(mean),
            scale=1.3,
        )  # fmt: skip
    return out


@dataclass(frozen=True)
class Exported:
    """A pack, the parity that the exporter returned, its contents and its networks."""

    folder: Path
    worst: float
    contents: Contents
    trained: dict[str, Trained]


def exported(folder: Path, contents: Contents, trained: dict[str, Trained]) -> Exported:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
        worst = write_pack(contents, CARD, folder, PIANO / "transcription.onnx")
    return Exported(folder, worst, contents, trained)


@pytest.fixture(scope="session")
def saved_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The checkpoints, once for all tests."""
    return checkpoints(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def cascade_pack(saved_runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The pack of the two-stage system."""
    trained = {
        "notes": cascade.read_notes(saved_runs["notes"]),
        "sound": cascade.read_sound(saved_runs["sound"]),
    }
    contents = cascade.contents(trained["notes"], trained["sound"], CASCADE_SAMPLING)
    return exported(tmp_path_factory.mktemp("cascade") / "small", contents, trained)


@pytest.fixture(scope="session")
def spectrogram_pack(
    saved_runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """The pack of the one-stage system."""
    trained = spectrogram.read_network(saved_runs["spectrogram"])
    contents = spectrogram.contents(trained, Sampling(steps=4))
    return exported(
        tmp_path_factory.mktemp("spectrogram") / "small", contents, {"spectrogram": trained}
    )
