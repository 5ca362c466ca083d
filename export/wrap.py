"""Any network as a function that returns x0, and the two graphs of a stage as torch modules.

`Denoiser` turns what a network returns into x0 for any (alpha, sigma), by the engine's table of
parameterisations. Training uses the same class, so the exported network is the trained one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from engine.sampling.parameterisation import (
    SIGMA_DATA,
    find_parameterisation,
    x0_from_network,
)

RATIOS = (1e-4, 1e4)  # of sigma to alpha


class StageNetwork(nn.Module):
    """A network in two parts: what all steps of a block share, and the step itself.

    Attributes
    ----------
    context : (inputs) to the tensors that the steps share, by name. A method or a module.
    forward : (x, level [batch], context) to what the network was trained to return, of x's shape.
    """

    context: Callable[..., dict[str, Tensor]]


ModuleT = TypeVar("ModuleT", bound=nn.Module)
NetworkT_co = TypeVar("NetworkT_co", bound=StageNetwork, covariant=True)


class Denoiser(nn.Module, Generic[NetworkT_co]):
    """x0 from a noisy block, whatever `net` was trained to return.

    Parameters
    ----------
    net : the network.
    parameterisation : a name of `engine.sampling.parameterisation.PARAMETERISATIONS`.
    sigma_data : standard deviation of the stage's frames.

    Raises
    ------
    ConfigError
        Unknown parameterisation.
    """

    def __init__(
        self, net: NetworkT_co, parameterisation: str = "edm", sigma_data: float = SIGMA_DATA
    ) -> None:
        super().__init__()
        self.net: NetworkT_co = net
        self.parameterisation = find_parameterisation(parameterisation).name
        self.sigma_data = sigma_data

    def forward(self, x: Tensor, sigma: Tensor, *inputs: Tensor) -> Tensor:
        """x0 of x = x0 + sigma eps; `sigma` is [batch], `inputs` are those of `net.context`."""
        return self.denoise(x, torch.ones_like(sigma), sigma, self.net.context(*inputs))

    def denoise(
        self, x: Tensor, alpha: Tensor, sigma: Tensor, context: Mapping[str, Tensor]
    ) -> Tensor:
        """x0 of x = alpha x0 + sigma eps, [batch, ...], from the context's tensors."""
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

    def __init__(self, net: StageNetwork, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.net: StageNetwork = net
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
        self,
        denoiser: Denoiser[StageNetwork],
        names: list[str],
        ratios: tuple[float, float] = RATIOS,
    ) -> None:
        super().__init__()
        self.denoiser: Denoiser[StageNetwork] = denoiser
        self.names, self.ratios = names, ratios

    def forward(self, x: Tensor, alpha: Tensor, sigma: Tensor, *context: Tensor) -> Tensor:
        """One network evaluation."""
        low, high = self.ratios
        sigma = torch.maximum(sigma, low * alpha)
        alpha = torch.maximum(alpha, sigma / high)
        tensors = dict(zip(self.names, context, strict=True))
        return self.denoiser.denoise(x, alpha, sigma, tensors)


def rounded(network: ModuleT) -> ModuleT:
    """Freeze a network and round every parameter to half precision, in place.

    The pack stores weights as float16 and computes in float32. Rounding first lets torch and ONNX
    Runtime compute with the same numbers.
    """
    for module in network.modules():
        fold = getattr(module, "fold", None)  # of layers whose weights are normalised in training
        if callable(fold):
            fold()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return network.eval().requires_grad_(False)
