"""Signals of a pack: streams of frames on grids. Pure data: any thread, any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

__all__ = ["Grid", "Signal"]


@dataclass(frozen=True)
class Grid:
    """Where the frames of a signal lie: every so many samples, or so many in a beat.

    Exactly one is set. `samples` is samples per frame at the pack's rate, `per_beat` frames per
    beat.
    """

    samples: Fraction | None = None
    per_beat: Fraction | None = None


@dataclass(frozen=True)
class Signal:
    """One stream of frames.

    Attributes
    ----------
    kind : a representation (engine/representations).
    rows : of a frame, all channels together, those of channel 0 first.
    empty : the frame that stands for no past: a number, a file of one frame, or "" for the
        representation's own.
    options : of the representation.
    """

    name: str
    kind: str
    rows: int
    channels: int
    grid: Grid
    empty: str | float = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
