"""EDM preconditioning and loss (Karras et al. 2022), with a past. Equation numbers are those of
"Diffusion Based Audio Generation" (Nithyaganesh), which takes them over unchanged.

Blocks are [batch, 1, bins, frames] or [batch, bins, frames], normalised to a standard deviation of
`sigma_data`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.nets.unet import UNet, UNetConfig

SIGMA_DATA = 0.5


@dataclass(frozen=True)
class NoiseLevels:
    """Where training noise falls: ln(sigma) ~ N(mean, std^2) (Eq. 32, 36)."""

    mean: float = -1.2
    std: float = 1.2

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return sigmas [count]."""
        return (torch.randn(count, generator=generator) * self.std + self.mean).exp()


class Preconditioned(nn.Module):
    """D_theta(x; sigma, ...) of Eq. 24: answers x0 from a noised block and what is known of it.

    `net` has two parts: `net.context(...)` makes the tensors that all steps of a block share, and
    `net(c_in * x, ln(sigma) / 4, context)` answers F_theta.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, sigma: Tensor, *known: Tensor) -> Tensor:
        return self.denoise(x, sigma, self.net.context(*known))

    def denoise(self, x: Tensor, sigma: Tensor, context: dict[str, Tensor]) -> Tensor:
        """The same with the context's tensors made already. `sigma` is [batch]."""
        s = sigma.to(x.dtype).reshape([-1] + [1] * (x.ndim - 1))
        norm = (s**2 + SIGMA_DATA**2).sqrt()
        c_skip, c_out, c_in = SIGMA_DATA**2 / norm**2, s * SIGMA_DATA / norm, 1 / norm
        raw = self.net(c_in * x, sigma.log() / 4, context)
        return c_skip * x + c_out * raw


class Denoiser(Preconditioned):
    """The same around the piano system's U-Net, whose context is the previous block."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(UNet(config))


def edm_loss(denoised: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """Weighted squared error per example [batch] (Eq. 25 with the weight of Eq. 33)."""
    weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
    return weight * (denoised - clean).square().flatten(1).mean(dim=1)


def euler_rollout(
    model: Preconditioned, x: Tensor, sigmas: Tensor, context: dict[str, Tensor]
) -> Tensor:
    """Follow the probability-flow ODE by Euler steps from `x` at sigmas[0] to sigma 0.

    Cheap on purpose: what it makes stands in for the model's own output when the next block
    learns to continue imperfect pasts.
    """
    for now, after in itertools.pairwise(sigmas):
        x0 = model.denoise(x, now.expand(len(x)), context)
        x = x0 + (x - x0) * (after / now)
    return x
