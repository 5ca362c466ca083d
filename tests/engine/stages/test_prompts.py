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
from onnx import TensorProto, helper, numpy_helper
from tiny_pack import TINY

from engine.controls.control import Control
from engine.errors import ConfigError, MissingExtra, PackError
from engine.execution.executor import make_executor
from engine.execution.protocols import TensorInfo
from engine.packs.manifest import Encoder
from engine.packs.read import read_manifest
from engine.stages.prompts import PromptEncoder, load_tokenizer

LENGTH, WIDTH = 6, 4
WORDS = ["[UNK]", "rain", "piano", "slow", "fast", "a"]
PROMPT = Control("pack/prompt", "text", "", "block", "What to play.", free=True)
ENCODER = Encoder(
    "prompt", "encoder.onnx", "tokenizer.json", LENGTH,
    {"embedding": "prompt", "token_mask": "prompt_mask"},
)  # fmt: skip
TOKENIZER = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
    "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None, "decoder": None,
    "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(WORDS)},
              "unk_token": "[UNK]"},
}  # fmt: skip


def encoder_graph() -> bytes:
    """Looks each token up in a table; outputs [1, length, width], and the mask as floats."""
    table = np.random.default_rng(1).standard_normal((len(WORDS), WIDTH)).astype(np.float32)
    shape = [1, LENGTH]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "tokens"], ["rows"]),
            helper.make_node("Cast", ["mask"], ["token_mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["token_mask", "last"], ["wide"]),
            helper.make_node("Mul", ["rows", "wide"], ["embedding"]),
        ],
        "encoder",
        [helper.make_tensor_value_info(n, TensorProto.INT64, shape) for n in ("tokens", "mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, LENGTH, WIDTH]),
         helper.make_tensor_value_info("token_mask", TensorProto.FLOAT, shape)],
        initializer=[numpy_helper.from_array(table, "table"),
                     numpy_helper.from_array(np.array([2]), "last")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    return model.SerializeToString()


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
    contents = {"encoder.onnx": encoder_graph(), "tokenizer.json": json.dumps(TOKENIZER).encode()}
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
    return PromptEncoder(ENCODER, PROMPT, graph, words)


def test_a_text_becomes_tensors_under_the_names_of_the_stages_inputs(prompts):
    tensors = prompts.encode("slow piano")
    assert {name: array.shape for name, array in tensors.items()} == {
        "prompt": (1, LENGTH, WIDTH), "prompt_mask": (1, LENGTH),
    }  # fmt: skip
    assert tensors["prompt_mask"].tolist() == [[1, 1, 0, 0, 0, 0]]
    assert tensors["prompt"][0, :2].all()
    assert not tensors["prompt"][0, 2:].any()


def test_a_text_is_encoded_once_however_often_it_returns(prompts, graph):
    for text in ("rain", "piano", "rain", "  rain ", "piano"):
        prompts.encode(text)
    assert graph.runs == 2


def test_only_so_many_texts_are_kept(prompts, graph):
    for i in range(70):
        prompts.encode(f"a {i}")
    assert len(prompts.state()) == 2 * 64
    prompts.encode("a 69")
    assert graph.runs == 70
    prompts.encode("a 0")
    assert graph.runs == 71


def test_several_texts_are_their_mean_by_weight_with_the_union_of_their_masks(prompts):
    one, other = prompts.encode("rain"), prompts.encode("slow piano")
    blend = prompts.encode([["rain", 3], ["slow piano", 1]])
    np.testing.assert_allclose(
        blend["prompt"], 0.75 * one["prompt"] + 0.25 * other["prompt"], rtol=1e-6
    )
    assert blend["prompt_mask"].tolist() == [[1, 1, 0, 0, 0, 0]]


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.1, 10))
def test_only_the_proportion_of_weights_matters(first, second, factor):
    prompts = PromptEncoder(ENCODER, PROMPT, _Lookup(), words)
    a = prompts.encode([("rain", first), ("piano", second)])
    b = prompts.encode([("rain", factor * first), ("piano", factor * second)])
    np.testing.assert_allclose(a["prompt"], b["prompt"], rtol=1e-5)


def test_shares_of_several_texts_are_together_1(prompts):
    (_, share), (_, other) = prompts.texts([("rain", 3), ("piano", 1)])
    assert (share, other) == (0.75, 0.25)
    ((tensors, whole),) = prompts.texts("rain")
    assert whole == 1.0
    assert set(tensors) == {"prompt", "prompt_mask"}


def test_the_branch_without_text_is_zeros_and_runs_nothing(prompts, graph):
    tensors = prompts.encode("rain", free=True)
    assert not any(array.any() for array in tensors.values())
    assert tensors["prompt"].shape == (1, LENGTH, WIDTH)
    assert graph.runs == 0


def test_a_text_longer_than_the_encoder_is_cut(prompts):
    assert prompts.encode("a " * 50)["prompt_mask"].all()


def test_a_state_brings_the_tensors_back_without_encoding(prompts, graph):
    before = prompts.encode("slow piano")
    other = PromptEncoder(ENCODER, PROMPT, graph, words)
    other.restore(prompts.state())
    runs = graph.runs
    after = other.encode("slow piano")
    assert graph.runs == runs
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_what_is_not_text_is_refused(prompts):
    with pytest.raises(ConfigError, match="pack/prompt: 3 cannot be used"):
        prompts.encode(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": LENGTH + 1}, r"input 'tokens' is .*; it has to be int64 \[1, 7\]"),
        ({"outputs": {"none": "prompt"}}, "there is no output 'none'; they are embedding, token_m"),
    ],
)
def test_a_graph_that_is_not_the_encoder_described_is_refused(graph, change, message):
    with pytest.raises(PackError, match=message):
        PromptEncoder(replace(ENCODER, **change), PROMPT, graph, words)


def test_texts_are_tokenised_by_the_packs_own_tokenizer(tmp_path):
    pytest.importorskip("tokenizers", reason="tokenizers is not installed; the extra 'text' has it")
    tokens = load_tokenizer(pack(tmp_path), ENCODER)
    assert list(tokens("Slow PIANO tuba")) == [3, 2, 0]


def test_a_damaged_tokenizer_is_refused_in_one_line(tmp_path):
    pytest.importorskip("tokenizers", reason="tokenizers is not installed; the extra 'text' has it")
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
