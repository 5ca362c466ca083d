"""Any network as a function that answers x0, and the two graphs of a stage as torch modules.

A network is a module with two parts: `net.context(*inputs)` answers a dict of the tensors that all
steps of a block share, and `net(x, level, context)` what it was trained to answer. `Denoiser` turns
that into x0 for any (alpha, sigma) by the engine's table of parameterisations. Training uses the
same class, so what is exported is what was trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.sampling.parameterisation import (
    SIGMA_DATA,
    find_parameterisation,
    x0_from_network,
)

RATIOS = (1e-4, 1e4)  # of sigma to alpha


class Denoiser(nn.Module):
    """x0 from a noisy block, whatever `net` was trained to answer.

    Parameters
    ----------
    net : see the module's docstring. Its `level` is [batch].
    parameterisation : a name of `engine.sampling.parameterisation.PARAMETERISATIONS`.
    sigma_data : standard deviation of the stage's frames.

    Raises
    ------
    ConfigError
        Unknown parameterisation.
    """

    def __init__(
        self, net: nn.Module, parameterisation: str = "edm", sigma_data: float = SIGMA_DATA
    ) -> None:
        super().__init__()
        self.net = net
        self.parameterisation = find_parameterisation(parameterisation).name
        self.sigma_data = sigma_data

    def forward(self, x: Tensor, sigma: Tensor, *inputs: Tensor) -> Tensor:
        """x0 of x = x0 + sigma eps; `sigma` is [batch], `inputs` are those of `net.context`."""
        return self.denoise(x, torch.ones_like(sigma), sigma, self.net.context(*inputs))

    def denoise(
        self, x: Tensor, alpha: Tensor, sigma: Tensor, context: Mapping[str, Tensor]
    ) -> Tensor:
        """x0 of x = alpha x0 + sigma eps, [batch, ...], with the context's tensors at hand."""
        shape = [-1] + [1] * (x.ndim - 1)
        return x0_from_network(
            self.parameterisation,
            lambda noisy, level: self.net(noisy, level.reshape(-1), context),
            x,
            alpha.reshape(shape),
            sigma.reshape(shape),
            self.sigma_data,
        )


class ContextGraph(nn.Module):
    """The inputs of `net.context`, in order -> its tensors, in the order of `names`."""

    def __init__(self, net: nn.Module, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.net = net
        with torch.no_grad():
            self.names = sorted(net.context(*inputs.values()))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the context once."""
        out = self.net.context(*inputs)
        return tuple(out[name] for name in self.names)


class StepGraph(nn.Module):
    """x, alpha [1], sigma [1] and the context's tensors -> x0 of x's shape.

    `ratios` are the lowest and highest sigma / alpha that the network was trained on; levels beyond
    them are treated as the nearest.
    """

    def __init__(
        self, denoiser: Denoiser, names: list[str], ratios: tuple[float, float] = RATIOS
    ) -> None:
        super().__init__()
        self.denoiser, self.names, self.ratios = denoiser, names, ratios

    def forward(self, x: Tensor, alpha: Tensor, sigma: Tensor, *context: Tensor) -> Tensor:
        """One network evaluation."""
        low, high = self.ratios
        sigma = torch.maximum(sigma, low * alpha)
        alpha = torch.maximum(alpha, sigma / high)
        tensors = dict(zip(self.names, context, strict=True))
        return self.denoiser.denoise(x, alpha, sigma, tensors)


def rounded(network: nn.Module) -> nn.Module:
    """Freeze a network and round every parameter to what half precision can hold, in place.

    The pack stores weights as float16 and computes in float32, so rounding here first makes torch
    and ONNX Runtime compute with the same numbers.
    """
    for module in network.modules():
        if hasattr(module, "fold"):  # layers whose weights are normalised in training
            module.fold()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return network.eval().requires_grad_(False)
