"""EDM's noise levels and loss (Karras et al. 2022). Equation numbers are those of "Diffusion Based
Audio Generation" (Nithyaganesh), which takes them over unchanged.

Blocks are [batch, 1, bins, frames] or [batch, bins, frames], normalised to a standard deviation of
`SIGMA_DATA`. The network is an `export.wrap.Denoiser` of the parameterisation `edm`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.sampling.parameterisation import SIGMA_DATA
from export.wrap import Denoiser


@dataclass(frozen=True)
class NoiseLevels:
    """Where training noise falls: ln(sigma) ~ N(mean, std^2) (Eq. 32, 36)."""

    mean: float = -1.2
    std: float = 1.2

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return sigmas [count]."""
        return (torch.randn(count, generator=generator) * self.std + self.mean).exp()


def edm_loss(denoised: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """Weighted squared error per example [batch] (Eq. 25 with the weight of Eq. 33)."""
    weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
    return weight * (denoised - clean).square().flatten(1).mean(dim=1)


def euler_rollout(model: Denoiser, x: Tensor, sigmas: Tensor, context: dict[str, Tensor]) -> Tensor:
    """Follow the probability-flow ODE by Euler steps from `x` at sigmas[0] to sigma 0.

    A few steps are enough: the result stands in for the model's own output when the next block
    learns to continue imperfect pasts.
    """
    one = torch.ones(len(x), device=x.device)
    for now, after in itertools.pairwise(sigmas):
        x0 = model.denoise(x, one, now * one, context)
        x = x0 + (x - x0) * (after / now)
    return x
