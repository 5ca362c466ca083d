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
from engine.representations.state import taken

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


def open_prompts(
    manifest: Manifest, executor: Executor, announce: Callable[[str], object]
) -> dict[str, PromptEncoder]:
    """The encoders of a pack by the short names of their text controls.

    `announce` is called before a text is encoded.

    Raises
    ------
    MissingExtra, PackError
        The library `tokenizers` is missing; a file cannot be used, or a graph is not an encoder.
    """
    controls = {control.short: control for control in manifest.controls}
    return {
        encoder.control: PromptEncoder(
            encoder, controls[encoder.control], executor.open(manifest, encoder.graph),
            load_tokenizer(manifest, encoder), announce,
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
    announce : called before a text is encoded.

    Raises
    ------
    PackError
        The graph has other inputs, or lacks an output that the manifest names.
    """

    def __init__(
        self,
        encoder: Encoder,
        control: Control,
        graph: Graph,
        tokens: Tokens,
        announce: Callable[[str], object],
    ) -> None:
        self._encoder, self._control = encoder, control
        self._graph, self._tokens, self._announce = graph, tokens, announce
        self._kept: OrderedDict[str, dict[str, Array]] = OrderedDict()
        self._used: tuple[str, ...] = ()  # keys of the texts of the last value
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

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the tensors, by the stages' input names."""
        return {
            name: self._graph.outputs[output].shape
            for output, name in self._encoder.outputs.items()
        }

    def encode(self, controls: Mapping[str, Value]) -> dict[str, Array]:
        """The tensors of the text in these values by short name, or of the default.

        See `blend`.
        """
        return self.blend(controls.get(self._control.short, self._control.default))

    def blend(self, value: Value) -> dict[str, Array]:
        """The tensors of a text, or the blend of several with weights, by the stages' input names.

        Tensors of several texts are their mean by weight; of masks it is the union. Do not write
        into them.

        Raises
        ------
        ConfigError
            It is not a text.
        PackError
            The graph fails.
        """
        value = self._control.clip(value)
        whole = ((value, 1.0),) if isinstance(value, str) else value
        pairs = cast("tuple[tuple[str, float], ...]", whole)
        self._used = tuple(_key(text) for text, _ in pairs)
        found = [(self._one(text), weight) for text, weight in pairs]
        if len(found) == 1:
            return dict(found[0][0])
        total = sum(weight for _, weight in found)
        blend: dict[str, Array] = {}
        for output, name in self._encoder.outputs.items():
            if _is_mask(output):
                blend[name] = np.max([tensors[name] for tensors, _ in found], axis=0)
            else:
                mean = sum((weight / total) * tensors[name] for tensors, weight in found)
                blend[name] = np.asarray(mean, np.float32)
        return blend

    def empty(self) -> dict[str, Array]:
        """The tensors of the empty text: what guidance compares with.

        Raises
        ------
        PackError
            The graph fails.
        """
        return dict(self._one(""))

    def state(self) -> dict[str, Array]:
        """The tensors of the texts that the last value had, named HASH/INPUT."""
        return {
            f"{key}/{name}": array.copy()
            for key in self._used for name, array in self._kept[key].items()
        }  # fmt: skip

    def restore(self, state: Mapping[str, Array]) -> None:
        """Use the tensors of a state from now on: its texts are not encoded again.

        Raises
        ------
        ConfigError
            They are those of another encoder; nothing has changed then.
        """
        shapes = self.shapes
        keys = dict.fromkeys(key_and_name.partition("/")[0] for key_and_name in state)
        found = {
            key: {name: taken(state, f"{key}/{name}", shapes[name], "f4") for name in shapes}
            for key in keys
        }
        self._kept |= found
        self._used = tuple(keys)

    def _one(self, text: str) -> dict[str, Array]:
        key = _key(text)
        if key not in self._kept:
            self._kept[key] = self._run(text)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _run(self, text: str) -> dict[str, Array]:
        self._announce("encode")
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


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_mask(output: str) -> bool:
    return output == _MASK or output.endswith(f"_{_MASK}")
