"""The sound stage: windows of a spectrogram with noise, and EDM's loss, conditioned on notes.

See training/nets/columns.py for the network.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.sampling.parameterisation import SIGMA_DATA
from export.wrap import Denoiser
from training.data.blocks import Normalisation, SpectrogramConfig, normalised
from training.data.columns import Windows
from training.losses.edm import NoiseLevels, damaged_past, edm_loss
from training.nets.columns import STYLES, Columns, ColumnsConfig
from training.run import Batch, Checkpoint, Schedule, Task

_LEVELS = (0.1, 0.4, 1.0, 3.0, 10.0)
_FROM = 10.0  # sigma of the noise from which a single step is measured
_HELD = 48  # windows of held-out works


@dataclass(frozen=True)
class SoundPreset:
    """The settings of a run.

    `context_noise` is the largest sigma added to the past, `context_dropout` how often there is no
    past, `style_dropout` how often a style condition is left free. `front` weighs the physical
    front's own error, so that it learns spectra rather than the residual of the trunk.
    """

    spectrogram: SpectrogramConfig
    network: ColumnsConfig
    noise: NoiseLevels = field(default_factory=lambda: NoiseLevels(-0.4, 1.4))
    batch: int = 16
    schedule: Schedule = field(
        default_factory=lambda: Schedule(rate=1.5e-3, warm_up=3_200, ema=16_000)
    )
    front: float = 0.5
    context_noise: float = 0.3
    context_dropout: float = 0.15
    style_dropout: float = 0.15


class SoundTask(Task[Denoiser[Columns]]):
    """Draws windows, damages their past, leaves conditions free at times, denoises their blocks.

    Parameters
    ----------
    preset, name : of the recipe.
    data : the dataset's folder.
    norm : of a checkpoint; by default it is measured on the training split.
    """

    def __init__(
        self, preset: SoundPreset, name: str, data: Path, norm: Normalisation | None = None
    ) -> None:
        self.preset, self.name = preset, name
        self._train = Windows(data, "train", preset.spectrogram, preset.network)
        self._held = Windows(data, "held", preset.spectrogram, preset.network)
        self.norm = norm or self._train.measure(np.random.default_rng(0))
        self._validation: Batch | None = None

    @property
    def size(self) -> int:
        """Windows in a batch."""
        return self.preset.batch

    def network(self) -> Denoiser[Columns]:
        """A network with fresh weights for this data."""
        p, norm = self.preset, self.norm
        return Denoiser(Columns(p.network, norm.mean, norm.scale, p.spectrogram.floor))

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """`columns` [size, bins, past + frames] normalised, `roll` and `style` as in Windows."""
        return self._normalised(self._train.windows(rng, size))

    def _normalised(self, batch: Batch) -> Batch:
        return batch | {"columns": normalised(batch["columns"], self.norm)[:, 0]}

    def loss(
        self, model: Denoiser[Columns], batch: Batch, noise: torch.Generator, progress: float = 1.0
    ) -> Tensor:
        """Mean EDM loss of a batch, and the front's own error."""
        p, device = self.preset, batch["roll"].device
        past, clean = self._split(batch)
        past, present = damaged_past(past, p.context_noise, p.context_dropout, noise)
        chance = torch.rand(len(clean), len(STYLES), generator=noise)
        is_set = (chance >= p.style_dropout).float().to(device)
        noisy, sigma = p.noise.noised(clean, noise)
        style = _conditions(batch["style"], is_set)
        context = model.net.context(batch["roll"], past, present, *style)
        denoised = model.denoise(noisy, torch.ones_like(sigma), sigma, context)
        front = (context["guess"].transpose(1, 2) - clean).square().mean() / SIGMA_DATA**2
        return edm_loss(denoised, clean, sigma).mean() + p.front * front

    def _split(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Past and block of a batch's columns."""
        frames = self.preset.network.past
        return batch["columns"][..., :frames], batch["columns"][..., frames:]

    def validate(self, ema: Denoiser[Columns]) -> dict[str, float]:
        """EDM loss at fixed noise on held-out works, and the error of one step from noise.

        The error is the mean absolute one in ln magnitude: `l1`, without a past `l1_no_past`,
        and of the physical front alone, `l1_front`.
        """
        if self._validation is None:
            self._validation = self._normalised(self._held.windows(np.random.default_rng(5), _HELD))
        device = next(ema.parameters()).device
        batch = {k: t.to(device) for k, t in self._validation.items()}
        noise = torch.Generator().manual_seed(5)
        past, clean = self._split(batch)
        style = _conditions(batch["style"], torch.ones_like(batch["style"]))
        here = torch.ones(_HELD, device=device)
        context = ema.net.context(batch["roll"], past, here, *style)
        eps = torch.randn(clean.shape, generator=noise).to(device)
        out: dict[str, float] = {}
        for level in _LEVELS:
            sigma = here * level
            x0 = ema.denoise(clean + level * eps, here, sigma, context)
            out[f"held_{level:g}"] = float(edm_loss(x0, clean, sigma).mean())
        alone = ema.net.context(batch["roll"], past, 0 * here, *style)
        for key, known in (("l1", context), ("l1_no_past", alone)):
            x0 = ema.denoise(_FROM * eps, here, here * _FROM, known)
            out[key] = float((x0 - clean).abs().mean() * self.norm.scale)
        front = context["guess"].transpose(1, 2)
        out["l1_front"] = float((front - clean).abs().mean() * self.norm.scale)
        return out

    def facts(self) -> Checkpoint:
        """The preset's name, the sizes, and how the data is normalised."""
        return {
            "preset": self.name,
            "network": json.dumps(self.preset.network.as_dict()),
            "spectrogram": json.dumps(asdict(self.preset.spectrogram)),
            **self.norm.facts(),
        }


def _conditions(style: Tensor, is_set: Tensor) -> list[Tensor]:
    """[batch, 3] twice -> one [batch, 2] for each condition: its value, and whether it is set."""
    return list(torch.stack([style, is_set], -1).unbind(1))
