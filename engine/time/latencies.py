"""The latency of controls, by parts. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Latencies"]


@dataclass(frozen=True)
class Latencies:
    """The parts of the latency of live and block controls, in seconds.

    `lead` is the lead at which the next block is requested, not the present lead.
    """

    device: float
    ring: float
    mixer: float
    lead: float
    block: float

    @property
    def live(self) -> float:
        """Seconds until a live control is audible."""
        return self.device + self.ring + self.mixer

    @property
    def total(self) -> float:
        """The most seconds until a block control is audible."""
        return self.live + self.lead + self.block
