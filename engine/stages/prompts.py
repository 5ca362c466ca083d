"""Text prompts: a text becomes tensors when it changes, never once per block.

Owned by the generator's thread. The tensors of a text are kept by its hash, so a text that returns
is not encoded again. `tokenizers` is loaded only for a pack that has an encoder.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.controls.control import Control, Value
from engine.errors import MissingExtra, PackError
from engine.execution.protocols import Executor, Graph
from engine.packs.files import read_file
from engine.packs.manifest import Encoder, Manifest

__all__ = ["PromptEncoder", "Tokens", "load_tokenizer", "open_prompts"]

Array = NDArray[Any]
Tokens = Callable[[str], Sequence[int]]  # a text as the numbers of its tokens
_MOST = 64  # texts whose tensors are kept
_MASK = "mask"  # outputs called so, or ending in _mask, say which rows of the others count


def load_tokenizer(manifest: Manifest, encoder: Encoder) -> Tokens:
    """The tokenizer of an encoder, with padding and truncation left to `PromptEncoder`.

    Raises
    ------
    MissingExtra
        The library `tokenizers` is not installed.
    PackError
        The file cannot be used.
    """
    try:
        library: Any = import_module("tokenizers")  # no types where it is not installed
    except ImportError as error:
        raise MissingExtra(
            f"pack {manifest.name!r} takes text, which needs the library tokenizers; install it "
            "with: pip install 'attacca[text]'"
        ) from error
    data = read_file(manifest, encoder.tokenizer)
    try:
        tokenizer: Any = library.Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:  # the library raises plain Exceptions
        text = " ".join(str(error).split())[:120]
        raise PackError(f"{manifest.path(encoder.tokenizer)}: not a tokenizer ({text})") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda text: tokenizer.encode(text).ids


def open_prompts(manifest: Manifest, executor: Executor) -> dict[str, PromptEncoder]:
    """The encoders of a pack by the short names of their text controls.

    Raises
    ------
    MissingExtra, PackError
        The library `tokenizers` is missing; a file cannot be used, or a graph is not an encoder.
    """
    controls = {control.short: control for control in manifest.controls}
    return {
        encoder.control: PromptEncoder(
            encoder, controls[encoder.control], executor.open(manifest, encoder.graph),
            load_tokenizer(manifest, encoder),
        )
        for encoder in manifest.encoders
    }  # fmt: skip


class PromptEncoder:
    """Turns the values of one text control into named tensors.

    Parameters
    ----------
    encoder : its row of the manifest.
    control : the text control.
    graph : takes `tokens` int64 [1, length] and `mask` int64 [1, length], 1 where a token is real.
    tokens : the tokenizer.

    Raises
    ------
    PackError
        The graph has other inputs, or lacks an output that the manifest names.
    """

    def __init__(self, encoder: Encoder, control: Control, graph: Graph, tokens: Tokens) -> None:
        self._encoder, self._control = encoder, control
        self._graph, self._tokens = graph, tokens
        self._kept: OrderedDict[str, dict[str, Array]] = OrderedDict()
        shape = (1, encoder.length)
        for name in ("tokens", "mask"):
            tensor = graph.inputs.get(name)
            if tensor is None or (tensor.shape, tensor.dtype) != (shape, "int64"):
                raise PackError(
                    f"{graph.name}: input {name!r} is {tensor}; it has to be int64 {list(shape)}"
                )
        if unknown := [name for name in graph.inputs if name not in ("tokens", "mask")]:
            raise PackError(
                f"{graph.name}: input {unknown[0]!r} is unknown; known are tokens, mask"
            )
        for name in encoder.outputs:
            if name not in graph.outputs:
                known = ", ".join(graph.outputs)
                raise PackError(f"{graph.name}: there is no output {name!r}; they are {known}")

    def encode(self, value: Value, *, free: bool = False) -> dict[str, Array]:
        """The tensors of a text, or the blend of several with weights, by the stages' input names.

        Tensors of several texts are their mean by weight; of masks it is the union. With `free`
        they are zeros, as in the branch of guidance without the text. Do not write into them.

        Raises
        ------
        ConfigError
            It is not a text.
        PackError
            The graph fails.
        """
        if free:
            return self._zeros()
        value = self._control.clip(value)
        if isinstance(value, str):
            return dict(self._one(value))
        pairs = cast("tuple[tuple[str, float], ...]", value)
        found = [(self._one(text), weight) for text, weight in pairs]
        total = sum(weight for _, weight in found)
        blend: dict[str, Array] = {}
        for output, name in self._encoder.outputs.items():
            if _is_mask(output):
                blend[name] = np.max([tensors[name] for tensors, _ in found], axis=0)
            else:
                mean = sum((weight / total) * tensors[name] for tensors, weight in found)
                blend[name] = np.asarray(mean, np.float32)
        return blend

    def texts(self, value: Value) -> tuple[tuple[dict[str, Array], float], ...]:
        """The tensors of each text with its share (together 1), for packs that blend x0."""
        value = self._control.clip(value)
        if isinstance(value, str):
            return ((dict(self._one(value)), 1.0),)
        pairs = cast("tuple[tuple[str, float], ...]", value)
        total = sum(weight for _, weight in pairs)
        return tuple((dict(self._one(text)), weight / total) for text, weight in pairs)

    def state(self) -> dict[str, Array]:
        """The tensors that are kept, named HASH/INPUT, the last one used at the end."""
        return {
            f"{key}/{name}": array
            for key, tensors in self._kept.items() for name, array in tensors.items()
        }  # fmt: skip

    def restore(self, state: Mapping[str, Array]) -> None:
        """Keep the tensors of a state: its texts are not encoded again."""
        self._kept.clear()
        for key_and_name, array in state.items():
            key, _, name = key_and_name.partition("/")
            self._kept.setdefault(key, {})[name] = array

    def _one(self, text: str) -> dict[str, Array]:
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        if key not in self._kept:
            self._kept[key] = self._run(text)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _run(self, text: str) -> dict[str, Array]:
        length = self._encoder.length
        ids = list(self._tokens(text))[:length]
        tokens, mask = np.zeros((2, 1, length), np.int64)
        tokens[0, : len(ids)] = ids
        mask[0, : len(ids)] = 1
        names = list(self._encoder.outputs)
        arrays = self._graph.run({"tokens": tokens, "mask": mask}, names)
        return {
            self._encoder.outputs[name]: np.asarray(array, np.float32)
            for name, array in zip(names, arrays, strict=True)
        }

    def _zeros(self) -> dict[str, Array]:
        return {
            name: np.zeros(self._graph.outputs[output].shape, np.float32)
            for output, name in self._encoder.outputs.items()
        }


def _is_mask(output: str) -> bool:
    return output == _MASK or output.endswith(f"_{_MASK}")
