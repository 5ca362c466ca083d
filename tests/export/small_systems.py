"""Tiny networks, their checkpoints, and the packs of both systems."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.checkpoint import Trained
from export.contents import Card, Contents, Sampling
from export.pack import write_pack
from export.wrap import Denoiser
from training.nets.columns import Columns
from training.nets.notes import NotesNet
from training.nets.unet import UNet
from training.recipes.notes import NOTES
from training.recipes.sound import SOUND
from training.recipes.spectrogram import SPECTROGRAM

PIANO = Path(__file__).parents[2] / "packs" / "piano"
NOTES_CONFIG = NOTES["notes-tiny"].network
# Eight tokens of eight columns, so that both stages have blocks of one length.
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
