"""ONNX models written by hand: as much of protobuf and onnx.proto as the tests need."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

TINY = Path(__file__).parent / "data" / "packs" / "tiny"
SIZE = 64
_FLOAT = 1


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def inside(number: int, content: bytes | str) -> bytes:
    """A field with a length."""
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def tensor(location: str) -> bytes:
    """Float32 [SIZE], called w, at a place outside of the file."""
    entry = inside(1, "location") + inside(2, location)
    return number(1, SIZE) + number(2, _FLOAT) + inside(8, "w") + inside(13, entry) + number(14, 1)


def value(name: str, *shape: int) -> bytes:
    """A float32 input or output."""
    dims = b"".join(inside(1, number(1, n)) for n in shape)
    return inside(1, name) + inside(2, inside(1, number(1, _FLOAT) + inside(2, dims)))


def node(kind: str, inputs: list[str], output: str) -> bytes:
    return b"".join(inside(1, i) for i in inputs) + inside(2, output) + inside(4, kind)


def model(
    nodes: list[bytes], inputs: list[bytes], outputs: list[bytes], more: bytes = b""
) -> bytes:
    graph = more + b"".join(inside(1, n) for n in nodes) + inside(2, "g")
    graph += b"".join(inside(11, i) for i in inputs) + b"".join(inside(12, o) for o in outputs)
    return number(1, 9) + inside(7, graph) + inside(8, inside(1, "") + number(2, 18))


def adding(more: bytes) -> bytes:
    """y = x + w; `more` of the graph says where w comes from."""
    ends = [value("x", SIZE)], [value("y", SIZE)]
    return model([node("Add", ["x", "w"], "y")], *ends, more)


def relisted(pack: Path, name: str) -> Path:
    """Give a file of a pack the hash that it has now."""
    file = pack / "pack.toml"
    line = f'"{name}" = "{hashlib.sha256((pack / name).read_bytes()).hexdigest()}"'
    text, count = re.subn(f'^"{re.escape(name)}" = .*$', line, file.read_text(), flags=re.MULTILINE)
    file.write_text(text if count else f"{text}{line}\n")
    return pack


def pack_without_numbers(folder: Path) -> Path:
    """A pack in the tests' usual form whose network answers NaN, always."""
    pack = Path(shutil.copytree(TINY, folder / "tiny"))
    block = (1, 1, 64, 32)
    context = model(
        [node("Identity", ["present"], "c")],
        [value("previous", *block), value("present", 1)], [value("c", 1)],
    )  # fmt: skip
    step = model(
        [
            node("Abs", ["x"], "size"), node("Neg", ["size"], "below"), node("Log", ["below"], "a"),
            node("Add", ["alpha", "sigma"], "level"), node("Add", ["level", "c"], "all"),
            node("Add", ["a", "all"], "x0"),
        ],
        [value("x", *block), value("alpha", 1), value("sigma", 1), value("c", 1)],
        [value("x0", *block)],
    )  # fmt: skip
    for name, graph in {"context.onnx": context, "step.onnx": step}.items():
        (pack / name).write_bytes(graph)
        relisted(pack, name)
    return pack
