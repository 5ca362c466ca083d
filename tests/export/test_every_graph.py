"""A system with every kind of graph: a cache, a final graph, a network stage, an encoder, bars."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")
pytest.importorskip("tokenizers", reason="the text extra is not installed")

from made_packs import TOKENIZER, WORDS  # noqa: E402
from torch import nn  # noqa: E402

from engine.errors import PackError  # noqa: E402
from engine.execution.executor import make_executor  # noqa: E402
from engine.packs.read import read_manifest  # noqa: E402
from engine.stream.requests import make_request  # noqa: E402
from engine.stream.self_test import self_test  # noqa: E402
from engine.stream.walk import PlanWalk  # noqa: E402
from export import pack as exporter  # noqa: E402
from export.contents import (  # noqa: E402
    Card,
    Contents,
    EncoderContents,
    GraphContents,
    NetworkContents,
    Sampling,
    StageContents,
)
from export.wrap import Denoiser  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow]
ROWS, SAMPLED, BLOCK, PAST, FRAME, LENGTH, WIDTH = 16, 12, 4, 8, 128, 6, 3


class Notes(nn.Module):
    """Cells from the cache, the place in the bar and the text."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def context(self, when, memory, count, words):
        return {
            "likely": when.sum(1, keepdim=True).sin() + words.mean() + memory.mean() / (count + 1)
        }

    def forward(self, x, level, context):
        return torch.tanh(self.factor * x + context["likely"] - level.reshape(-1, 1, 1) / 8)


class Read(nn.Module):
    """Entries of one frame: what it is, where, and what came before."""

    def forward(self, frames, position, past_memory, when):
        return (frames + when.sum(1, keepdim=True)).transpose(1, 2).sin() + (
            past_memory.mean() + (position / 16).sin()
        )


class Strings(nn.Module):
    """Sound of a performed roll [1, 16, 6], a frame before and after."""

    def forward(self, strings):
        tone = torch.arange(FRAME).div(5).sin()
        return (strings[:, 8:12, 1:-1].mean(1)[..., None] * tone).reshape(1, 1, -1).tanh()


class Words(nn.Module):
    """A row of a table for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(len(WORDS), WIDTH)

    def forward(self, tokens, mask):
        return self.table(tokens) * mask[..., None], mask.float()


def notes_inputs(i, generator):
    return {
        "when": torch.rand(1, 3, BLOCK, generator=generator),
        "memory": torch.randn(1, PAST, ROWS, generator=generator),
        "count": torch.tensor([1.0 + i]),
        "words": torch.randn(1, LENGTH, WIDTH, generator=generator),
    }


def read_inputs(i, generator):
    return {
        "frames": torch.randn(1, ROWS, 1, generator=generator), "position": torch.tensor([4.0 * i]),
        "past_memory": torch.randn(1, PAST, ROWS, generator=generator),
        "when": torch.rand(1, 3, 1, generator=generator),
    }  # fmt: skip


def contents():
    torch.manual_seed(0)
    stage = StageContents(
        "notes", Denoiser(Notes(0.5), "x0"), notes_inputs, (1, SAMPLED, BLOCK),
        Sampling("ddim", 4, 2, sigma_max=8.0, sigma_min=0.15, rho=5.0),
        {"inputs": [{"signal": "bars", "graph_input": "when"}], "continues": "cache", "past": PAST,
         "controls": ["prompt"]},
        read=GraphContents(Read(), read_inputs, ("memory",)),
        final=Denoiser(Notes(0.9), "x0"),
    )  # fmt: skip
    perform = {"output": "strings", "kind": "transform", "transform": "perform",
               "inputs": [{"signal": "notes"}]}  # fmt: skip

    def strings(_, generator):
        return {"strings": torch.randn(1, ROWS, 6, generator=generator)}

    def tokens(i, _):
        mask = torch.tensor([[1] * (i + 1) + [0] * (LENGTH - i - 1)])
        return {"tokens": mask * (i + 1), "mask": mask}

    sound = NetworkContents(
        "sound", GraphContents(Strings(), strings, ("frames",)), 4 * FRAME,
        {"inputs": [{"signal": "strings", "before": 1, "after": 1}]},
    )  # fmt: skip
    roll = {"kind": "roll", "rows": ROWS, "lowest": 60}
    return Contents(
        (stage, perform, sound),
        {"rate": 16000, "channels": 1, "output": "sound"},
        {
            "signal": [
                {"name": "bars", "kind": "bars", "grid": {"per_beat": Fraction(4)}},
                {"name": "notes", **roll, "grid": {"per_beat": Fraction(4)}},
                {"name": "strings", **roll, "grid": {"samples": Fraction(FRAME)}},
                {"name": "sound", "kind": "samples"},
            ],
            "control": [{"name": "prompt", "kind": "text", "about": "What to play."}],
        },
        encoders=(
            EncoderContents(
                "prompt", GraphContents(Words(), tokens, ("words", "words_mask")),
                json.dumps(TOKENIZER), {"words": "words", "words_mask": "words_mask"},
            ),
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("every") / "made"
    card = Card("made", "A pack", "CC0-1.0", ("Nobody's data.",))
    worst = exporter.write_pack(contents(), card, folder)
    return folder, worst


def test_every_graph_computes_what_torch_did_and_the_pack_plays(exported):
    folder, worst = exported
    assert worst < exporter.PARITY
    walk = PlanWalk(read_manifest(folder), make_executor("cpu", 1))
    walk.warm_up()
    made = [walk.make(make_request(walk.plan, i, controls={"prompt": "rain"})) for i in range(60)]
    assert any(m.notes for m in made)
    assert np.concatenate([m.samples for m in made]).std() > 1e-3


@pytest.mark.parametrize(
    "array", ["notes/x0_final", "notes/read/memory", "sound/frames", "encoder/prompt/words"]
)
def test_a_graph_that_computes_something_else_fails_the_self_test(exported, array, monkeypatch):
    manifest = read_manifest(exported[0])
    with np.load(manifest.path(manifest.golden)) as file:
        golden = {name: file[name] for name in file.files}
    golden[array] = golden[array] + 0.1
    monkeypatch.setattr("engine.stream.self_test.load_arrays", lambda *_: golden)
    assert not self_test(manifest, make_executor("cpu", 1)).passed


def test_golden_vectors_without_one_of_the_graphs_are_refused(exported, monkeypatch):
    manifest = read_manifest(exported[0])
    monkeypatch.setattr("engine.stream.self_test.load_arrays", lambda *_: {})
    with pytest.raises(PackError, match="golden vectors cannot be used"):
        self_test(manifest, make_executor("cpu", 1))
