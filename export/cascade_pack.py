"""Write the pack of the two-stage piano: graphs, golden vectors, manifest, licence, model card."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.execution.executor import make_executor
from engine.packs.files import verify_files
from engine.packs.manifest import MANIFEST
from engine.packs.read import read_manifest
from engine.packs.verify import self_test
from engine.representations.roll import ROWS
from engine.sampling.samplers import table_for
from engine.sampling.schedules import make_schedule
from export.cascade import (
    CONTEXT_TOKENS,
    NotesContext,
    NotesStep,
    SoundContext,
    SoundStep,
    Trained,
)
from export.graphs import export_graph
from export.pack import PARITY, Card, licence_text, manifest_head, refuse_difference

# Transcription graphs whose authors are known, by SHA-256. Others are for --credit to name.
_TRANSCRIPTIONS = {
    "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec":
        "Transcription: basic-pitch, (c) 2022 Spotify AB, Apache-2.0.",
}  # fmt: skip


@dataclass(frozen=True)
class StageCard:
    """How a stage is sampled by default."""

    sampler: str
    steps: int
    min_steps: int
    temperature: float = 1.0
    guidance: float = 1.0
    schedule_options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Made:
    """A stage's graphs as modules, and what its golden vectors are drawn from."""

    name: str
    context: nn.Module
    step: nn.Module
    card: StageCard
    spread: float


def write_cascade(
    notes: Trained,
    sound: Trained,
    card: Card,
    stages: tuple[StageCard, StageCard],
    transcription: Path | None,
    folder: Path,
) -> float:
    """Export into `folder` and return the parity: worst step of torch against ONNX Runtime.

    Raises
    ------
    PackError
        When a step differs by more than the parity allowed, or what was written does not read
        back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = SoundContext(sound.network)
    made = (
        _Made("notes", NotesContext(notes.network), NotesStep(notes.network), stages[0], 1.0),
        _Made("sound", context, SoundStep(sound.network, context.names), stages[1], 0.5),
    )
    golden: dict[str, np.ndarray] = {}
    for stage in made:
        golden |= _write_stage(stage, folder)
    np.savez_compressed(folder / "golden.npz", **golden)
    np.save(folder / "mean.npy", sound.facts["mean"].numpy().astype(np.float32))
    credits_, listening = card.credits, folder / "transcription.onnx"
    if transcription is None:
        listening.unlink(missing_ok=True)  # an earlier export's
    else:
        if transcription.resolve() != listening.resolve():
            shutil.copyfile(transcription, listening)
        known = _TRANSCRIPTIONS.get(hashlib.sha256(listening.read_bytes()).hexdigest())
        credits_ = (*credits_, known) if known is not None else credits_
    (folder / "LICENSE").write_text(licence_text(card.licence, credits_), "utf-8")
    card_text = _model_card(card, credits_, notes, sound, stages)
    (folder / "MODEL_CARD.md").write_text(card_text, "utf-8")
    _write_manifest(card, credits_, sound, stages, notes.network.config.block, folder)
    manifest = read_manifest(folder)
    verify_files(manifest)
    return refuse_difference(folder, self_test(manifest, make_executor()))


def _write_stage(made: _Made, folder: Path) -> dict[str, np.ndarray]:
    heard = made.context.example()
    export_graph(made.context, heard, made.context.names, folder / f"{made.name}-context.onnx")
    tensors = dict(zip(made.context.names, made.context(*heard.values()), strict=True))
    inputs = {
        "x": made.step.example(), "alpha": torch.ones(1), "sigma": torch.ones(1), **tensors
    }  # fmt: skip
    export_graph(made.step, inputs, ["x0"], folder / f"{made.name}-step.onnx")
    return _golden(made)


@torch.no_grad()
def _golden(made: _Made) -> dict[str, np.ndarray]:
    """Four steps spread over the default schedule: what is heard, x, and torch's x0."""

    def schedule_of(n: int) -> object:
        return make_schedule("karras", n, **made.card.schedule_options)

    table = table_for(made.card.sampler, made.card.steps, schedule_of)
    rows = np.linspace(0, len(table) - 1, 4).round().astype(int)
    generator = torch.Generator().manual_seed(7)
    out: dict[str, list[np.ndarray]] = {}
    for i, row in enumerate(rows):
        alpha, sigma = float(table.alpha[row]), float(table.sigma[row])
        heard = {
            name: _drawn(name, shape, i, generator)
            for name, shape in made.context.example().items()
        }
        x = made.step.example()
        x = alpha * made.spread * torch.randn(x.shape, generator=generator)
        x = x + sigma * torch.randn(x.shape, generator=generator)
        level = (torch.tensor([alpha]), torch.tensor([sigma]))
        x0 = made.step(x, *level, *made.context(*heard.values()))
        for name, value in {**heard, "x": x[0], "x0": x0[0]}.items():
            out.setdefault(name, []).append(value.numpy())
        out.setdefault("alpha", []).append(np.array(alpha))
        out.setdefault("sigma", []).append(np.array(sigma))
    return {f"{made.name}/{k}": np.stack(v) for k, v in out.items()}


def _drawn(name: str, like: Tensor, i: int, generator: torch.Generator) -> Tensor:
    """A plausible input: sparse rolls, columns of the data's spread, controls given at times."""
    if name == "present":
        return torch.full_like(like, float(i % 2))
    if like.shape[-2:-1] == (ROWS,):
        return torch.where(torch.rand(like.shape, generator=generator) < 0.03, 1.0, -1.0)
    if like.ndim == 3:
        return 0.5 * torch.randn(like.shape, generator=generator)
    given = {"register": 62.0, "density": 7.0, "loudness": 70.0}
    value = torch.full_like(like, given.get(name, 0.5)) * float(i % 2)
    value[:, -1] = float(i % 2)
    return value


def _write_manifest(
    card: Card,
    credits_: tuple[str, ...],
    sound: Trained,
    stages: tuple[StageCard, StageCard],
    block: int,
    folder: Path,
) -> None:
    s = json.loads(sound.facts["spectrogram"])
    c = sound.network.net.config
    ratio = c.frames // block
    listening = folder / "transcription.onnx"
    text = manifest_head(card, credits_, s, c.bins, float(sound.facts["scale"]))
    text += f"""
[[stage]]
name = "notes"
represents = "notes"
hop = {ratio * s["hop"]}
frames = {block}
step = "notes-step.onnx"
continuing = "prefix"
context = "notes-context.onnx"
context_frames = {CONTEXT_TOKENS}
controls = ["harmony", "register", "density", "loudness", "style", "held"]
guidance = "controls"
{_sampling(stages[0])}
[[stage]]
name = "sound"
frames = {c.frames}
step = "sound-step.onnx"
continuing = "prefix"
context = "sound-context.onnx"
context_frames = {c.past}
after = "notes"
history = {c.history}
lookahead = {c.ahead}
controls = ["instrument", "room", "brightness"]
{_sampling(stages[1])}
"""
    if listening.exists():
        text += '[listening]\ntranscription = "transcription.onnx"\n\n'
    text += f'[golden]\nfile = "golden.npz"\ntolerance = {PARITY}\n\n[files]\n'
    for file in sorted(folder.iterdir()):
        if file.name != MANIFEST:
            text += f'"{file.name}" = "{hashlib.sha256(file.read_bytes()).hexdigest()}"\n'
    (folder / MANIFEST).write_text(text, "utf-8")


def _sampling(card: StageCard) -> str:
    options = ", ".join(f"{k} = {v!r}" for k, v in card.schedule_options.items())
    return f"""schedule = "karras"
schedule_options = {{ {options} }}
sampler = {json.dumps(card.sampler)}
steps = {card.steps}
min_steps = {card.min_steps}
temperature = {card.temperature}
default_guidance = {card.guidance}
"""


def _model_card(
    card: Card,
    credits_: tuple[str, ...],
    notes: Trained,
    sound: Trained,
    stages: tuple[StageCard, StageCard],
) -> str:
    s = json.loads(sound.facts["spectrogram"])
    sizes = [sum(p.numel() for p in t.network.parameters()) / 1e6 for t in (notes, sound)]
    lines = "\n".join(f"- {line}" for line in credits_)
    block = sound.network.net.config.frames * s["hop"] / s["rate"]
    n, m = stages
    made = f"{s['rate']} Hz mono and its notes, blocks of {block:.3f} s, each continuing the past"
    first = f"block diffusion over piano rolls, {sizes[0]:.1f} M parameters"
    second = f"diffusion of spectrogram columns given the notes, {sizes[1]:.1f} M parameters"
    represents = f"ln(magnitude + {s['floor']}), Hann {s['window']}, hop {s['hop']}"
    return f"""# {card.title}

| | |
|---|---|
| what it makes | {made} |
| notes | {first}, {n.sampler}, {n.steps} evaluations |
| sound | {second}, {m.sampler}, {m.steps} evaluations |
| precision | weights stored as float16, computed in float32 |
| represents sound as | {represents}; phase reconstructed |
| notes trained | {notes.history} |
| sound trained | {sound.history} |
| licence | {card.licence} |

{card.notes}

## Credits

{lines}
"""
