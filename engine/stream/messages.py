"""Messages between the engine and its generator process: a JSON header and named arrays.

Length-prefixed over two pipes, without pickle. One thread uses each end.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
_PREFIX = struct.Struct("<IQ")
LARGEST = 1 << 30  # bytes of either part; a larger size means that the pipe is out of sync
_TYPES = ("float32", "float64", "int64", "bool")


def _no_arrays() -> Arrays:
    return {}


@dataclass(frozen=True)
class Message:
    """`head` is plain JSON data with an `op`; `arrays` are read-only."""

    head: dict[str, Any]
    arrays: Arrays = field(default_factory=_no_arrays)

    @property
    def op(self) -> str:
        """The kind of the message."""
        return str(self.head["op"])

    @property
    def samples(self) -> NDArray[np.float32] | None:
        """The array `samples`, float32 [frames, channels], if there is one."""
        return self.arrays.get("samples")


def send(pipe: IO[bytes], head: dict[str, Any], arrays: Arrays | None = None) -> None:
    """Write one message and flush.

    Raises
    ------
    BrokenPipeError
        The other end has closed, or another thread has closed this one.
    ValueError
        An array has a type that cannot be sent.
    """
    parts: list[bytes] = []
    if arrays:
        listed: list[tuple[str, str, tuple[int, ...]]] = []
        for name, array in arrays.items():
            if array.dtype.name not in _TYPES:
                raise ValueError(f"array {name!r} is {array.dtype}; use {', '.join(_TYPES)}")
            listed.append((name, array.dtype.name, array.shape))
            parts.append(np.ascontiguousarray(array).tobytes())
        head = {**head, "arrays": listed}
    text = json.dumps(head).encode()
    message = b"".join([_PREFIX.pack(len(text), sum(map(len, parts))), text, *parts])
    try:
        pipe.write(message)
        pipe.flush()
    except ValueError as error:  # raised by a closed file
        raise BrokenPipeError("the pipe is closed") from error


def receive(pipe: IO[bytes]) -> Message | None:
    """Read one message; None at the end. Raises EOFError within a message."""
    prefix = pipe.read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise EOFError("the pipe closed within a message")
    sizes = _PREFIX.unpack(prefix)
    if max(sizes) > LARGEST:
        raise EOFError(f"a message of {max(sizes)} bytes is too large")
    text, payload = (_exactly(pipe, n) for n in sizes)
    head = json.loads(text)
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    for name, kind, shape in head.pop("arrays", ()):
        if kind not in _TYPES:
            raise EOFError(f"an array of type {kind!r} is not allowed")
        count = math.prod(shape)
        arrays[name] = np.frombuffer(payload, kind, count, at).reshape(shape)
        at += count * np.dtype(kind).itemsize
    return Message(head, arrays)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError("the pipe closed within a message")
    return data
