"""An open graph of ONNX Runtime. One thread (the generator's) owns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from engine.errors import PackError
from engine.execution.protocols import Array, Feed, TensorInfo
from engine.onnx_runtime import library, open_session
from engine.packs.files import read_graph
from engine.packs.manifest import Manifest

__all__ = ["NO_CAPTURE", "OnnxGraph", "failure", "open_graph", "run_options"]

NO_CAPTURE = -1

# ONNX Runtime's types -> numpy's. Whole numbers are tokens of an encoder, bool its masks.
_INPUT_TYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(bool)": "bool"}
_OUTPUT_TYPES = {"tensor(float)": "float32"}


def open_graph(manifest: Manifest, name: str, **options: Any) -> Any:
    """An ONNX Runtime session of one of the pack's graphs, of any shapes and types.

    Tensors that the graph keeps outside of its file come from listed files in the pack's folder.
    Options as in `engine.onnx_runtime.open_session`.

    Raises
    ------
    PackError
        A file cannot be used (`engine.packs.files.read_graph`), or the graph cannot be opened.
    """
    graph, data = read_graph(manifest, name)
    return open_session(str(manifest.folder / name), graph, data, **options)


class OnnxGraph:
    """An open graph of fixed shapes (see `engine.execution.protocols.Graph`).

    Parameters
    ----------
    name : for messages.
    session : ONNX Runtime's.

    Raises
    ------
    PackError
        A shape is not fixed, an input is not float32, int64 or bool, or an output not float32.
    """

    def __init__(self, name: str, session: Any) -> None:
        self.name, self.session = name, session
        self.inputs = _tensors(name, session.get_inputs(), _INPUT_TYPES)
        self.outputs = _tensors(name, session.get_outputs(), _OUTPUT_TYPES)
        # Arrays of the host move: a graph captured with their first addresses would read there.
        self._options = run_options(capture=NO_CAPTURE)

    def run(self, feed: Feed, outputs: Sequence[str]) -> list[Array]:
        """The named outputs, in that order; PackError where the graph fails."""
        try:
            return self.session.run(list(outputs), dict(feed), self._options)
        except Exception as error:  # ONNX Runtime raises a dozen unrelated types
            raise failure(self.name, error) from error


def run_options(*, capture: int) -> Any:
    """Options of a run: `capture` is the number, from 1, of the CUDA graph that it is captured in.

    Only ONNX Runtime's CUDA provider reads it, where it captures at all; 0 is ONNX Runtime's own.
    """
    options = library().RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(capture))
    return options


def failure(name: str, error: Exception) -> PackError:
    """What ONNX Runtime raised when it ran a graph, as an error of one line."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return PackError(f"{name}: the graph fails ({first})")


def _tensors(graph: str, found: Any, types: Mapping[str, str]) -> Mapping[str, TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    for tensor in found:
        where = f"{graph}: tensor {tensor.name!r}"
        if not all(isinstance(n, int) for n in tensor.shape):
            raise PackError(f"{where} is {tensor.shape}; shapes have to be fixed")
        if tensor.type not in types:
            raise PackError(f"{where} is a {tensor.type}; it has to be a {' or a '.join(types)}")
        tensors[tensor.name] = TensorInfo(tuple(tensor.shape), types[tensor.type])
    return MappingProxyType(tensors)
