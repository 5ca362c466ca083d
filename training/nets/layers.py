"""Magnitude-preserving layers (Karras et al. 2024, "Analyzing and Improving the Training Dynamics
of Diffusion Models", EDM2). Shapes are [batch, channels, frequency, time].

They hold activations at unit variance by normalised weights instead of by group normalisation, so
the exported graph is convolutions, SiLU and sums: nothing that breaks a CPU's blocked convolution
layout, and no statistics over time that would let a block's end change its beginning.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# ----------------------------------------------------------------------------
# Unit-variance building blocks (EDM2 Eq. 47, 50, 81, 88, 103).


def normalize(x: Tensor, dim: list[int], eps: float = 1e-4) -> Tensor:
    """Scale `x` so that its root mean square over `dim` is one."""
    norm = torch.linalg.vector_norm(x, dim=dim, keepdim=True, dtype=torch.float32)
    count = math.prod(x.shape[d] for d in dim)
    return x / (norm * (1 / math.sqrt(count)) + eps)


SILU_GAIN = 1 / 0.596  # SiLU of a standard normal has this much less than unit variance


def mp_silu(x: Tensor) -> Tensor:
    """SiLU, scaled to keep a standard normal input at unit variance."""
    return functional.silu(x) * SILU_GAIN


def branch_sum(x: Tensor, layer: MPConv, y: Tensor, t: float = 0.3, gain: float = 1.0) -> Tensor:
    """mp_sum(x, layer(gain * y), t) in one pass over the activations.

    The constants go into the layer's weight: on a CPU, passes over activations cost as much as
    the convolutions between them.
    """
    norm = math.sqrt((1 - t) ** 2 + t**2)
    return torch.add(layer(y, gain * t / norm), x, alpha=(1 - t) / norm)


def mp_sum(a: Tensor, b: Tensor, t: float = 0.5) -> Tensor:
    """Weighted sum of two unit-variance tensors, of unit variance itself."""
    return a.lerp(b.to(a.dtype), t) / math.sqrt((1 - t) ** 2 + t**2)


def mp_cat(a: Tensor, b: Tensor, t: float = 0.5) -> Tensor:
    """Concatenate along channels so that each input contributes by `t`, not by its width."""
    na, nb = a.shape[1], b.shape[1]
    c = math.sqrt((na + nb) / ((1 - t) ** 2 + t**2))
    return torch.cat([a * (c / math.sqrt(na) * (1 - t)), b * (c / math.sqrt(nb) * t)], dim=1)


class MPConv(nn.Module):
    """Convolution or linear layer (no kernel) with normalised weights and no bias.

    In training the stored weight is kept on the unit sphere by `settle`, which the trainer calls
    every few steps: in every forward pass it would take a fifth of a step on a CPU. `fold()`
    freezes the effective weight for export.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, ...] = (), stride: int = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *kernel))
        self.stride = stride
        self.folded = False

    def forward(self, x: Tensor, gain: Tensor | float = 1.0) -> Tensor:
        if self.folded:
            w = self.weight * gain
        elif self.training:  # on the unit sphere already, see `settle`
            w = self.weight * (gain / math.sqrt(self.weight[0].numel()))
        else:
            w = self._effective() * gain
        if w.ndim == 2:
            return x @ w.t()
        pad = (w.shape[-2] // 2, w.shape[-1] // 2)
        return functional.conv2d(x, w, padding=pad, stride=self.stride)

    def _effective(self) -> Tensor:
        dims = list(range(1, self.weight.ndim))
        return normalize(self.weight, dims) / math.sqrt(self.weight[0].numel())

    @torch.no_grad()
    def settle(self) -> None:
        """Bring the stored weight back to the unit sphere, after some steps of an optimiser."""
        self.weight.copy_(normalize(self.weight, list(range(1, self.weight.ndim))))

    def fold(self) -> None:
        """Replace the stored weight by the effective one; it cannot be trained any more."""
        with torch.no_grad():
            self.weight.copy_(self._effective())
        self.folded = True


class Fourier(nn.Module):
    """Random Fourier features of the noise level (EDM2 Eq. 75)."""

    frequencies: Tensor
    phases: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi * torch.randn(channels))
        self.register_buffer("phases", 2 * math.pi * torch.rand(channels))

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, None] * self.frequencies + self.phases).cos() * math.sqrt(2)


class Attention(nn.Module):
    """Self-attention over all positions; `memory` adds keys and values from the previous block."""

    def __init__(self, channels: int, memory: int = 0, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = MPConv(channels, 3 * channels, (1, 1))
        self.memory = MPConv(memory, 2 * channels, (1, 1)) if memory else None
        self.out = MPConv(channels, channels, (1, 1))

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        b, c, f, t = x.shape
        q, k, v = self._split(self.qkv(x), 3)
        if self.memory is not None and memory is not None:
            mk, mv = self._split(self.memory(memory), 2)
            k, v = torch.cat([k, mk], dim=2), torch.cat([v, mv], dim=2)
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(c // self.heads), dim=-1)
        y = (weights @ v).transpose(2, 3).reshape(b, c, f, t)
        return branch_sum(x, self.out, y)

    def _split(self, y: Tensor, parts: int) -> list[Tensor]:
        b, c = y.shape[:2]
        width = c // parts // self.heads
        y = y.reshape(b, parts, self.heads, width, -1)
        return [normalize(y[:, i], dim=[2]).transpose(2, 3) for i in range(parts)]


class Block(nn.Module):
    """Residual block (EDM2 Fig. 21): two 3x3 convolutions, modulated by the embedding.

    `column` [batch, channels, frequency, 1] is the previous block's part of this level, if there
    is one; it is added to every frame between the two convolutions.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        *,
        encoder: bool,
        attention: bool = False,
        memory: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.skip = MPConv(inputs, outputs, (1, 1)) if inputs != outputs else None
        self.conv0 = MPConv(outputs if encoder else inputs, outputs, (3, 3))
        self.conv1 = MPConv(outputs, outputs, (3, 3))
        self.modulate = MPConv(embedding, outputs)
        self.gain = nn.Parameter(torch.zeros([]))
        self.attention = Attention(outputs, memory) if attention else None

    def forward(
        self,
        x: Tensor,
        embedding: Tensor,
        column: Tensor | None = None,
        memory: Tensor | None = None,
    ) -> Tensor:
        if self.encoder:
            x = self.skip(x) if self.skip is not None else x
            x = normalize(x, dim=[1])
        y = self.conv0(functional.silu(x), SILU_GAIN)
        scale = (self.modulate(embedding, self.gain) + 1)[:, :, None, None]
        y = y * scale if column is None else torch.addcmul(column, y, scale)
        if not self.encoder and self.skip is not None:
            x = self.skip(x)
        x = branch_sum(x, self.conv1, functional.silu(y), gain=SILU_GAIN)
        if self.attention is not None:
            x = self.attention(x, memory)
        return x
