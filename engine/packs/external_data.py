"""Finds the external data files of an ONNX graph in its bytes. Pure functions, any process.

A graph may keep a tensor in another file, at a path that it names. The player passes only the files
of the pack to ONNX Runtime, so it needs these paths before it opens the graph. This module walks
the few message types of `onnx.proto` that can contain a tensor, and skips all others by their
length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["MalformedGraph", "external_files"]

# Message type -> field number -> the type of the message in that field (onnx/onnx.proto).
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
    "Entry": {},
}  # fmt: skip
_KEY, _VALUE = 1, 2  # of an entry of Tensor.external_data
_DEEPEST = 64  # graphs within graphs; protobuf itself stops at 100 messages


class MalformedGraph(ValueError):
    """The bytes are not an ONNX graph."""


def external_files(graph: bytes) -> tuple[str, ...]:
    """The paths of a graph's external data, each once, in order of appearance.

    Raises
    ------
    MalformedGraph
        The bytes cannot be read as an ONNX model.
    """
    names: dict[str, None] = {}
    for entry in _entries(memoryview(graph), "Model", 0):
        fields = {number: bytes(value) for number, value in _fields(entry)}
        if fields.get(_KEY) == b"location":
            names[fields.get(_VALUE, b"").decode("utf-8", errors="replace")] = None
    return tuple(names)


def _entries(message: memoryview, kind: str, depth: int) -> Iterator[memoryview]:
    if depth > _DEEPEST:
        raise MalformedGraph("graphs are nested too deeply")
    if kind == "Entry":
        yield message
        return
    inside = _INSIDE[kind]
    for number, value in _fields(message):
        if number in inside:
            yield from _entries(value, inside[number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of every field with a length; other fields are skipped."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == 0:
            _, at = _varint(message, at)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == 2:
            size, at = _varint(message, at)
            if size > end - at:
                raise MalformedGraph("a field is longer than the file")
            yield tag >> 3, message[at : at + size]
            at += size
        else:
            raise MalformedGraph(f"wire type {wire} does not exist in ONNX")
    if at > end:
        raise MalformedGraph("it ends within a field")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise MalformedGraph("it ends within a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedGraph("a number is too long")
