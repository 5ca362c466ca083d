"""The notes stage: excerpts of rolls with noise, and the cross entropy of their clean cells.

See training/nets/notes.py for the network and the cross entropy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.data.rolls import Rolls
from training.nets.notes import NotesConfig, NotesNet, cross_entropy, posterior
from training.run import Batch, Schedule, Task

_LEVELS = (10.0, 2.0, 1.0, 0.5)
_SOUNDING_WEIGHT = 0.5  # which cells sound follows mostly from the onsets


@dataclass(frozen=True)
class NotesPreset:
    """The settings of a run.

    `tokens` is the length of an excerpt, `batch` the number of excerpts. The noise of each block is
    ln(sigma) ~ N(mean, std^2), within `sigma_min` and `sigma_max`; a share `blind` of the blocks is
    near `sigma_max`, where only the past helps. `context_noise` is the largest sigma added to the
    past.
    """

    network: NotesConfig = field(default_factory=NotesConfig)
    schedule: Schedule = field(default_factory=lambda: Schedule(rate=1.5e-3, clip=5.0))
    tokens: int = 160
    batch: int = 6
    mean: float = -0.2
    std: float = 0.8
    sigma_min: float = 0.15
    sigma_max: float = 10.0
    blind: float = 0.15
    context_noise: float = 0.3


class NotesTask(Task[NotesNet]):
    """Draws excerpts, adds noise to each block at its own level and denoises all of them."""

    def __init__(self, preset: NotesPreset, name: str, data: Path) -> None:
        self.preset, self.name = preset, name
        block = preset.network.block
        self._train = Rolls(data, "train", preset.tokens, block)
        self._held = Rolls(data, "held", preset.tokens, block)
        self._validation: Batch | None = None

    @property
    def size(self) -> int:
        """Excerpts in a batch."""
        return self.preset.batch

    def network(self) -> NotesNet:
        """A network with fresh weights."""
        return NotesNet(self.preset.network)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """`roll` [size, tokens, 352], `conditions` [size, tokens, 109]."""
        return self._train.batch(rng, size)

    def loss(
        self, model: NotesNet, batch: Batch, noise: torch.Generator, progress: float = 1.0
    ) -> Tensor:
        """Mean cross entropy of a token, in nats, sounding cells counted half."""
        p = self.preset
        roll, device = batch["roll"], batch["roll"].device
        b, n, _ = roll.shape
        blocks = n // p.network.block
        level = torch.exp(p.mean + p.std * torch.randn(b, blocks, generator=noise))
        blind = torch.rand(b, blocks, generator=noise) < p.blind
        high = p.sigma_max * torch.rand(b, blocks, generator=noise).mul(0.6).add(0.4)
        level = torch.where(blind, high, level).clamp(p.sigma_min, p.sigma_max)
        sigma = level.repeat_interleave(p.network.block, dim=1).to(device)
        reach = torch.where(
            torch.rand(b, generator=noise) < 0.7, n, torch.randint(0, n, (b,), generator=noise)
        ).to(device)
        x = roll + sigma[..., None] * torch.randn(roll.shape, generator=noise).to(device)
        past = self._damaged(roll, noise)
        beliefs = model(past, x, sigma, batch["conditions"], reach)
        onsets, sounding = cross_entropy(posterior(beliefs, x, sigma[..., None]), beliefs, roll)
        return (onsets + _SOUNDING_WEIGHT * sounding).mean()

    def _damaged(self, roll: Tensor, noise: torch.Generator) -> Tensor:
        """The past with the errors of a stream: onsets missing, noise on the cells."""
        b, n, rows = roll.shape
        missing = torch.rand(b, n, rows // 4, generator=noise) < 0.03 * torch.rand(
            b, 1, 1, generator=noise
        )
        damaged = roll.clone()
        damaged[..., : rows // 4] = torch.where(
            missing.to(roll.device), -1.0, roll[..., : rows // 4]
        )
        level = self.preset.context_noise * torch.rand(b, 1, 1, generator=noise).sub(0.5).clamp(0)
        return damaged + (level * torch.randn(roll.shape, generator=noise)).to(roll.device)

    def validate(self, ema: NotesNet) -> dict[str, float]:
        """Nats per token of onsets and of sounding cells, at fixed levels on held-out works."""
        if self._validation is None:
            self._validation = self._held.batch(np.random.default_rng(3), 24)
        device = next(ema.parameters()).device
        roll, conditions = (self._validation[k].to(device) for k in ("roll", "conditions"))
        noise = torch.Generator().manual_seed(3)
        out: dict[str, float] = {}
        for level in _LEVELS:
            sigma = torch.full(roll.shape[:2], level, device=device)
            x = roll + level * torch.randn(roll.shape, generator=noise).to(device)
            reach = torch.full((len(roll),), roll.shape[1], device=device)
            beliefs = ema(roll, x, sigma, conditions * 0, reach)
            onsets, sounding = cross_entropy(posterior(beliefs, x, sigma[..., None]), beliefs, roll)
            late = roll.shape[1] // 2  # where there is a past
            out[f"onset_{level:g}"] = float(onsets[:, late:].mean())
            out[f"sound_{level:g}"] = float(sounding[:, late:].mean())
        return out

    def facts(self) -> dict[str, Any]:
        """The preset's name and the network's sizes."""
        return {"preset": self.name, "network": json.dumps(self.preset.network.as_dict())}
