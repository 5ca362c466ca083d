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

__all__ = ["DEFAULT_ROUNDS", "Fixed", "Replace", "default_overlap", "place"]

FloatArray = NDArray[np.floating[Any]]
DEFAULT_ROUNDS = 2  # of resampling; docs/sampling.md has the measurements


def default_overlap(context: int) -> int:
    """The default overlap: an eighth of the context, at least one frame."""
    return max(1, context // 8)


@dataclass(frozen=True, eq=False)
class Replace:
    """Clean frames that the block must contain (continuing by replacement), or cells (inpainting).

    Before each evaluation of the network, x is overwritten there with these values, noised to the
    level of the row; the finished block is overwritten with the values themselves (Lugmayr et al.
    2022).

    Attributes
    ----------
    context : ndarray [shape=(..., n)]
        Clean frames, with the block's shape except for the last axis.
    start : int
        Frame of the block where they start; 0 continues the past.
    mask : ndarray of bool [shape=the context's], optional
        The cells to replace; the others are left to the network.
    overlap : int
        The number of frames at the end of the context that are sampled again. From the middle of
        the walk on they are no longer overwritten, the last frame first, so that they match the
        block. In the finished block they replace those of the context, which must not be committed
        yet. Not with a mask.
    """

    context: FloatArray
    start: int = 0
    mask: NDArray[np.bool_] | None = None
    overlap: int = 0


@dataclass(frozen=True, eq=False)
class Fixed:
    """A `Replace` for a block, with its frames for each row of a table.

    Attributes
    ----------
    region : tuple
        Index of the context in the block.
    cells : ndarray of bool [shape=the block's], or None
        The cells to overwrite, with a mask.
    start : int
        First frame of the context.
    ends : tuple of int
        For each row, the frame at which overwriting ends; the last is that of the finished block.
    """

    region: tuple[Any, ...]
    cells: NDArray[np.bool_] | None
    start: int
    ends: tuple[int, ...]

    def where(self, row: int) -> Any:
        """Index of the values to overwrite in a row; row -1 is the finished block."""
        return (..., slice(self.start, self.ends[row])) if self.cells is None else self.cells


def place(replace: Replace, shape: tuple[int, ...], rows: int) -> Fixed:
    """Place clean values in a block of `shape`, for a table of `rows` rows.

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
    if not 0 <= replace.overlap <= context[-1]:
        raise ConfigError(
            f"Invalid overlap {replace.overlap!r}: choose 0 to {context[-1]}, the context's frames"
        )
    if replace.overlap and replace.mask is not None:
        raise ConfigError(
            f"Invalid overlap {replace.overlap!r} with a mask: choose 0, or replace whole frames"
        )
    end = replace.start + context[-1]
    region = (..., slice(replace.start, end))
    cells = None
    if replace.mask is not None:
        cells = np.zeros(shape, bool)
        cells[region] = replace.mask
    progress = [(row + 1) / rows for row in range(rows)]
    ends = tuple(end - round(replace.overlap * max(0.0, 2 * done - 1)) for done in progress)
    return Fixed(region, cells, replace.start, ends)
