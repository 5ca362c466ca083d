"""What a stream counts, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StreamStats"]


@dataclass(frozen=True)
class StreamStats:
    """The generator: its last block, its load (generation time / block length) and its faults.

    `seconds` is the generation time of the last block. `faults` counts blocks in which a network
    returned NaN or infinity, `clipped` magnitudes that were limited to full scale. `pending`:
    whether settings have changed since the last request.
    """

    blocks: int
    steps: int
    evaluations: int
    stride: float
    eased: bool
    seconds: float
    load: float
    worst_load: float
    restarts: int
    faults: int
    clipped: int
    seed: int
    pending: bool
