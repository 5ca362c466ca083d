"""What a system hands to the exporter: graphs as torch modules, and tables for the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import ConfigError
from export.wrap import RATIOS, Denoiser


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
    table : the stage's fields in the manifest that neither `sampling` nor the exporter knows.
    ratios : the lowest and highest sigma / alpha that the network was trained on.
    """

    name: str
    denoiser: Denoiser
    inputs: Callable[[int, torch.Generator], dict[str, Tensor]]
    shape: tuple[int, ...]
    sampling: Sampling
    table: Mapping[str, Any]
    ratios: tuple[float, float] = RATIOS


@dataclass(frozen=True)
class Contents:
    """A whole pack but for what its author says about it (`Card`).

    Parameters
    ----------
    stages : in their order.
    tables : the manifest's other tables, by name, except `pack`, `golden` and `files`.
    arrays : `.npy` files by name.
    facts : rows of the model card: what, and its description.
    """

    stages: tuple[StageContents, ...]
    tables: Mapping[str, Mapping[str, Any]]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class System:
    """A kind of pack that can be exported: one file of `export/systems`.

    Parameters
    ----------
    stages : each stage's default sampling, in their order. A checkpoint is read for each of them;
        the last one's is the command line's first argument, another's the option of its name.
    read : (checkpoints, sampling), both by the stages' names, to the pack's contents. Raises
        PackError for a file that is no such checkpoint.
    """

    about: str
    stages: Mapping[str, Sampling]
    read: Callable[[Mapping[str, Path], Mapping[str, Sampling]], Contents]


@dataclass(frozen=True)
class Card:
    """What an author says about a pack; everything else is read from the checkpoints.

    Title, licence and credits have no defaults: only the author knows them.

    Raises
    ------
    ConfigError
        One of them is empty.
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
                "A pack names whose data it is trained on. Use --credit, once for each line."
            )
