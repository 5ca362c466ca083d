"""The governor: fewer steps when the lead runs low, and more again when there is time.

Owned by the feeder thread. After every block it learns the generation time and the lead, and it
decides the steps and the stride of the next block. It never exceeds the settings.

The second measure lengthens a stride that is shorter than a block until the whole block is kept: a
shorter stride would take more work per second of audio.
"""

from __future__ import annotations

from dataclasses import dataclass

_CALM_BLOCKS = 6  # in a row with time to spare, before one step is added again
_SPARE = 0.75  # of the time a block may take: above it there is no time to spare


@dataclass(frozen=True)
class BlockPlan:
    """Steps and stride for the next block, and whether they differ from the settings."""

    steps: int
    stride: float
    eased: bool


class Governor:
    """Decides steps and stride block by block.

    Parameters
    ----------
    block_seconds : length of a whole block.
    floor : the pack's fewest steps.
    active : False offline, where time does not run out.
    """

    def __init__(self, block_seconds: float, floor: int, *, active: bool = True) -> None:
        self._block, self._floor, self._active = block_seconds, floor, active
        self._lowered = 0  # steps
        self._lengthened = False
        self._calm = 0

    def plan(self, steps: int, stride: float) -> BlockPlan:
        """The plan of the next block where the settings are `steps` and `stride`."""
        if not self._active:
            return BlockPlan(steps, stride, eased=False)
        floor = min(self._floor, steps)
        used = max(floor, steps - self._lowered)
        kept = 1.0 if self._lengthened else stride
        return BlockPlan(used, kept, eased=used < steps or kept > stride)

    def observe(
        self, requested: int, plan: BlockPlan, seconds: float, lead: float, target: float
    ) -> None:
        """Learn what a block took.

        Parameters
        ----------
        requested : steps that are set.
        plan : of the block.
        seconds : generation time.
        lead : seconds of lead when the block was ready, without the block.
        target : seconds of lead to keep.
        """
        if not self._active:
            return
        load = seconds / (plan.stride * self._block)
        if lead < 0.35 * target or load > 1.0:
            self._calm = 0
            if plan.steps > min(self._floor, requested):
                # Straight to what would have fitted, not step by step: the lead is nearly gone.
                fitting = int(plan.steps * min(0.9, _SPARE / max(load, 1e-6)))
                self._lowered = requested - max(self._floor, min(fitting, plan.steps - 1))
            elif plan.stride < 1.0:
                self._lengthened = True
            return
        more = load * (plan.steps + 1) / plan.steps
        self._calm = self._calm + 1 if more < _SPARE and lead > 0.6 * target else 0
        if self._calm >= _CALM_BLOCKS:
            self._calm = 0
            if self._lengthened:
                self._lengthened = False
            elif self._lowered:
                self._lowered -= 1
