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


def mp_silu(x: Tensor) -> Tensor:
    """SiLU, scaled to keep a standard normal input at unit variance."""
    return functional.silu(x) / 0.596


def mp_sum(a: Tensor, b: Tensor, t: float = 0.5) -> Tensor:
    """Weighted sum of two unit-variance tensors, of unit variance itself."""
    return a.lerp(b, t) / math.sqrt((1 - t) ** 2 + t**2)


def mp_cat(a: Tensor, b: Tensor, t: float = 0.5) -> Tensor:
    """Concatenate along channels so that each input contributes by `t`, not by its width."""
    na, nb = a.shape[1], b.shape[1]
    c = math.sqrt((na + nb) / ((1 - t) ** 2 + t**2))
    return torch.cat([a * (c / math.sqrt(na) * (1 - t)), b * (c / math.sqrt(nb) * t)], dim=1)


class MPConv(nn.Module):
    """Convolution or linear layer (no kernel) with normalised weights and no bias.

    In training the stored weight is kept on the unit sphere; `fold()` freezes it for export.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, ...] = (), stride: int = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *kernel))
        self.stride = stride
        self.folded = False

    def forward(self, x: Tensor, gain: Tensor | float = 1.0) -> Tensor:
        w = self.weight if self.folded else self._effective()
        w = w * gain
        if w.ndim == 2:
            return x @ w.t()
        pad = (w.shape[-2] // 2, w.shape[-1] // 2)
        return functional.conv2d(x, w, padding=pad, stride=self.stride)

    def _effective(self) -> Tensor:
        dims = list(range(1, self.weight.ndim))
        if self.training:
            with torch.no_grad():
                self.weight.copy_(normalize(self.weight, dims))
        return normalize(self.weight, dims) / math.sqrt(self.weight[0].numel())

    def fold(self) -> None:
        """Replace the stored weight by the effective one; the layer cannot be trained after."""
        with torch.no_grad():
            self.weight.copy_(self._effective())
        self.folded = True


class Fourier(nn.Module):
    """Random Fourier features of the noise level (EDM2 Eq. 75)."""

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
        return mp_sum(x, self.out(y), 0.3)

    def _split(self, y: Tensor, parts: int) -> list[Tensor]:
        b, c = y.shape[:2]
        width = c // parts // self.heads
        y = y.reshape(b, parts, self.heads, width, -1)
        return [normalize(y[:, i], dim=[2]).transpose(2, 3) for i in range(parts)]


class Block(nn.Module):
    """Residual block (EDM2 Fig. 21): two 3x3 convolutions, modulated by the embedding.

    `column` [batch, channels, frequency, 1], where given, is the previous block's part of this
    level; it is added to every frame between the two convolutions.
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
        y = self.conv0(mp_silu(x))
        y = y * (self.modulate(embedding, self.gain) + 1)[:, :, None, None]
        if column is not None:
            y = y + column
        y = self.conv1(mp_silu(y))
        if not self.encoder and self.skip is not None:
            x = self.skip(x)
        x = mp_sum(x, y, 0.3)
        if self.attention is not None:
            x = self.attention(x, memory)
        return x
