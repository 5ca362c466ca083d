"""The one-stage system: blocks of a spectrogram, each continuing the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.checkpoint import Trained, read_checkpoint
from export.contents import Contents, Sampling, StageContents, System
from export.wrap import Denoiser
from training.nets.unet import UNet, UNetConfig

STAGE, AUDIO = "spectrogram", "audio"


def read_network(path: Path) -> Trained[Denoiser[UNet]]:
    """Open `checkpoint.pt` of a run of the recipe `spectrogram`.

    Raises
    ------
    PackError
        When the file is missing or is no such checkpoint.
    """
    return read_checkpoint(path, "the spectrogram system", _network)


def _network(state: dict[str, Any]) -> Denoiser[UNet]:
    _ = state["spectrogram"], state["mean"], state["scale"]
    return Denoiser(UNet(UNetConfig.from_dict(json.loads(state["network"]))))


def contents(trained: Trained[Denoiser[UNet]], sampling: Sampling) -> Contents:
    """The pack of a trained network."""
    s, denoiser = json.loads(trained.facts["spectrogram"]), trained.network
    c = denoiser.net.config
    shape = (1, 1, c.bins, c.frames)

    def inputs(i: int, generator: torch.Generator) -> dict[str, Tensor]:
        previous = denoiser.sigma_data * torch.randn(shape, generator=generator)
        return {"previous": previous, "present": torch.tensor([float(i % 2 == 0)])}

    table = {"continues": "embed", "controls": ["temperature"]}
    block = s["frames"] * s["hop"] / s["rate"]
    return Contents(
        stages=(
            StageContents(STAGE, denoiser, inputs, shape, sampling, table, branch="past"),
            decoded(STAGE),
        ),
        head={"rate": s["rate"], "channels": 1, "output": AUDIO},
        tables={
            "signal": [spectrum(STAGE, c.bins, trained.facts), {"name": AUDIO, "kind": "samples"}]
        },
        arrays={"mean.npy": trained.facts["mean"].numpy()},
        facts=(
            ("output", f"{s['rate']} Hz mono, blocks of {block:.3f} s, each continuing the last"),
            ("network", f"five-level U-Net with spectrogram embedding, {trained.size}"),
            ("trained", f"{trained.history}, EDM loss"),
            ("representation", representation_text(s)),
        ),
    )


def spectrum(name: str, bins: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The table [[signal]] of a mono log-magnitude spectrum, from a checkpoint's entries."""
    s = json.loads(facts["spectrogram"])
    return {
        "name": name, "kind": "log-magnitude", "rows": bins,
        "grid": {"samples": Fraction(s["hop"])}, "window": s["window"], "floor": s["floor"],
        "scale": float(facts["scale"]), "mean": "mean.npy",
    }  # fmt: skip


def decoded(signal: str) -> dict[str, Any]:
    """The table [[stage]] of the transform that turns a spectrum into sound."""
    return {
        "output": AUDIO, "name": "decode", "kind": "transform", "transform": "decode",
        "inputs": [{"signal": signal}],
    }  # fmt: skip


def representation_text(s: Mapping[str, Any]) -> str:
    """The representation, for a model card."""
    return f"ln(magnitude + {s['floor']}), Hann {s['window']}, hop {s['hop']}; phase reconstructed"


def read(checkpoints: Mapping[str, Path], sampling: Mapping[str, Sampling]) -> Contents:
    """See `System.read`."""
    return contents(read_network(checkpoints[STAGE]), sampling[STAGE])


SYSTEM = System("blocks of a spectrogram, each continuing the last", {STAGE: Sampling()}, read)
