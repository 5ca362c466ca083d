"""The mixer's effect chain: effects run in series; an effect that fails is bypassed.

The mixer thread calls `EffectChain.process` and `reset`; any thread may call `replace`. An effect
is a callable `fx(block) -> block` on `ndarray [shape=(frames, channels)] float32` that returns as
many frames as it gets (the number of channels may differ). When the active effects change (one
fails, recovers, is added or removed), the step between two blocks is spread over one block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["EffectChain"]

Block: TypeAlias = NDArray[np.float32]
Effect: TypeAlias = Callable[[Block], Block]

_MOST_FAILURES = 3  # in a row; after that an effect is not called again


class EffectChain:
    """Effects in series, with a count of their failures.

    Attributes
    ----------
    errors : int
        Blocks that bypassed an effect because it raised or returned an unusable block.
    last_error : str
        The last of those errors, in one line.
    """

    def __init__(self, effects: Sequence[Effect] = ()) -> None:
        self.errors = 0
        self.last_error = ""
        self._effects = tuple(effects)
        self._current = self._effects
        self._failures = [0] * len(self._effects)
        self._wet = (True,) * len(self._effects)
        self._last: NDArray[np.float32] | None = None

    def replace(self, effects: Sequence[Effect]) -> None:
        """Replace the effects from the next block on; any thread."""
        self._effects = tuple(effects)

    @property
    def bypassed(self) -> tuple[str, ...]:
        """Names of the effects that are bypassed after several failures in a row."""
        return tuple(
            _name(effect)
            for effect, failures in zip(self._current, self._failures, strict=True)
            if failures >= _MOST_FAILURES
        )

    def process(self, block: Block) -> Block:
        """Process a block; the result may be the block itself."""
        effects = self._effects
        changed = effects is not self._current
        if changed:
            self._current, self._failures = effects, [0] * len(effects)
        wet = [False] * len(effects)
        for index, effect in enumerate(effects):
            if self._failures[index] >= _MOST_FAILURES:
                continue
            dry = block.copy()  # an effect may have worked in place before it failed
            try:
                block = _usable(effect(block), dry.shape[0])
                self._failures[index] = 0
                wet[index] = True
            except Exception as error:  # bypass and count it: the music continues
                block = dry
                self._failures[index] += 1
                self.errors += 1
                text = f"{_name(effect)}: {type(error).__name__}: {error}"
                self.last_error = text.splitlines()[0]
        if (changed or tuple(wet) != self._wet) and self._last is not None:
            block = _joined(self._last, block)
        self._wet = tuple(wet)
        if block.shape[0]:
            self._last = block[-1].copy()
        return block

    def reset(self) -> None:
        """Call `reset()` of every effect that has one, to drop its tail (PANIC)."""
        self._last = None
        for effect in self._current:
            reset = getattr(effect, "reset", None)
            if reset is None:
                continue
            try:
                reset()
            except Exception as error:  # counted like any other failure
                self.errors += 1
                self.last_error = f"{_name(effect)}: {error}".splitlines()[0]


def _usable(block: Block, frames: int) -> Block:
    block = np.asarray(block, np.float32)
    if block.ndim != 2 or block.shape[0] != frames:
        raise ValueError(f"returned shape {list(block.shape)} for {frames} frames")
    return block


def _joined(last: NDArray[np.float32], block: Block) -> Block:
    if block.shape[0] == 0 or last.shape[0] != block.shape[1]:
        return block
    x = np.linspace(1.0, 0.0, block.shape[0], dtype=np.float32)
    curve = (x * x * (3.0 - 2.0 * x))[:, np.newaxis]
    # The last frame of a failed effect may be NaN: then there is nothing to join.
    return block + np.nan_to_num(last - block[0]) * curve


def _name(effect: Effect) -> str:
    return getattr(effect, "__name__", None) or type(effect).__name__
