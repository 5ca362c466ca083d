"""Write a pack's folder: graphs, mean, golden vectors, manifest, licence, model card."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.errors import ConfigError, PackError
from engine.execution.executor import make_executor
from engine.packs.files import verify_files
from engine.packs.manifest import MANIFEST
from engine.packs.read import read_manifest
from engine.packs.verify import SelfTest, self_test
from engine.sampling.samplers import table_for
from engine.sampling.schedules import make_schedule
from export.checkpoint import Checkpoint
from export.graphs import export_graph
from export.wrap import ContextGraph, StepGraph, folded

STAGE = "spectrogram"
PARITY = 1e-4  # largest |torch - onnx| of one call, in units of the output's deviation


@dataclass(frozen=True)
class Card:
    """What a person says about a pack; everything else is read off the checkpoint.

    Title, licence and credits have no defaults: they are the author's to say.

    Raises
    ------
    ConfigError
        One of them is empty.
    """

    name: str
    title: str
    licence: str
    credits: tuple[str, ...]
    version: str = "1.0.0"
    sampler: str = "dpmpp_2m"
    steps: int = 8
    min_steps: int = 4
    temperature: float = 1.0
    schedule_options: dict[str, float] = field(default_factory=dict)
    notes: str = ""

    def __post_init__(self) -> None:
        for option, value in (("title", self.title), ("licence", self.licence)):
            if not value.strip():
                raise ConfigError(f"a pack needs a {option}; say it with --{option}")
        if not [line for line in self.credits if line.strip()]:
            raise ConfigError(
                "a pack names whose data it is trained on; say it with --credit, once for each line"
            )


def write_pack(checkpoint: Checkpoint, card: Card, folder: Path) -> float:
    """Export into `folder` and return the parity: worst step of torch against ONNX Runtime.

    Raises
    ------
    PackError
        When a step differs by more than `PARITY`, or what was written does not read back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    denoiser = folded(checkpoint.denoiser)
    config = denoiser.net.config
    names = _graphs(denoiser, folder)
    np.save(folder / "mean.npy", checkpoint.mean.astype(np.float32))
    golden = _golden(denoiser, names, (config.bins, config.frames), card)
    np.savez_compressed(folder / "golden.npz", **golden)
    (folder / "LICENSE").write_text(licence_text(card.licence, card.credits), "utf-8")
    (folder / "MODEL_CARD.md").write_text(_model_card(card, checkpoint, denoiser), "utf-8")
    _write_manifest(checkpoint, card, folder, config.frames, config.bins)
    manifest = read_manifest(folder)
    verify_files(manifest)
    return refuse_difference(folder, self_test(manifest, make_executor()))


def refuse_difference(folder: Path, result: SelfTest) -> float:
    """The worst difference of a pack's golden vectors.

    Raises
    ------
    PackError
        When it is more than `PARITY`.
    """
    if not result.passed:
        raise PackError(
            f"{folder}: torch and ONNX differ by {result.worst:.1e}; {PARITY} is allowed"
        )
    return result.worst


def _graphs(denoiser: nn.Module, folder: Path) -> list[str]:
    config = denoiser.net.config
    context = ContextGraph(denoiser)
    previous, present = torch.zeros(1, 1, config.bins, config.frames), torch.ones(1)
    inputs = {"previous": previous, "present": present}
    export_graph(context, inputs, context.names, folder / "context.onnx")
    tensors = dict(zip(context.names, context(previous, present), strict=True))
    step = StepGraph(denoiser, context.names)
    inputs = {"x": previous, "alpha": torch.ones(1), "sigma": torch.ones(1), **tensors}
    export_graph(step, inputs, ["x0"], folder / "step.onnx")
    return context.names


@torch.no_grad()
def _golden(
    denoiser: nn.Module, names: list[str], shape: tuple[int, int], card: Card
) -> dict[str, np.ndarray]:
    """Four steps spread over the default schedule, two with a past: inputs, torch's outputs."""

    def schedule_of(n: int) -> object:
        return make_schedule("karras", n, **card.schedule_options)

    table = table_for(card.sampler, card.steps, schedule_of)
    rows = np.linspace(0, len(table) - 1, 4).round().astype(int)
    generator = torch.Generator().manual_seed(7)
    previous = 0.5 * torch.randn(4, *shape, generator=generator)
    present = np.array([1, 0, 1, 0], np.float32)
    context, step = ContextGraph(denoiser), StepGraph(denoiser, names)
    xs, outputs, alphas, sigmas = [], [], [], []
    for i, row in enumerate(rows):
        alpha, sigma = float(table.alpha[row]), float(table.sigma[row])
        x = alpha * 0.5 * torch.randn(shape, generator=generator)
        x = x + sigma * torch.randn(shape, generator=generator)
        past = previous[i] * float(present[i])
        tensors = context(past[None, None], torch.tensor([float(present[i])]))
        x0 = step(x[None, None], torch.tensor([alpha]), torch.tensor([sigma]), *tensors)
        xs.append(x.numpy())
        outputs.append(x0[0, 0].numpy())
        alphas.append(alpha)
        sigmas.append(sigma)
    vectors = {
        "previous": (previous * torch.from_numpy(present)[:, None, None]).numpy(),
        "present": present[:, None], "x": np.stack(xs), "x0": np.stack(outputs),
        "alpha": np.array(alphas), "sigma": np.array(sigmas),
    }  # fmt: skip
    return {f"{STAGE}/{name}": array for name, array in vectors.items()}


def _write_manifest(c: Checkpoint, card: Card, folder: Path, frames: int, bins: int) -> None:
    s = c.spectrogram
    options = ", ".join(f"{k} = {v!r}" for k, v in card.schedule_options.items())
    listed = ("context.onnx", "step.onnx", "mean.npy", "golden.npz", "LICENSE", "MODEL_CARD.md")
    hashes = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in listed}
    text = manifest_head(card, card.credits, s, bins, c.scale)
    text += f"""
[[stage]]
name = "{STAGE}"
frames = {frames}
step = "step.onnx"
continuing = "embed"
context = "context.onnx"
schedule = "karras"
schedule_options = {{ {options} }}
sampler = {json.dumps(card.sampler)}
steps = {card.steps}
min_steps = {card.min_steps}
temperature = {card.temperature}
guidance = "past"

[golden]
file = "golden.npz"
tolerance = {PARITY}

[files]
"""
    text += "".join(f'"{name}" = "{digest}"\n' for name, digest in hashes.items())
    (folder / MANIFEST).write_text(text, "utf-8")


def manifest_head(
    card: Card, credits_: tuple[str, ...], spectrogram: Mapping[str, Any], bins: int, scale: float
) -> str:
    """The tables of a manifest before its stages; `spectrogram` has rate, window, hop, floor."""
    s = spectrogram
    return f"""# A pack: an exported model that Attacca plays. Fields: docs/packs.md
format = 2

[pack]
name = {_quoted(card.name)}
title = {_quoted(card.title)}
version = {_quoted(card.version)}
licence = {_quoted(card.licence)}
credits = {_quoted(list(credits_))}

[audio]
rate = {s["rate"]}
channels = 1

[representation]
kind = "log-magnitude"
window = {s["window"]}
hop = {s["hop"]}
bins = {bins}
floor = {s["floor"]!r}
scale = {scale!r}
mean = "mean.npy"
"""


def _quoted(value: str | list[str]) -> str:
    """A value of TOML: JSON, whose escapes beyond 16 bits TOML does not read."""
    return json.dumps(value, ensure_ascii=False, indent=4)


def licence_text(licence: str, credits_: tuple[str, ...]) -> str:
    """What stands in a pack's LICENSE; an identifier of SPDX gets its address."""
    lines = "\n".join(f"- {line}" for line in credits_)
    is_known = re.fullmatch(r"[A-Za-z0-9.+-]+-[A-Za-z0-9.+-]+|MIT|ISC|Unlicense|Zlib", licence)
    where = f"\n(https://spdx.org/licenses/{licence}.html)" if is_known else ""
    return f"""The weights in this pack are licensed under {licence}{where}.

They were trained on the following, which have to be credited with them:

{lines}
"""


def _model_card(card: Card, c: Checkpoint, denoiser: nn.Module) -> str:
    s = c.spectrogram
    parameters = sum(p.numel() for p in denoiser.parameters()) / 1e6
    credits_ = "\n".join(f"- {line}" for line in card.credits)
    block = s["frames"] * s["hop"] / s["rate"]
    return f"""# {card.title}

| | |
|---|---|
| what it makes | {s["rate"]} Hz mono, blocks of {block:.3f} s, each continuing the one before |
| network | five-level U-Net with spectrogram embedding, {parameters:.1f} M parameters |
| precision | weights stored as float16, computed in float32 |
| represents sound as | ln(magnitude + {s["floor"]}), Hann {s["window"]}, hop {s["hop"]} |
| trained | preset `{c.preset}`, {c.samples:,} blocks, {c.hours:.2f} h, EDM loss |
| default | {card.sampler}, {card.steps} network evaluations per block |
| licence | {card.licence} |

{card.notes}

## Credits

{credits_}
"""
