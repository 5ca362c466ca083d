"""Graphs in ONNX Runtime. One thread (the generator's) owns an executor and its graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from engine.errors import PackError
from engine.execution.host_walker import HostWalker
from engine.execution.protocols import Array, Feed, Graph, TensorInfo, Walker
from engine.execution.targets import Target
from engine.onnx_runtime import open_session
from engine.packs.files import read_graph
from engine.packs.manifest import Manifest

__all__ = ["OnnxExecutor", "OnnxGraph", "open_graph"]

# ONNX Runtime's types -> numpy's. Whole numbers are tokens of an encoder.
_INPUT_TYPES = {"tensor(float)": "float32", "tensor(int64)": "int64"}
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
        A shape is not fixed, an input is neither float32 nor int64, or an output not float32.
    """

    def __init__(self, name: str, session: Any) -> None:
        self.name, self.session = name, session
        self.inputs = _tensors(name, session.get_inputs(), _INPUT_TYPES)
        self.outputs = _tensors(name, session.get_outputs(), _OUTPUT_TYPES)

    def run(self, feed: Feed, outputs: Sequence[str]) -> list[Array]:
        """The named outputs, in that order; PackError where the graph fails."""
        try:
            return self.session.run(list(outputs), dict(feed))
        except Exception as error:  # ONNX Runtime raises a dozen unrelated types
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise PackError(f"{self.name}: the graph fails ({first})") from error


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


class OnnxExecutor:
    """Opens graphs with one of ONNX Runtime's providers.

    Parameters
    ----------
    target : available on this machine (`engine.execution.targets.checked_target`).
    threads : within one operator. Never more than there are idle cores: spinning is off, but
        threads that wait for each other still cost.
    flush_denormals : computes with denormals as zero, which decaying notes are full of. ONNX
        Runtime sets that for the whole calling thread and for good: for a process of its own.
    announce : called with the kind of work (`open`) before each graph is opened.
    """

    def __init__(
        self,
        target: Target,
        threads: int,
        *,
        flush_denormals: bool,
        announce: Callable[[str], object],
    ) -> None:
        self.target = target.name
        self._options = {
            "threads": threads, "provider": target.provider, "flush_denormals": flush_denormals
        }  # fmt: skip
        self._announce = announce

    def open(self, manifest: Manifest, file: str) -> OnnxGraph:
        """Open one of a pack's graphs (see `engine.execution.protocols.Executor`)."""
        self._announce("open")
        session = open_graph(manifest, file, **self._options)
        return OnnxGraph(str(manifest.path(file)), session)

    def walker(self, step: Graph, shape: tuple[int, int]) -> Walker:
        """A walker for a step graph."""
        return HostWalker(step, shape)
