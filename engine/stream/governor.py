"""The governor: fewer steps when the lead runs low, more again when there is time.

Owned by the feeder thread. It sees, for every block, what it cost and what lead it met, and
answers the steps and stride of the next one. It never goes above what the performer asked for.

DESIGN section 4 shortens the stride as the second measure. A shorter stride makes *more* work per
second of audio, so here the second measure is the other way: a stride shorter than a block is
lengthened until the whole block is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

_CALM_BLOCKS = 6  # in a row with time to spare, before one step is given back
_SPARE = 0.75  # of the time a block may take: above it there is none to spare


@dataclass(frozen=True)
class Plan:
    """Steps and stride for the next block, and whether they are less than was asked for."""

    steps: int
    stride: float
    eased: bool


class Governor:
    """Decides steps and stride block by block.

    Parameters
    ----------
    block_seconds : length of a whole block.
    floor : the pack's fewest steps.
    active : off when offline, where time does not run out.
    """

    def __init__(self, block_seconds: float, floor: int, *, active: bool = True) -> None:
        self._block, self._floor, self._active = block_seconds, floor, active
        self._lowered = 0  # steps taken off
        self._lengthened = False
        self._calm = 0

    def plan(self, steps: int, stride: float) -> Plan:
        """What to use where `steps` and `stride` were asked for."""
        if not self._active:
            return Plan(steps, stride, eased=False)
        floor = min(self._floor, steps)
        used = max(floor, steps - self._lowered)
        kept = 1.0 if self._lengthened else stride
        return Plan(used, kept, eased=used < steps or kept > stride)

    def made(self, asked: int, plan: Plan, seconds: float, lead: float, wanted: float) -> None:
        """Note that a block with `plan` took `seconds`, and left `lead` where `wanted` is aimed at.

        `lead` is what was unheard when the block was done, the block itself not counted.
        """
        if not self._active:
            return
        load = seconds / (plan.stride * self._block)
        if lead < 0.35 * wanted or load > 1.0:
            self._calm = 0
            if plan.steps > min(self._floor, asked):
                # Straight to what would have fitted, not one by one: the lead is nearly gone.
                fitting = int(plan.steps * min(0.9, _SPARE / max(load, 1e-6)))
                self._lowered = asked - max(self._floor, min(fitting, plan.steps - 1))
            elif plan.stride < 1.0:
                self._lengthened = True
            return
        more = load * (plan.steps + 1) / plan.steps
        self._calm = self._calm + 1 if more < _SPARE and lead > 0.6 * wanted else 0
        if self._calm >= _CALM_BLOCKS:
            self._calm = 0
            if self._lengthened:
                self._lengthened = False
            elif self._lowered:
                self._lowered -= 1
