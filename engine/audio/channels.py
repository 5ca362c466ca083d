"""Conversion from the pack's channels to the device's. Pure function; any thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["to_channels"]


def to_channels(block: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Convert a block to another number of channels.

    Mono goes to the first two channels (a centre image). Several channels are averaged to one.
    Otherwise channels are copied one by one; channels without a source are silent.

    Parameters
    ----------
    block : ndarray [shape=(frames, channels_in)] float32
    channels : int

    Returns
    -------
    ndarray [shape=(frames, channels)] float32
        The block itself if it has that many channels.
    """
    have = block.shape[1]
    if have == channels:
        return block
    if channels == 1:
        return block.mean(axis=1, keepdims=True, dtype=np.float32)
    out = np.zeros((block.shape[0], channels), np.float32)
    if have == 1:
        out[:, :2] = block
    else:
        shared = min(have, channels)
        out[:, :shared] = block[:, :shared]
    return out
