"""Messages between the engine and its generator process: a JSON header and raw float32 samples.

Length-prefixed over two pipes, no pickle. Each end is used by one thread.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_PREFIX = struct.Struct("<II")
LARGEST = 256 << 20  # bytes of either part; a longer one means that the pipe is out of step


@dataclass(frozen=True)
class Message:
    """`head` is plain JSON data with an `op`; `samples` float32 [frames, channels], or None."""

    head: dict[str, Any]
    samples: NDArray[np.float32] | None = None

    @property
    def op(self) -> str:
        """What the message asks or answers."""
        return str(self.head["op"])


def send(pipe: IO[bytes], head: dict[str, Any], samples: NDArray[np.float32] | None = None) -> None:
    """Write one message and flush.

    Raises BrokenPipeError when the other end is gone, or when another thread has closed this one.
    """
    payload = b""
    if samples is not None:
        block = np.ascontiguousarray(samples, np.float32)
        head = {**head, "shape": block.shape}
        payload = block.tobytes()
    text = json.dumps(head).encode()
    message = _PREFIX.pack(len(text), len(payload)) + text + payload
    try:
        pipe.write(message)
        pipe.flush()
    except ValueError as error:  # what a closed file raises
        raise BrokenPipeError("the pipe is closed") from error


def receive(pipe: IO[bytes]) -> Message | None:
    """Read one message; None when the other end closed. Raises EOFError in mid-message."""
    prefix = pipe.read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise EOFError("the pipe closed within a message")
    sizes = _PREFIX.unpack(prefix)
    if max(sizes) > LARGEST:
        raise EOFError(f"a message of {max(sizes)} bytes is no message")
    text, payload = (_exactly(pipe, n) for n in sizes)
    head = json.loads(text)
    samples = None
    if "shape" in head:
        samples = np.frombuffer(payload, np.float32).reshape(head.pop("shape"))
    return Message(head, samples)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError("the pipe closed within a message")
    return data
