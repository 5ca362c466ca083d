"""The two graphs of a stage as torch modules with flat, named inputs and outputs.

Whatever a network was trained to answer, the step graph answers x0, for any (alpha, sigma): the
noised x = alpha * x0 + sigma * eps is divided by alpha and handed on as a variance-exploding one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.sampling.parameterisation import SIGMA_DATA


class ContextGraph(nn.Module):
    """previous [1, 1, bins, frames], present [1] -> the context's tensors, in `names`' order."""

    def __init__(self, denoiser: nn.Module) -> None:
        super().__init__()
        self.encoder = denoiser.net.context
        config = denoiser.net.config
        with torch.no_grad():
            out = self.encoder(torch.zeros(1, 1, config.bins, config.frames), torch.ones(1))
        self.names = sorted(out)

    def forward(self, previous: Tensor, present: Tensor) -> tuple[Tensor, ...]:
        out = self.encoder(previous, present)
        return tuple(out[name] for name in self.names)


class StepGraph(nn.Module):
    """x, alpha, sigma and the context's tensors -> x0 [1, 1, bins, frames]."""

    def __init__(self, denoiser: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.names = names

    def forward(self, x: Tensor, alpha: Tensor, sigma: Tensor, *context: Tensor) -> Tensor:
        level = (sigma / alpha).clamp(1e-4, 1e4 * SIGMA_DATA)
        tensors = dict(zip(self.names, context, strict=True))
        return self.denoiser.denoise(x / alpha[:, None, None, None], level, tensors)


def folded(denoiser: nn.Module) -> nn.Module:
    """Freeze normalised weights and round every parameter to what half precision can hold.

    The pack stores weights as float16 and computes in float32, so rounding here first makes torch
    and ONNX Runtime compute with the same numbers.
    """
    denoiser.net.fold()
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.copy_(parameter.half().float())
    return denoiser
