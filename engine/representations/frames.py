"""Functions for all representations: checks of frames and samples, whole hops, empty frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.representations.protocol import Array
from engine.representations.signals import Signal

__all__ = ["check_frames", "check_samples", "empty_frame", "whole_hop"]


def check_samples(samples: Array, channels: int) -> None:
    """Refuse samples that are not [channels, n].

    Raises
    ------
    ConfigError
    """
    if samples.ndim != 2 or len(samples) != channels:
        raise ConfigError(f"samples of shape {samples.shape}; use ({channels}, samples)")


def check_frames(frames: Array, rows: int) -> None:
    """Refuse frames that are not [rows, n].

    Raises
    ------
    ConfigError
    """
    if frames.ndim != 2 or len(frames) != rows:
        raise ConfigError(f"frames of shape {frames.shape}; use ({rows}, frames)")


def whole_hop(signal: Signal) -> int:
    """Samples per frame, for representations that need a whole number.

    Raises
    ------
    ConfigError
        The grid is not of whole samples.
    """
    samples = signal.grid.samples
    if samples is None or samples.denominator != 1 or samples < 1:
        raise ConfigError(
            f"signal {signal.name!r}: a {signal.kind} needs a grid of whole samples, such as "
            "grid = { samples = 256 }"
        )
    return int(samples)


def empty_frame(signal: Signal, load: Callable[[str], NDArray[Any]]) -> Array:
    """The frame that stands for no past [rows, 1]: a number, a file of one frame, or 0.

    Raises
    ------
    ConfigError
        The file has another content.
    """
    if isinstance(signal.empty, str) and signal.empty:
        frame = np.asarray(load(signal.empty), np.float32)
        if frame.size != signal.rows or not np.isfinite(frame).all():
            raise ConfigError(
                f"signal {signal.name!r}: {signal.empty!r} has shape {frame.shape}; use one "
                f"frame of {signal.rows} finite numbers"
            )
        return frame.reshape(-1, 1).copy()
    return np.full((signal.rows, 1), float(signal.empty or 0.0), np.float32)
