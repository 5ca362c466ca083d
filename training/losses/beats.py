"""The notes stage on beats: excerpts with noise, and the cross entropy of what they were.

See training/nets/beats.py for the network and training/nets/beliefs.py for the cross entropy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.data.beats import Beats
from training.data.cells import ONSET
from training.data.conditions import BLOCK
from training.nets.beats import BeatsConfig, BeatsNet
from training.nets.beliefs import cross_entropy, posterior
from training.run import Batch, Schedule, Task

_LEVELS = (8.0, 2.0, 1.0, 0.5)
_VALUE_WEIGHT = 0.3  # of velocities and lengths: their deviations are chosen, not measured
_HELD = 32  # excerpts of held-out works


@dataclass(frozen=True)
class BeatsPreset:
    """`tokens` of an excerpt, `batch` excerpts; where the noise falls: ln(sigma) ~ N(mean, std^2),
    within `sigma_min` and `sigma_max`, and a share `blind` of blocks from `blind_from` up, where a
    block is known by its past alone.
    """

    network: BeatsConfig = field(default_factory=BeatsConfig)
    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            rate=1.5e-3, warm_up=2_000, decay_after=0.5, clip=5.0, ema=4_000, bfloat16=True
        )
    )
    tokens: int = 320
    batch: int = 4
    mean: float = -0.2
    std: float = 0.8
    sigma_min: float = 0.15
    sigma_max: float = 10.0
    blind: float = 0.15
    blind_from: float = 4.0


class BeatsTask(Task):
    """Draws excerpts, adds noise to each block at its own level and denoises all of them."""

    def __init__(self, preset: BeatsPreset, name: str, data: Path) -> None:
        self.preset, self.name = preset, name
        self._train = Beats(data, "train", preset.tokens)
        self._held = Beats(data, "held", preset.tokens)
        self._validation: Batch | None = None

    @property
    def size(self) -> int:
        """Excerpts in a batch."""
        return self.preset.batch

    def network(self) -> BeatsNet:
        """A network with fresh weights."""
        return BeatsNet(self.preset.network)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """See `training.data.beats.Beats.batch`."""
        return self._train.batch(rng, size)

    def loss(
        self, model: nn.Module, batch: Batch, noise: torch.Generator, progress: float = 1.0
    ) -> Tensor:
        """Mean cross entropy of a token, in nats."""
        p, clean = self.preset, batch["cells"]
        b, n = clean.shape[:2]
        level = torch.exp(p.mean + p.std * torch.randn(b, n // BLOCK, generator=noise))
        blind = torch.rand(b, n // BLOCK, generator=noise) < p.blind
        high = torch.rand(b, n // BLOCK, generator=noise) * (p.sigma_max - p.blind_from)
        level = torch.where(blind, high + p.blind_from, level).clamp(p.sigma_min, p.sigma_max)
        sigma = level.repeat_interleave(BLOCK, dim=1).to(clean.device)
        eps = torch.randn(clean.shape, generator=noise).to(clean.device)
        known = batch["known"][:, :, 0] if "known" in batch else None
        onset, place, value = _nats(model, batch, sigma, eps, known)
        return (onset + place + _VALUE_WEIGHT * value).mean()

    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Nats per onset at fixed levels on held-out works, everything left free.

        `onset_S` at noise S is of the onsets alone, `place_S` of their places, `value_S` of
        velocities and lengths, in the second half of excerpts, where there is a past.
        """
        if self._validation is None:
            self._validation = self._held.plain(np.random.default_rng(3), _HELD)
        device = next(ema.parameters()).device
        batch = {k: t.to(device) for k, t in self._validation.items()}
        noise = torch.Generator().manual_seed(3)
        clean = batch["cells"]
        late = clean.shape[1] // 2
        count = (clean[:, late:, ONSET] > 0).sum()
        out: dict[str, float] = {}
        for level in _LEVELS:
            sigma = torch.full(clean.shape[:2], level, device=device)
            eps = torch.randn(clean.shape, generator=noise).to(device)
            nats = _nats(ema, batch, sigma, eps, None)
            for name, values in zip(("onset", "place", "value"), nats, strict=True):
                out[f"{name}_{level:g}"] = float(values[:, late:].sum() / count)
        return out

    def facts(self) -> dict[str, Any]:
        """The preset's name and the network's sizes."""
        return {"preset": self.name, "network": json.dumps(self.preset.network.as_dict())}


def _nats(
    model: nn.Module, batch: Batch, sigma: Tensor, eps: Tensor, known: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    x = batch["cells"] + sigma[..., None, None] * eps
    beliefs = model(x, sigma, batch)
    found = posterior(beliefs, x, sigma[..., None, None])
    return cross_entropy(found, beliefs, batch["cells"], known)
