"""The notes stage on beats: excerpts with noise, and the cross entropy of their clean cells.

See training/nets/beats.py for the network and training/nets/beliefs.py for the cross entropy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.data.beats import Beats
from training.data.cells import KEYS, ONSET
from training.data.conditions import BLOCK
from training.nets.beats import BeatsConfig, BeatsNet
from training.nets.beliefs import Beliefs, cross_entropy, posterior, unseen
from training.run import Batch, Schedule, Task

_LEVELS = (2.0, 1.0, 0.5)
_VALUE_WEIGHT = 0.3  # of velocities and lengths: their deviations are chosen, not measured
_HELD = 32  # excerpts of held-out works


@dataclass(frozen=True)
class BeatsPreset:
    """The settings of a run.

    `tokens` is the length of an excerpt, `batch` the number of excerpts. The noise of each block is
    ln(sigma) ~ N(mean, std^2), within `sigma_min` and `sigma_max`. In a share `mixed` of the blocks
    some cells are nearly clean (`sigma_min`) and all others nearly unknown (`sigma_blind`).
    """

    network: BeatsConfig = field(default_factory=BeatsConfig)
    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            rate=1.5e-3, warm_up=800, decay_after=0.5, clip=5.0, ema=4_000, bfloat16=True
        )
    )
    tokens: int = 320
    batch: int = 4
    mean: float = 0.0
    std: float = 0.8
    sigma_min: float = 0.15
    sigma_max: float = 10.0
    mixed: float = 0.5
    sigma_blind: float = 6.0


class BeatsTask(Task[BeatsNet]):
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
        self, model: BeatsNet, batch: Batch, noise: torch.Generator, progress: float = 1.0
    ) -> Tensor:
        """Mean cross entropy of a token, in nats: that of the prior and that of noisy cells."""
        clean = batch["cells"]
        b, n = clean.shape[:2]
        sigma = levels(self.preset, b, n // BLOCK, noise).to(clean.device)
        eps = torch.randn(clean.shape, generator=noise).to(clean.device)
        known = batch["known"][:, :, 0] if "known" in batch else None
        x = clean + sigma[:, :, None] * eps
        prior, beliefs = model(x, sigma, batch)
        total = torch.zeros(b, n, device=clean.device)
        for found, of in ((unseen(prior), prior), (_seen(beliefs, x, sigma), beliefs)):
            onset, place, value = cross_entropy(found, of, clean, known)
            total = total + onset + place + _VALUE_WEIGHT * value
        return total.mean()

    def validate(self, ema: BeatsNet) -> dict[str, float]:
        """Nats per onset on held-out works, all conditions free.

        `onset`, `place` and `value` are the prior's: of the onsets, of their places, of velocities
        and lengths. `onset_S` is that of onsets at noise S, and `alone_S` the same if each key knew
        its own noisy cell and no other: where the two are equal, the keys of a block are drawn
        independently of each other. Measured in the second half of excerpts, where there is a past.
        """
        if self._validation is None:
            self._validation = self._held.plain(np.random.default_rng(3), _HELD)
        device = next(ema.parameters()).device
        batch = {k: t.to(device) for k, t in self._validation.items()}
        noise = torch.Generator().manual_seed(3)
        clean = batch["cells"]
        late = clean.shape[1] // 2
        count = (clean[:, late:, ONSET] > 0).sum()

        def nats(found: Beliefs, beliefs: Beliefs) -> list[float]:
            values = cross_entropy(found, beliefs, clean)
            return [float(v[:, late:].sum() / count) for v in values]

        out: dict[str, float] = {}
        for level in _LEVELS:
            sigma = torch.full((*clean.shape[:2], 1), level, device=device)
            x = clean + level * torch.randn(clean.shape, generator=noise).to(device)
            prior, beliefs = ema(x, sigma, batch)
            if not out:
                names = ("onset", "place", "value")
                out.update(zip(names, nats(unseen(prior), prior), strict=True))
            out[f"onset_{level:g}"] = nats(_seen(beliefs, x, sigma), beliefs)[0]
            out[f"alone_{level:g}"] = nats(_seen(prior, x, sigma), prior)[0]
        return out

    def facts(self) -> dict[str, Any]:
        """The preset's name and the network's sizes."""
        return {"preset": self.name, "network": json.dumps(self.preset.network.as_dict())}


def levels(preset: BeatsPreset, count: int, blocks: int, noise: torch.Generator) -> Tensor:
    """Noise of each cell: [count, 4 blocks, 88].

    Most blocks have one level. In the others some cells are nearly clean, the rest nearly unknown:
    whole tokens, whole keys, or single cells (compare Chen et al. 2024, independent levels). There
    the network can only learn of a cell from the others.
    """
    p, shape = preset, (count, blocks)
    one = torch.exp(p.mean + p.std * torch.randn(*shape, 1, 1, generator=noise))
    one = one.clamp(p.sigma_min, p.sigma_max)
    share, kind = torch.rand(2, *shape, 1, 1, generator=noise)
    of_token = torch.rand(*shape, BLOCK, 1, generator=noise)
    of_key = torch.rand(*shape, 1, KEYS, generator=noise)
    of_cell = torch.rand(*shape, BLOCK, KEYS, generator=noise)
    drawn = torch.where(kind < 0.25, of_token, torch.where(kind < 0.5, of_key, of_cell))
    some = torch.where(drawn < share, p.sigma_min, p.sigma_blind)
    mixed = torch.rand(*shape, 1, 1, generator=noise) < p.mixed
    return torch.where(mixed, some, one.expand_as(some)).flatten(1, 2)


def _seen(beliefs: Beliefs, x: Tensor, sigma: Tensor) -> Beliefs:
    return posterior(beliefs, x, sigma[:, :, None])
