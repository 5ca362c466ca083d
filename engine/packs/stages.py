"""Stages of a pack as data: the signals they read and produce. Any thread, any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CONTINUES", "KINDS", "Guidance", "Input", "Sampling", "Stage", "Steps"]

KINDS = ("diffusion", "network", "transform")
CONTINUES = ("none", "embed", "prefix", "cache", "replace")


def _no_options() -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Input:
    """Frames of a signal that a stage reads.

    The window starts `before` frames of that signal before the block and ends `after` frames
    after it. `graph_input` is the tensor that receives it; a transform has none.
    """

    signal: str
    before: int = 0
    after: int = 0
    graph_input: str = ""


@dataclass(frozen=True)
class Steps:
    """Network evaluations per block without guidance: the fewest, the default, the most."""

    least: int = 1
    default: int = 1
    most: int = 200


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance: the condition that was sometimes dropped in training.

    `branch` is "" (none), "past" or "controls"; `scale` is the default. The unconditional branch is
    evaluated in every `every`-th row of the sampler's table.
    """

    branch: str = ""
    scale: float = 1.0
    every: int = 2


@dataclass(frozen=True)
class Sampling:
    """How a diffusion stage is sampled.

    `schedule` and `sampler` are names in engine/sampling, with their options; `sigma_data` is the
    standard deviation of the data that the network was trained on; `temperature` scales the noise
    that a block starts from.
    """

    schedule: str = "karras"
    schedule_options: Mapping[str, float] = field(default_factory=_no_options)
    sampler: str = "dpmpp_2m"
    sampler_options: Mapping[str, float] = field(default_factory=_no_options)
    steps: Steps = field(default_factory=Steps)
    guidance: Guidance = field(default_factory=Guidance)
    sigma_data: float = 0.5
    temperature: float = 1.0


@dataclass(frozen=True)
class Stage:
    """Produces the frames of one signal.

    Attributes
    ----------
    output : the signal.
    continues : how a diffusion stage's block continues its own past (see docs/packs.md).
    block : frames of one run; a transform has none: it reads what its input commits.
    past : frames of its own past that a run reads.
    overlap, resample : of `replace`: provisional frames at the end of the past that are sampled
        again, and how often each interval is run (0: another way of continuing).
    graphs : files by purpose: `context`, `step` and `final` of a diffusion stage, `read` of a
        cache, `run` of a network stage.
    transform : the name of a built-in transform.
    controls : of the pack or the engine that it reads.
    noise_key : its number in the key of the noise.
    """

    name: str
    kind: str
    output: str
    inputs: tuple[Input, ...] = ()
    continues: str = "none"
    block: int = 0
    past: int = 0
    overlap: int = 0
    resample: int = 0
    graphs: Mapping[str, str] = field(default_factory=dict[str, str])
    transform: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    controls: tuple[str, ...] = ()
    noise_key: int = 0

    @property
    def read_past(self) -> int:
        """Frames of its own past that a run reads."""
        return self.block if self.continues == "embed" else self.past
