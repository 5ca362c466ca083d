"""How a latency is split between the lead and the stride. A pure function."""

from __future__ import annotations

from engine.errors import ConfigError

__all__ = ["lead_and_stride"]

_SHORTEST = 0.25  # seconds of stride: a block costs the same however few frames are kept


def lead_and_stride(latency: float, block_seconds: float) -> tuple[float, float]:
    """Split the time until a block control is audible into target lead (seconds) and stride.

    A control waits for the lead to be played and for one stride. Long latencies keep whole blocks.
    Short ones use half the time for the stride, down to an eighth of a block or 0.25 s.

    Raises
    ------
    ConfigError
        It is too short for the blocks of the pack.
    """
    if latency >= 1.4 * block_seconds:
        return latency - block_seconds, 1.0
    shortest = max(0.125, min(1.0, _SHORTEST / block_seconds))
    stride = max(shortest, min(1.0, latency / 2 / block_seconds))
    lead = latency - stride * block_seconds
    if lead < 0.05:
        least = shortest * block_seconds + 0.05
        raise ConfigError(
            f"latency {latency:g} s is too short for this pack; use {least:.2f} s or more"
        )
    return lead, stride
