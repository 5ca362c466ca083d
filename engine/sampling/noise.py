"""Counter-based noise: the same (seed, block, stage, step) always gives the same noise.

A pure function of its arguments: any thread or process may call it. Unit normal, float32.
Philox 4x64-10 (Salmon et al. 2011) as numpy has it: the seed is the key, the rest is the counter,
so no two positions in the music share noise, and it does not depend on the order of calls.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["INITIAL_STEP", "fill_noise"]

INITIAL_STEP = 0
"""Step of the noise a block starts from; row i of the table uses step i + 1."""

_WORD = (1 << 64) - 1


def fill_noise(
    out: NDArray[np.floating[Any]], seed: int, block: int, stage: int = 0, step: int = INITIAL_STEP
) -> NDArray[np.floating[Any]]:
    """Overwrite `out` with standard normal noise and return it.

    Parameters
    ----------
    out : ndarray, any shape, C-contiguous float32 (or float64)
        float64 receives the same float32 values, through a temporary array.
    seed, block, stage, step : int
        Modulo 2^64, so negative seeds are valid.

    Notes
    -----
    The counter's lowest word counts within one array: 2^64 draws lie between neighbouring steps.
    """
    counter = np.array([0, step & _WORD, stage & _WORD, block & _WORD], dtype=np.uint64)
    key = np.array([seed & _WORD, 0], dtype=np.uint64)
    generator = np.random.Generator(np.random.Philox(counter=counter, key=key))
    if out.dtype == np.float32:
        generator.standard_normal(dtype=np.float32, out=out)
    else:
        out[...] = generator.standard_normal(out.shape, dtype=np.float32)
    return out
