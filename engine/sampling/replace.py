"""Clean values that a sampled block must contain: its context, or cells of it.

Pure values and functions: any thread or process may use them. A block is ndarray [rows, frames]
(or with any axes before the frames), frames last, in the network's scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError

__all__ = ["Fixed", "Replace", "place"]

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Replace:
    """Clean frames that the block must contain (continuing by replacement), or cells (inpainting).

    Before each evaluation of the network, their place in x is overwritten with these values noised
    to that row's level, and in the finished block with the values themselves (Lugmayr et al. 2022).

    Attributes
    ----------
    context : ndarray [shape=(..., n)]
        Clean frames, of the block's shape but for the last axis.
    start : int
        Frame of the block where they stand; 0 continues the past.
    mask : ndarray of bool [shape=the context's], optional
        The cells that count; the others are left to the network.
    overlap : int
        The last so many frames of the context are not overwritten. There x0 is a crossfade instead,
        from the context to the network's x0, by a linear ramp, and so is the finished block. Where
        it takes the place of frames that are not committed yet, the join is a crossfade.
    """

    context: FloatArray
    start: int = 0
    mask: NDArray[np.bool_] | None = None
    overlap: int = 0


@dataclass(frozen=True, eq=False)
class Fixed:
    """A `Replace` laid out over a block.

    Attributes
    ----------
    where : index
        The cells to overwrite: a mask of the block's shape or, without one, a tuple of slices.
    region : tuple of slices
        The frames of the context.
    overlap : slice
        The frames of the overlap; empty without one.
    ramp : ndarray [shape=(overlap,)] float64
        Weight of the context in x0 there, falling; everywhere else it is 0.
    """

    where: Any
    region: tuple[Any, ...]
    overlap: slice
    ramp: NDArray[np.float64]


def place(replace: Replace, shape: tuple[int, ...]) -> Fixed:
    """Lay clean frames out over a block of `shape`.

    Raises
    ------
    ConfigError
        The context does not fit in the block, or the overlap not in the context.
    """
    context = replace.context.shape
    fits = len(context) == len(shape) and context[:-1] == shape[:-1]
    if not fits or replace.start < 0 or replace.start + context[-1] > shape[-1]:
        raise ConfigError(
            f"Invalid context of shape {context} at frame {replace.start}: "
            f"it must fit in a block of {shape}, frames last"
        )
    end = replace.start + context[-1]
    region = (..., slice(replace.start, end))
    if not 0 <= replace.overlap <= context[-1]:
        raise ConfigError(
            f"Invalid overlap {replace.overlap!r}: choose 0 to {context[-1]}, the context's frames"
        )
    if replace.overlap and replace.mask is not None:
        raise ConfigError(
            f"Invalid overlap {replace.overlap!r} with a mask: choose 0, or replace whole frames"
        )
    overlap = slice(end - replace.overlap, end)
    ramp = np.arange(replace.overlap, 0, -1) / (replace.overlap + 1)
    if replace.mask is None:
        return Fixed((..., slice(replace.start, overlap.start)), region, overlap, ramp)
    cells = np.zeros(shape, bool)
    cells[region] = replace.mask
    return Fixed(cells, region, overlap, ramp)
