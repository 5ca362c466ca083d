"""Text prompts: a text is encoded when it changes, not once per block.

Owned by the generator's thread. The tensors of a text are cached by its hash, so a text that is
used again is not encoded again. `tokenizers` is loaded only for a pack that has an encoder.
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
from engine.representations.state import array_of

__all__ = ["PromptEncoder", "Tokens", "load_tokenizer", "open_prompts"]

Array = NDArray[Any]
Tokens = Callable[[str], Sequence[int]]  # the token ids of a text
_MOST = 64  # texts in the cache
_MASK = "mask"  # outputs of this name, or ending in _mask, mark the valid rows of the others


def load_tokenizer(manifest: Manifest, encoder: Encoder) -> Tokens:
    """The tokenizer of an encoder; `PromptEncoder` does padding and truncation.

    Raises
    ------
    MissingExtra
        The library `tokenizers` is not installed.
    PackError
        The file cannot be used.
    """
    try:
        library: Any = import_module("tokenizers")  # without types, as it may not be installed
    except ImportError as error:
        raise MissingExtra(
            f"pack {manifest.name!r} uses text prompts, which need the library tokenizers; install "
            "it with: pip install 'attacca[text]'"
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
    """Encodes the values of one text control.

    Parameters
    ----------
    encoder : its row of the manifest.
    control : the text control.
    graph : with inputs `tokens` int64 [1, length] and `mask` int64 [1, length], 1 for real tokens.
    tokens : the tokenizer.
    announce : called before a text is encoded.

    Raises
    ------
    PackError
        The graph has other inputs, or lacks an output of the manifest.
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
        self.graph, self._tokens, self._announce = graph, tokens, announce
        self._cache: OrderedDict[str, dict[str, Array]] = OrderedDict()
        self._used: tuple[str, ...] = ()  # keys of the texts of the last value
        shape = (1, encoder.length)
        for name in ("tokens", "mask"):
            tensor = graph.inputs.get(name)
            if tensor is None or (tensor.shape, tensor.dtype) != (shape, "int64"):
                raise PackError(
                    f"{graph.name}: input {name!r} is {tensor}; use int64 {list(shape)}"
                )
        if unknown := [name for name in graph.inputs if name not in ("tokens", "mask")]:
            raise PackError(
                f"{graph.name}: input {unknown[0]!r} is unknown; known are tokens, mask"
            )
        for name in encoder.outputs:
            if name not in graph.outputs:
                known = ", ".join(graph.outputs)
                raise PackError(f"{graph.name}: there is no output {name!r}; known are {known}")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the tensors, by the stages' input names."""
        return {
            name: self.graph.outputs[output].shape for output, name in self._encoder.outputs.items()
        }

    def encode(self, controls: Mapping[str, Value]) -> dict[str, Array]:
        """The tensors of the control's value in `controls`, by short name; see `blend`."""
        return self.blend(controls.get(self._control.short, self._control.default))

    def blend(self, value: Value) -> dict[str, Array]:
        """The tensors of a text, or the blend of several with weights, by the stages' input names.

        Several texts give the weighted mean of their tensors, and the union of their masks. The
        arrays are read only.

        Raises
        ------
        ConfigError
            The value is not a text.
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
        """The tensors of the empty text, for the unconditional branch.

        Raises
        ------
        PackError
            The graph fails.
        """
        return dict(self._one(""))

    def state(self) -> dict[str, Array]:
        """The tensors of the texts of the last value, named HASH/INPUT."""
        return {
            f"{key}/{name}": array.copy()
            for key in self._used for name, array in self._cache[key].items()
        }  # fmt: skip

    def restore(self, state: Mapping[str, Array]) -> None:
        """Use the tensors of a state, so that its texts are not encoded again.

        Raises
        ------
        ConfigError
            It is the state of another encoder; then nothing has changed.
        """
        shapes = self.shapes
        keys = dict.fromkeys(key_and_name.partition("/")[0] for key_and_name in state)
        found = {
            key: {name: array_of(state, f"{key}/{name}", shapes[name], "f4") for name in shapes}
            for key in keys
        }
        self._cache |= found
        self._used = tuple(keys)

    def _one(self, text: str) -> dict[str, Array]:
        key = _key(text)
        if key not in self._cache:
            self._cache[key] = self._run(text)
            while len(self._cache) > _MOST:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _run(self, text: str) -> dict[str, Array]:
        self._announce("encode")
        length = self._encoder.length
        ids = list(self._tokens(text))[:length]
        tokens, mask = np.zeros((2, 1, length), np.int64)
        tokens[0, : len(ids)] = ids
        mask[0, : len(ids)] = 1
        names = list(self._encoder.outputs)
        arrays = self.graph.run({"tokens": tokens, "mask": mask}, names)
        return {
            self._encoder.outputs[name]: np.asarray(array, np.float32)
            for name, array in zip(names, arrays, strict=True)
        }


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_mask(output: str) -> bool:
    return output == _MASK or output.endswith(f"_{_MASK}")
