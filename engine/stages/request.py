"""What one block is requested with: the block controls, and how each stage runs. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.time.tempo_map import Pace

__all__ = ["PACKS_OWN", "Request", "StageRequest"]

PACKS_OWN = "pack"  # the value of the control `sampler` for what the manifest says


def _no_stages() -> dict[str, StageRequest]:
    return {}


def _no_controls() -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class StageRequest:
    """How one stage runs: frames to keep, network evaluations, sampler, noise, guidance."""

    keep: int
    steps: int = 1
    sampler: str = PACKS_OWN
    temperature: float = 1.0
    guidance: float = 1.0


@dataclass(frozen=True)
class Request:
    """One block of the output.

    `index` counts blocks for whoever requested them; `stages` by the stages' names; `controls` by
    the short names of the pack's controls; `pace` is that of beats which no block has needed yet.
    """

    index: int
    seed: int = 1
    stages: Mapping[str, StageRequest] = field(default_factory=_no_stages)
    controls: Mapping[str, Any] = field(default_factory=_no_controls)
    pace: Pace = field(default_factory=Pace)

    def as_message(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "index": self.index,
            "seed": self.seed,
            "stages": {name: vars(stage) for name, stage in self.stages.items()},
            "controls": dict(self.controls),
            "pace": vars(self.pace),
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Request:
        """Read what `as_message` wrote."""
        stages = {name: StageRequest(**values) for name, values in message["stages"].items()}
        pace = Pace(**message["pace"])
        return cls(message["index"], message["seed"], stages, message["controls"], pace)
