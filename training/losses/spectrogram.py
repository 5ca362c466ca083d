"""The one-stage system: noisy blocks of a spectrogram, and EDM's loss, conditioned on the past.

See training/nets/unet.py for the network.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from export.wrap import Denoiser
from training.data.blocks import Blocks, Normalisation, SpectrogramConfig, normalised
from training.losses.edm import NoiseLevels, damaged_past, edm_loss, euler_rollout
from training.nets.unet import UNet, UNetConfig
from training.run import Batch, Checkpoint, Schedule, Task

_SETTLE_EVERY = 4  # steps; weights leave the unit sphere by far less than a thousandth between
_LEVELS = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
_HELD = 24  # blocks of held-out works


@dataclass(frozen=True)
class SpectrogramPreset:
    """The settings of a run.

    Against exposure bias: `context_noise` is the largest sigma added to the past,
    `context_dropout` how often there is no past, `rollout_share` how often the past is denoised
    again by the model itself, in the part of the run after `rollout_after`.
    """

    spectrogram: SpectrogramConfig
    network: UNetConfig
    noise: NoiseLevels = field(default_factory=NoiseLevels)
    batch: int = 8
    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            rate=3e-3, warm_up=480, decay_after=0.5, clip=float("inf"), ema=8_000, weight_decay=0.0
        )
    )
    context_noise: float = 0.3
    context_dropout: float = 0.1
    rollout_share: float = 0.25
    rollout_after: float = 0.7


class SpectrogramTask(Task[Denoiser[UNet]]):
    """Draws blocks in a row, damages the past of the last one, and denoises it.

    Parameters
    ----------
    preset, name : of the recipe.
    data : the dataset's folder.
    norm : of a checkpoint; by default it is measured on the training split.
    """

    def __init__(
        self,
        preset: SpectrogramPreset,
        name: str,
        data: Path,
        norm: Normalisation | None = None,
    ) -> None:
        self.preset, self.name = preset, name
        self._train = Blocks(data, "train", preset.spectrogram)
        self._held = Blocks(data, "held", preset.spectrogram)
        self.norm = norm or self._train.measure(np.random.default_rng(0))
        self._validation: Tensor | None = None

    @property
    def size(self) -> int:
        """Blocks in a batch."""
        return self.preset.batch

    def network(self) -> Denoiser[UNet]:
        """A network with fresh weights."""
        denoiser = Denoiser(UNet(self.preset.network))
        for parameter in denoiser.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return denoiser

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """`blocks` [size, 1, bins, 3 * frames] normalised: two of the past, one to denoise."""
        return {"blocks": normalised(self._train.batch(rng, size, 3), self.norm)}

    def loss(
        self, model: Denoiser[UNet], batch: Batch, noise: torch.Generator, progress: float = 1.0
    ) -> Tensor:
        """Mean EDM loss of a batch."""
        p, frames = self.preset, self.preset.spectrogram.frames
        before, previous, clean = batch["blocks"].split(frames, dim=-1)
        if progress > p.rollout_after and float(torch.rand((), generator=noise)) < (
            2 * p.rollout_share
        ):
            half = len(clean) // 2
            own = self._own(model, before[:half], previous[:half], noise)
            previous = torch.cat([own, previous[half:]])
        previous, present = damaged_past(previous, p.context_noise, p.context_dropout, noise)
        noisy, sigma = p.noise.noised(clean, noise)
        return edm_loss(model(noisy, sigma, previous, present), clean, sigma).mean()

    @torch.no_grad()
    def _own(
        self, model: Denoiser[UNet], before: Tensor, previous: Tensor, noise: torch.Generator
    ) -> Tensor:
        """The blocks `previous`, noised to a random level and denoised by the model."""
        model.eval()
        low, high = np.log(0.4), np.log(8.0)
        start = float(np.exp(low + (high - low) * float(torch.rand((), generator=noise))))
        sigmas = start * torch.tensor([1.0, 0.45, 0.15, 0.0], device=previous.device)
        context = model.net.context(before, torch.ones(len(before), device=before.device))
        eps = torch.randn(previous.shape, generator=noise).to(previous.device)
        own = euler_rollout(model, previous + start * eps, sigmas, context)
        model.train()
        return own.clamp(-4, 4)

    def after_step(self, model: Denoiser[UNet], steps: int) -> None:
        """Bring the normalised weights back to the unit sphere every few steps."""
        if steps % _SETTLE_EVERY == 0:
            model.net.settle()

    def validate(self, ema: Denoiser[UNet]) -> dict[str, float]:
        """EDM loss on held-out works at fixed noise, with and without the past."""
        if self._validation is None:
            rng = np.random.default_rng(5)
            self._validation = normalised(self._held.batch(rng, _HELD, 2), self.norm)
        device = next(ema.parameters()).device
        noise = torch.Generator().manual_seed(5)
        previous, clean = self._validation.to(device).chunk(2, dim=-1)
        losses = {}
        for key, present in (("held", 1.0), ("held_no_past", 0.0)):
            total = 0.0
            for level in _LEVELS:
                sigma = torch.full((_HELD,), level, device=device)
                eps = torch.randn(clean.shape, generator=noise).to(device)
                x0 = ema(clean + level * eps, sigma, previous, torch.full_like(sigma, present))
                total += float(edm_loss(x0, clean, sigma).mean())
            losses[key] = total / len(_LEVELS)
        return losses

    def facts(self) -> Checkpoint:
        """The preset's name, the sizes, and how the data is normalised."""
        return {
            "preset": self.name,
            "network": json.dumps(self.preset.network.as_dict()),
            "spectrogram": json.dumps(asdict(self.preset.spectrogram)),
            **self.norm.facts(),
        }
