"""EDM's noise levels and loss (Karras et al. 2022), and how a clean past is damaged.

Equation numbers are those of "Diffusion Based Audio Generation" (Nithyaganesh), which uses them
unchanged. Blocks are [batch, 1, bins, frames] or [batch, bins, frames], normalised to a standard
deviation of `SIGMA_DATA`. The network is an `export.wrap.Denoiser` of the parameterisation `edm`.
All noise is drawn on the CPU, so that a run on a GPU draws the same numbers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.sampling.parameterisation import edm_coefficients
from export.wrap import Denoiser, StageNetwork


@dataclass(frozen=True)
class NoiseLevels:
    """The levels of training noise: ln(sigma) ~ N(mean, std^2) (Eq. 32, 36)."""

    mean: float = -1.2
    std: float = 1.2

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return sigmas [count]."""
        return (torch.randn(count, generator=generator) * self.std + self.mean).exp()

    def noised(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Blocks with noise of random levels, of the shape of `clean`, and the levels [batch]."""
        sigma = self.draw(len(clean), generator)
        eps = torch.randn(clean.shape, generator=generator)
        noisy = clean + (_per_example(sigma, clean) * eps).to(clean.device)
        return noisy, sigma.to(clean.device)


def damaged_past(
    past: Tensor, most: float, dropout: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Against exposure bias: the past with noise of up to sigma `most`, at times none at all.

    Returns the past, and [batch] 1 where it is present, 0 in a share `dropout` of the examples.
    """
    level = most * torch.rand(len(past), generator=generator) ** 2
    noise = _per_example(level, past) * torch.randn(past.shape, generator=generator)
    present = (torch.rand(len(past), generator=generator) >= dropout).float()
    return past + noise.to(past.device), present.to(past.device)


def _per_example(values: Tensor, like: Tensor) -> Tensor:
    """[batch] with the number of dimensions of `like`."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def edm_loss(denoised: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """Weighted squared error per example [batch] (Eq. 25 with the weight of Eq. 33)."""
    weight = edm_coefficients(sigma).out ** -2
    return weight * (denoised - clean).square().flatten(1).mean(dim=1)


def euler_rollout(
    model: Denoiser[StageNetwork], x: Tensor, sigmas: Tensor, context: dict[str, Tensor]
) -> Tensor:
    """Follow the probability-flow ODE by Euler steps from `x` at sigmas[0] to sigma 0.

    A few steps are enough: the result stands in for the model's own output when the next block
    learns to continue imperfect pasts.
    """
    one = torch.ones(len(x), device=x.device)
    for now, after in itertools.pairwise(sigmas):
        x0 = model.denoise(x, one, now * one, context)
        x = x0 + (x - x0) * (after / now)
    return x
