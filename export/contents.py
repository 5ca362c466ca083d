"""What a system returns to the exporter: networks in torch, and tables for the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.controls.control import FREE, Control
from engine.errors import ConfigError
from export.wrap import RATIOS, Denoiser, StageNetwork


@dataclass(frozen=True)
class Sampling:
    """How a stage is sampled by default."""

    sampler: str = "dpmpp_2m"
    steps: int = 8
    min_steps: int = 4
    temperature: float = 1.0
    guidance: float = 1.0
    sigma_max: float = 80.0
    sigma_min: float = 0.002
    rho: float = 7.0

    @property
    def schedule_options(self) -> dict[str, float]:
        """Of the schedule `karras`, by the engine's names."""
        return {"sigma_min": self.sigma_min, "sigma_max": self.sigma_max, "rho": self.rho}


@dataclass(frozen=True)
class StageContents:
    """One stage of a pack.

    Parameters
    ----------
    denoiser : the network; `denoiser.net.context` takes the inputs in their order.
    inputs : (i, generator) to plausible inputs of the context graph by name, [1, ...] each: the
        i-th golden vector is computed from them, and the graphs are traced with their shapes.
    shape : rows and frames of a block, with the axes before them, as the network takes it.
    table : the fields of [[stage]] beside those of `sampling` and the exporter, such as `continues`
        and `past`.
    branch : the input that was left out at times in training, for guidance: past, controls or "".
    ratios : the lowest and highest sigma / alpha that the network was trained on.
    """

    name: str
    denoiser: Denoiser[StageNetwork]
    inputs: Callable[[int, torch.Generator], dict[str, Tensor]]
    shape: tuple[int, ...]
    sampling: Sampling
    table: Mapping[str, Any]
    branch: str = ""
    ratios: tuple[float, float] = RATIOS


@dataclass(frozen=True)
class Contents:
    """A whole pack, except for its author's description (`Card`).

    Parameters
    ----------
    stages : in their order; for a transform its table of the manifest.
    head : fields at the top of the manifest beside those of the exporter and the card: `rate`,
        `channels` and `output`.
    tables : the lists of tables of the manifest except `stage`: `signal`, `control`, `encoder`.
    arrays : `.npy` files by name.
    facts : rows of the model card: a name and a description each.
    """

    stages: tuple[StageContents | Mapping[str, Any], ...]
    head: Mapping[str, Any]
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def sampled(self) -> tuple[StageContents, ...]:
        """The stages that have networks."""
        return tuple(stage for stage in self.stages if isinstance(stage, StageContents))


@dataclass(frozen=True)
class System:
    """A kind of pack that can be exported: one file of `export/systems`.

    Parameters
    ----------
    stages : each stage's default sampling, in their order. Each stage has a checkpoint: the last
        one's is the command line's first argument, another's is the option of its name.
    read : (checkpoints, sampling), both by the stages' names, to the pack's contents. Raises
        PackError for a file that is no such checkpoint.
    """

    about: str
    stages: Mapping[str, Sampling]
    read: Callable[[Mapping[str, Path], Mapping[str, Sampling]], Contents]


@dataclass(frozen=True)
class Card:
    """An author's description of a pack. All other facts are read from the checkpoints.

    Title, licence and credits have no defaults: only the author knows them.

    Raises
    ------
    ConfigError
        When one of them is empty.
    """

    name: str
    title: str
    licence: str
    credits: tuple[str, ...]
    version: str = "1.0.0"
    notes: str = ""

    def __post_init__(self) -> None:
        for option, value in (("title", self.title), ("licence", self.licence)):
            if not value.strip():
                raise ConfigError(f"A pack needs a {option}. Enter it with --{option}.")
        if not [line for line in self.credits if line.strip()]:
            raise ConfigError(
                "A pack needs credits for its training data. Use --credit, once for each line."
            )


def control_table(control: Control) -> dict[str, Any]:
    """A control as a table [[control]] of the manifest."""
    of_choice = list(zip(control.choices, control.codes, strict=bool(control.codes)))
    chosen = [(name, code) for name, code in of_choice if name != FREE]
    table = {
        "name": control.short, "kind": control.kind, "about": control.about,
        "default": list(control.default) if isinstance(control.default, tuple) else control.default,
        "unit": control.unit, "choices": [name for name, _ in chosen],
        "codes": [code for _, code in chosen], "encoding": control.encoding,
        "free": control.free, "group": control.group, "presets": control.in_presets,
    }  # fmt: skip
    if control.graph_input != control.short:
        table["graph_input"] = control.graph_input
    if control.kind in ("number", "whole", "keys"):
        bounds = (control.low, control.high)
        table["range"] = [int(n) for n in bounds] if control.kind != "number" else list(bounds)
    return table | ({"length": control.length} if control.length else {})
