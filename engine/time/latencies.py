"""How long controls take until they are audible, by parts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Latencies"]


@dataclass(frozen=True)
class Latencies:
    """Output latency by parts, in seconds: what a live and a block control wait for.

    `lead` is the lead that remains when the next block is requested, not the lead of this moment.
    """

    device: float
    ring: float
    mixer: float
    lead: float
    block: float

    @property
    def live(self) -> float:
        """Until a live control is audible."""
        return self.device + self.ring + self.mixer

    @property
    def total(self) -> float:
        """Until a block control is audible, at worst."""
        return self.live + self.lead + self.block
