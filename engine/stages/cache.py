"""A cache of a stage's past as tensors: one entry per frame, never rewritten.

Owned by the generator's thread. The `read` graph turns new frames into entries:

    frames    [1, rows, n]   clean frames that follow the ones read before
    position  [1]            position of the first frame
    others    [1, rows, m]   frames of the stage's inputs at the same place, by graph input
    past_NAME [..., past, c] the entries so far, for each of its outputs
    count     [1]            the number of valid ones (the last ones)
    -> NAME   [..., n, c]    the new entries, one tensor or several

A step or context graph reads `[..., past, c]` as NAME, with `count`, and `position` [1] of the next
frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.execution.executor import Graph
from engine.stages.log import SignalLog

__all__ = ["FrameCache"]

Others = Callable[[int, int], Mapping[str, NDArray[np.float32]]]


class FrameCache:
    """Keeps the entries of the last frames.

    Parameters
    ----------
    read : the graph above.
    past : frames whose entries are kept.
    readers : the graphs that read the entries.

    Raises
    ------
    PackError
        The graphs do not match each other.
    """

    def __init__(self, read: Graph, past: int, readers: Sequence[Graph]) -> None:
        self._read, self._past = read, past
        if "frames" not in read.inputs:
            raise PackError(f"{read.name}: input 'frames' is missing; export the pack again")
        self._chunk = read.inputs["frames"].shape[-1]
        self._shapes: dict[str, tuple[int, ...]] = {}
        for name, tensor in read.outputs.items():
            shape = (*tensor.shape[:-2], past, tensor.shape[-1])
            wanted = {reader.inputs[name].shape for reader in readers if name in reader.inputs}
            if tensor.shape[-2] != self._chunk or wanted - {shape}:
                raise PackError(
                    f"{read.name}: output {name!r} is {list(tensor.shape)}; use "
                    f"[..., {self._chunk}, channels], and [..., {past}, channels] where it is read"
                )
            self._shapes[name] = shape
        self.clear()

    def clear(self) -> None:
        """Clear the cache; the frames in the log are then read again."""
        self._entries = {n: np.zeros(shape, np.float32) for n, shape in self._shapes.items()}
        self._count = 0
        self._position: int | None = None  # of the frame after the last one that was read

    def tensors(self, log: SignalLog, others: Others) -> dict[str, NDArray[Any]]:
        """The entries up to the last committed frame; reads the new frames.

        `others` returns what the stage reads of other signals from a position to before another.

        Raises
        ------
        PackError
            The graph fails, or the committed frames are not a whole number of chunks.
        """
        if log.has_past:
            begin = self._position
            if begin is None:  # a replaced past: all frames in the log
                begin = log.position - min(self._past, log.length) // self._chunk * self._chunk
            if (log.position - begin) % self._chunk:
                raise PackError(
                    f"{self._read.name}: {log.position - begin} frames are committed, but it reads "
                    f"{self._chunk} at a time; choose another stride"
                )
            for first in range(begin, log.position, self._chunk):
                end = first + self._chunk
                self._read_chunk(log.window(first, end), first, others(first, end))
        # Before the piece there is nothing to read: empty frames have no entries.
        self._position = log.position
        now = np.array([float(log.position)], np.float32)
        count = np.array([float(self._count)], np.float32)
        return {**self._entries, "position": now, "count": count}

    def _read_chunk(
        self, frames: NDArray[np.float32], first: int, others: Mapping[str, NDArray[np.float32]]
    ) -> None:
        read = self._read
        feed: dict[str, NDArray[Any]] = {"frames": frames.reshape(read.inputs["frames"].shape)}
        known = {
            **{f"past_{name}": entries for name, entries in self._entries.items()},
            **{n: a.reshape(read.inputs[n].shape) for n, a in others.items() if n in read.inputs},
            "position": np.array([float(first)], np.float32),
            "count": np.array([float(self._count)], np.float32),
        }
        feed |= {name: known[name] for name in read.inputs if name in known}
        names = list(self._entries)
        for name, new in zip(names, read.run(feed, names), strict=True):
            joined = np.concatenate([self._entries[name], new], axis=-2)
            self._entries[name] = joined[..., -self._past :, :]
        self._count = min(self._past, self._count + self._chunk)

    def state(self) -> dict[str, NDArray[Any]]:
        """The state as named arrays."""
        position = -1 if self._position is None else self._position
        known = int(self._position is not None)
        return {**self._entries, "cache_count": np.array([self._count, known, position], np.int64)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state; raises ValueError for the state of another cache."""
        entries = {name: np.array(state[name], np.float32) for name in self._shapes}
        for name, array in entries.items():
            if array.shape != self._shapes[name]:
                raise ValueError(f"{name} of shape {array.shape} for {self._shapes[name]}")
        self._entries = entries
        self._count, known, position = (int(n) for n in state["cache_count"])
        self._position = position if known else None
