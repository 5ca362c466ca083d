"""The effects in the mixer: called one after another, bypassed dry when they fail.

`EffectChain.process` and `reset` belong to the mixer thread; `replace` may be called from any
thread. An effect is any callable `fx(block) -> block` on `ndarray [shape=(frames, channels)]
float32`, with as many frames out as in (it may change the channels). Whenever what is in the chain
changes (an effect fails, recovers, is put in or taken out), the step between the last frame before
and the first after is spread over one block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["EffectChain"]

Block: TypeAlias = NDArray[np.float32]
Effect: TypeAlias = Callable[[Block], Block]

_PATIENCE = 3  # failures in a row after which an effect is not called again


class EffectChain:
    """A tuple of effects with their failures counted.

    Attributes
    ----------
    errors : int
        Blocks that passed an effect dry because it raised or gave no usable block.
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
        """Use other effects from the next block on; any thread."""
        self._effects = tuple(effects)

    @property
    def bypassed(self) -> tuple[str, ...]:
        """Names of the effects given up after failing several times in a row."""
        return tuple(
            _name(effect)
            for effect, failures in zip(self._current, self._failures, strict=True)
            if failures >= _PATIENCE
        )

    def process(self, block: Block) -> Block:
        """Run a block through the chain; the result may be the block itself."""
        effects = self._effects
        changed = effects is not self._current
        if changed:
            self._current, self._failures = effects, [0] * len(effects)
        wet = [False] * len(effects)
        for index, effect in enumerate(effects):
            if self._failures[index] >= _PATIENCE:
                continue
            dry = block.copy()  # an effect may have worked in place before it failed
            try:
                block = _usable(effect(block), dry.shape[0])
                self._failures[index] = 0
                wet[index] = True
            except Exception as error:  # bypassed dry and counted: the music goes on
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
        """Have every effect forget its tail, where it has a `reset()` (PANIC)."""
        self._last = None
        for effect in self._current:
            forget = getattr(effect, "reset", None)
            if forget is None:
                continue
            try:
                forget()
            except Exception as error:  # counted like any other failure
                self.errors += 1
                self.last_error = f"{_name(effect)}: {error}".splitlines()[0]


def _usable(block: Block, frames: int) -> Block:
    block = np.asarray(block, np.float32)
    if block.ndim != 2 or block.shape[0] != frames:
        raise ValueError(f"gave {list(block.shape)} for {frames} frames")
    return block


def _joined(last: NDArray[np.float32], block: Block) -> Block:
    if block.shape[0] == 0 or last.shape[0] != block.shape[1]:
        return block
    x = np.linspace(1.0, 0.0, block.shape[0], dtype=np.float32)
    curve = (x * x * (3.0 - 2.0 * x))[:, np.newaxis]
    # A broken effect's last frame may be no number: then there is nothing to join.
    return block + np.nan_to_num(last - block[0]) * curve


def _name(effect: Effect) -> str:
    return getattr(effect, "__name__", None) or type(effect).__name__
