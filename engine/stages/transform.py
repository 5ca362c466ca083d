"""A transform at work: chunks of its input wait until they are needed. Owned by the generator."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.packs.plan import StagePlan
from engine.representations.protocol import Event, Representation
from engine.representations.state import part, prefixed, taken
from engine.representations.transforms import make_transform
from engine.time.tempo_map import TempoMap

__all__ = ["TransformStage"]

Array = NDArray[np.float32]


class TransformStage:
    """Runs the transform of one stage, chunk by chunk.

    Parameters
    ----------
    plan : of the stage.
    source, output : the signals that it reads and outputs.

    Raises
    ------
    ConfigError
        The transform cannot take these signals.
    """

    def __init__(self, plan: StagePlan, source: Representation, output: Representation) -> None:
        self.plan = plan
        self.transform = make_transform(plan.stage.transform, source, output)
        self._rows = source.rows
        self._chunks: deque[tuple[int, Array]] = deque()

    @property
    def waits(self) -> bool:
        """Whether it has nothing to run on."""
        return not self._chunks

    def take(self, first: int, chunk: Array) -> None:
        """The input has committed frames, of which the first has position `first`."""
        self._chunks.append((first, chunk))

    def run(self, tempo: TempoMap) -> tuple[Array, tuple[Event, ...]]:
        """Transform the oldest chunk."""
        first, chunk = self._chunks.popleft()
        return self.transform.push(chunk, first, tempo)

    def reset(self) -> None:
        """Begin a new piece."""
        self.transform.reset()
        self._chunks.clear()

    def state(self) -> dict[str, NDArray[Any]]:
        """The transform's state, and the chunks that wait."""
        state = prefixed("transform", self.transform.state())
        for i, (first, chunk) in enumerate(self._chunks):
            state |= {f"chunk/{i}": chunk.copy(), f"first/{i}": np.array(first, np.int64)}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state, to the bit; see `Decoder.restore`."""
        chunks: deque[tuple[int, Array]] = deque()
        while f"chunk/{len(chunks)}" in state:
            first = taken(state, f"first/{len(chunks)}", (), "i8")
            frames = taken(state, f"chunk/{len(chunks)}", (self._rows, None), "f4")
            chunks.append((int(first), frames))
        self.transform.restore(part("transform", state))
        self._chunks = chunks
