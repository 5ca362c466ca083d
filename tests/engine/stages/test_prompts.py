"""Text prompts through an encoder: encoded once, blended by weight, kept in the state."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_packs import TOKENIZER, WORDS, encoder
from tiny_pack import TINY

from engine.controls.control import Control
from engine.errors import ConfigError, MissingExtra, PackError
from engine.execution.executor import make_executor
from engine.execution.protocols import TensorInfo
from engine.packs.manifest import Encoder
from engine.packs.read import read_manifest
from engine.stages.prompts import PromptEncoder, load_tokenizer

LENGTH, WIDTH = 6, 4
PROMPT = Control("pack/prompt", "text", "", "block", "What to play.", free=True)
ENCODER = Encoder(
    "prompt", "encoder.onnx", "tokenizer.json", LENGTH,
    {"embedding": "prompt", "token_mask": "prompt_mask"},
)  # fmt: skip


class Counting:
    """A graph that counts its runs."""

    def __init__(self, graph) -> None:
        self._graph, self.runs = graph, 0
        self.name, self.inputs, self.outputs = graph.name, graph.inputs, graph.outputs

    def run(self, feed, outputs):
        self.runs += 1
        return self._graph.run(feed, outputs)


def pack(folder, **files):
    """A manifest with these files in a folder."""
    contents = {
        "encoder.onnx": encoder(LENGTH, WIDTH),
        "tokenizer.json": json.dumps(TOKENIZER).encode(),
    }
    for name, content in {**contents, **files}.items():
        (folder / name).write_bytes(content)
    hashes = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    return replace(read_manifest(TINY), folder=folder, files=hashes)


def words(text: str) -> list[int]:
    return [WORDS.index(w) if w in WORDS else 0 for w in text.lower().split()]


@pytest.fixture
def graph(tmp_path):
    return Counting(make_executor("cpu", 1).open(pack(tmp_path), "encoder.onnx"))


@pytest.fixture
def prompts(graph):
    return PromptEncoder(ENCODER, PROMPT, graph, words, print)


def test_a_text_becomes_tensors_under_the_names_of_the_stages_inputs(prompts):
    tensors = prompts.blend("slow piano")
    assert {name: array.shape for name, array in tensors.items()} == {
        "prompt": (1, LENGTH, WIDTH), "prompt_mask": (1, LENGTH),
    }  # fmt: skip
    assert tensors["prompt_mask"].tolist() == [[1, 1, 0, 0, 0, 0]]
    assert tensors["prompt"][0, :2].all()
    assert not tensors["prompt"][0, 2:].any()


def test_a_text_is_encoded_once_however_often_it_returns(prompts, graph):
    for text in ("rain", "piano", "rain", "  rain ", "piano"):
        prompts.blend(text)
    assert graph.runs == 2


def test_only_so_many_texts_are_kept(prompts, graph):
    for i in range(70):
        prompts.blend(f"a {i}")
    prompts.blend("a 69")
    assert graph.runs == 70
    prompts.blend("a 0")
    assert graph.runs == 71


def test_several_texts_are_their_mean_by_weight_with_the_union_of_their_masks(prompts):
    one, other = prompts.blend("rain"), prompts.blend("slow piano")
    blend = prompts.blend([["rain", 3], ["slow piano", 1]])
    np.testing.assert_allclose(
        blend["prompt"], 0.75 * one["prompt"] + 0.25 * other["prompt"], rtol=1e-6
    )
    assert blend["prompt_mask"].tolist() == [[1, 1, 0, 0, 0, 0]]


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.1, 10))
def test_only_the_proportion_of_weights_matters(first, second, factor):
    prompts = PromptEncoder(ENCODER, PROMPT, _Lookup(), words, print)
    a = prompts.blend([("rain", first), ("piano", second)])
    b = prompts.blend([("rain", factor * first), ("piano", factor * second)])
    np.testing.assert_allclose(a["prompt"], b["prompt"], rtol=1e-5)


def test_the_empty_text_that_guidance_compares_with_is_encoded_like_any_other(prompts, graph):
    tensors = prompts.empty()
    assert not any(array.any() for array in tensors.values())
    assert tensors["prompt"].shape == prompts.shapes["prompt"] == (1, LENGTH, WIDTH)
    assert graph.runs == 1


def test_without_a_value_the_text_is_the_controls_default(prompts):
    rain = prompts.encode({"prompt": "rain"})
    assert np.array_equal(prompts.encode({})["prompt"], prompts.empty()["prompt"])
    assert not np.array_equal(prompts.encode({})["prompt"], rain["prompt"])


def test_a_text_longer_than_the_encoder_is_cut(prompts):
    assert prompts.blend("a " * 50)["prompt_mask"].all()


def test_a_state_brings_the_tensors_back_without_encoding(prompts, graph):
    before = prompts.blend("slow piano")
    other = PromptEncoder(ENCODER, PROMPT, graph, words, print)
    other.restore(prompts.state())
    runs = graph.runs
    after = other.blend("slow piano")
    assert graph.runs == runs
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_state_holds_the_texts_of_the_last_value_alone(prompts):
    prompts.blend("rain")
    prompts.blend([("piano", 1), ("slow", 2)])
    prompts.empty()
    assert len(prompts.state()) == 2 * 2


def test_a_state_of_another_encoder_is_refused(prompts):
    prompts.blend("rain")
    state = {name: array[..., :1] for name, array in prompts.state().items()}
    with pytest.raises(ConfigError, match="saved by another version"):
        prompts.restore(state)


def test_what_is_not_text_is_refused(prompts):
    with pytest.raises(ConfigError, match="pack/prompt: 3 cannot be used"):
        prompts.blend(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": LENGTH + 1}, r"input 'tokens' is .*; use int64 \[1, 7\]"),
        ({"outputs": {"none": "prompt"}}, "there is no output 'none'; known are embedding, token_"),
    ],
)
def test_a_graph_that_is_not_the_encoder_described_is_refused(graph, change, message):
    with pytest.raises(PackError, match=message):
        PromptEncoder(replace(ENCODER, **change), PROMPT, graph, words, print)


def test_texts_are_tokenised_by_the_packs_own_tokenizer(tmp_path):
    tokens = load_tokenizer(pack(tmp_path), ENCODER)
    assert list(tokens("Slow PIANO tuba")) == [3, 2, 0]


def test_a_damaged_tokenizer_is_refused_in_one_line(tmp_path):
    with pytest.raises(PackError, match=r"tokenizer\.json: not a tokenizer") as raised:
        load_tokenizer(pack(tmp_path, **{"tokenizer.json": b"{}"}), ENCODER)
    assert "\n" not in str(raised.value)


def test_without_the_library_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'attacca\[text\]'"):
        load_tokenizer(pack(tmp_path), ENCODER)


class _Lookup:
    """The encoder's graph in numpy."""

    name = "lookup"
    inputs: ClassVar = {n: TensorInfo((1, LENGTH), "int64") for n in ("tokens", "mask")}
    outputs: ClassVar = {
        "embedding": TensorInfo((1, LENGTH, 1)), "token_mask": TensorInfo((1, LENGTH)),
    }  # fmt: skip

    def run(self, feed, _):
        mask = feed["mask"].astype(np.float32)
        return [(feed["tokens"] * mask)[..., None].astype(np.float32), mask]
