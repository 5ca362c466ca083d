"""The exporter: writes a pack's folder from the contents that a system returns.

Graphs, golden vectors, arrays, licence, model card and manifest. The exporter reads the pack back
and runs its self-test.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.errors import PackError
from engine.execution.executor import make_executor
from engine.packs.files import verify_files
from engine.packs.manifest import MANIFEST
from engine.packs.read import FORMAT, read_manifest
from engine.stream.self_test import self_test
from export.contents import Card, Contents, StageContents
from export.golden import golden_vectors
from export.graphs import export_graph
from export.manifest_text import manifest_text
from export.wrap import ContextGraph, StepGraph

PARITY = 1e-4  # largest |torch - onnx| of one call, in units of the output's deviation
_GOLDEN, _TRANSCRIPTION = "golden.npz", "transcription.onnx"
# Transcription graphs whose authors are known, by SHA-256. Others are credited with --credit.
_TRANSCRIPTIONS = {
    "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec":
        "Transcription: basic-pitch, (c) 2022 Spotify AB, Apache-2.0.",
}  # fmt: skip


def write_pack(
    contents: Contents, card: Card, folder: Path, transcription: Path | None = None
) -> float:
    """Export into `folder` and return the parity: the worst step of torch against ONNX Runtime.

    Raises
    ------
    PackError
        When a step differs by more than `PARITY`, or the pack cannot be read back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    golden: dict[str, np.ndarray] = {}
    written = {_GOLDEN, "LICENSE", "MODEL_CARD.md", *contents.arrays}
    stages: list[Mapping[str, Any]] = []
    for stage in contents.stages:
        if isinstance(stage, StageContents):
            graphs, vectors = _write_stage(stage, folder)
            stages.append(stage_table(stage, graphs))
            golden |= vectors
            written |= set(graphs.values())
        else:
            stages.append(stage)
    savez: Callable[..., None] = np.savez_compressed  # its own type takes an option for an array
    savez(folder / _GOLDEN, **golden)
    for name, array in contents.arrays.items():
        np.save(folder / name, array.astype(np.float32))
    credits_, head = card.credits, dict(contents.head)
    if transcription is not None:
        credits_ += _copy_transcription(transcription, folder / _TRANSCRIPTION)
        written.add(_TRANSCRIPTION)
        head["transcription"] = _TRANSCRIPTION
    (folder / "LICENSE").write_text(licence_text(card.licence, credits_), "utf-8")
    (folder / "MODEL_CARD.md").write_text(_model_card(card, credits_, contents), "utf-8")
    tables = {
        "": {"format": FORMAT, **card_fields(card, credits_), **head}, **contents.tables,
        "stage": stages, "golden": {"file": _GOLDEN, "tolerance": PARITY},
    }  # fmt: skip
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in written}
    (folder / MANIFEST).write_text(manifest_text(tables, files), "utf-8")
    return _parity(folder)


def _parity(folder: Path) -> float:
    manifest = read_manifest(folder)
    verify_files(manifest)
    result = self_test(manifest, make_executor())
    if not result.passed:
        raise PackError(
            f"{folder}: torch and ONNX differ by {result.worst:.1e}. At most {PARITY} is allowed."
        )
    return result.worst


def _write_stage(
    stage: StageContents, folder: Path
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Write both graphs of a stage. Returns their files, and the stage's golden vectors."""
    inputs = stage.inputs(0, torch.Generator().manual_seed(0))
    context = ContextGraph(stage.denoiser.net, inputs)
    step = StepGraph(stage.denoiser, context.names, stage.ratios)
    files = {"context": f"{stage.name}-context.onnx", "step": f"{stage.name}-step.onnx"}
    export_graph(context, inputs, context.names, folder / files["context"])
    with torch.no_grad():
        tensors = dict(zip(context.names, context(*inputs.values()), strict=True))
    inputs = {"x": torch.zeros(stage.shape), "alpha": torch.ones(1), "sigma": torch.ones(1)}
    export_graph(step, {**inputs, **tensors}, ["x0"], folder / files["step"])
    return files, golden_vectors(stage, context, step)


def stage_table(stage: StageContents, graphs: Mapping[str, str]) -> dict[str, Any]:
    """The manifest's table [[stage]] of a stage with these files."""
    s = stage.sampling
    guidance = {"guidance": {"branch": stage.branch, "scale": s.guidance}} if stage.branch else {}
    return {
        "output": stage.name, "kind": "diffusion", **stage.table, "block": stage.shape[-1],
        "graphs": graphs, "schedule": {"kind": "karras", **s.schedule_options},
        "sampler": {"kind": s.sampler}, "steps": {"least": s.min_steps, "default": s.steps},
        **guidance, "sigma_data": stage.denoiser.sigma_data, "temperature": s.temperature,
    }  # fmt: skip


def _copy_transcription(source: Path, target: Path) -> tuple[str, ...]:
    """Copy the graph into the pack. Returns its credit if its author is known."""
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)
    known = _TRANSCRIPTIONS.get(hashlib.sha256(target.read_bytes()).hexdigest())
    return (known,) if known else ()


def card_fields(card: Card, credits_: tuple[str, ...]) -> dict[str, object]:
    """The fields at the top of the manifest that the author enters."""
    return {
        "name": card.name, "title": card.title, "version": card.version,
        "licence": card.licence, "credits": list(credits_),
    }  # fmt: skip


def licence_text(licence: str, credits_: tuple[str, ...]) -> str:
    """The text of a pack's LICENSE; an identifier of SPDX gets its address."""
    lines = "\n".join(f"- {line}" for line in credits_)
    is_known = re.fullmatch(r"[A-Za-z0-9.+-]+-[A-Za-z0-9.+-]+|MIT|ISC|Unlicense|Zlib", licence)
    where = f"\n(https://spdx.org/licenses/{licence}.html)" if is_known else ""
    return f"""The weights in this pack are licensed under {licence}{where}.

They were trained on the following works. Credit them together with the weights:

{lines}
"""


def _model_card(card: Card, credits_: tuple[str, ...], contents: Contents) -> str:
    rows = [*contents.facts]
    for stage in contents.sampled:
        s = stage.sampling
        rows.append((f"{stage.name} sampled", f"{s.sampler}, {s.steps} network evaluations"))
    rows += [("precision", "weights stored as float16, computed in float32")]
    rows += [("licence", card.licence)]
    table = "\n".join(f"| {what} | {text} |" for what, text in rows)
    lines = "\n".join(f"- {line}" for line in credits_)
    return f"""# {card.title}

| | |
|---|---|
{table}

{card.notes}

## Credits

{lines}
"""
