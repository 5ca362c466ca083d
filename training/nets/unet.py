"""The piano system's network: a five-level U-Net with a spectrogram embedding.

After "Diffusion Based Audio Generation" (Nithyaganesh), Fig. 7 and 8: the noised block goes down
and up; the noise level and the previous block become embeddings that reach every layer. Three
changes, each measured in docs/training.md: a patch stem, a frequency-resolved embedding beside
the paper's single vector, and attention to the previous block at the two lowest levels.

Shapes: blocks are [batch, 1, bins, frames]; levels are [batch, channels, frequency, time].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.wrap import StageNetwork
from training.nets.layers import Block, Fourier, MPConv, mp_cat, mp_silu, mp_sum, normalize
from training.nets.module_list import Modules
from training.nets.sizes import Sizes


@dataclass(frozen=True)
class UNetConfig(Sizes):
    """Sizes of the network.

    `patch` is (bins, frames) per position of the first level; `channels` one width per level;
    `context_channels` the same for the encoder of the previous block; `columns` switches the
    frequency-resolved embedding, `memory` the attention to the previous block.
    """

    bins: int = 512
    frames: int = 128
    patch: tuple[int, int] = (4, 2)
    channels: tuple[int, ...] = (48, 80, 128, 192, 256)
    blocks: tuple[int, ...] = (1, 1, 1, 1, 1)
    context_channels: tuple[int, ...] = (24, 40, 64, 96, 128)
    embedding: int = 192
    attention_levels: int = 2
    columns: bool = True
    memory: bool = True


class Stem(nn.Module):
    """Patches to channels, with a learned place along frequency and along time."""

    def __init__(self, config: UNetConfig, channels: int, more: int = 0) -> None:
        super().__init__()
        pf, pt = config.patch
        self.patch = config.patch
        self.conv = MPConv(pf * pt + 1 + more, channels, (3, 3))
        self.frequency = nn.Parameter(0.3 * torch.randn(1, channels, config.bins // pf, 1))
        self.time = nn.Parameter(0.3 * torch.randn(1, channels, 1, config.frames // pt))

    def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        x = patches(x, self.patch)
        parts = [x, torch.ones_like(x[:, :1])]
        if more is not None:
            parts.append(more.expand(-1, -1, -1, x.shape[3]))
        return self.conv(torch.cat(parts, dim=1)) + (self.frequency + self.time)


def patches(x: Tensor, patch: tuple[int, int]) -> Tensor:
    """[batch, 1, bins, frames] -> [batch, pf * pt, bins / pf, frames / pt]."""
    b, _, f, t = x.shape
    pf, pt = patch
    x = x.reshape(b, f // pf, pf, t // pt, pt).permute(0, 2, 4, 1, 3)
    return x.reshape(b, pf * pt, f // pf, t // pt)


def unpatched(x: Tensor, patch: tuple[int, int]) -> Tensor:
    """Inverse of `patches`."""
    b, _, f, t = x.shape
    pf, pt = patch
    x = x.reshape(b, pf, pt, f, t).permute(0, 3, 1, 4, 2)
    return x.reshape(b, 1, f * pf, t * pt)


ENDINGS = (1, 16)  # the past's last frame, and the mean of its last 16


def ending(previous: Tensor, patch: int) -> Tensor:
    """How a block ends in each bin: [batch, 2 * patch, bins / patch, 1]."""
    parts = [previous[..., -n:].mean(-1, keepdim=True) for n in ENDINGS]
    b, _, f, _ = previous.shape
    return torch.cat([p.reshape(b, f // patch, patch, 1).transpose(1, 2) for p in parts], dim=1)


class ContextEncoder(nn.Module):
    """The spectrogram embedding: from the previous block, tensors for every level of the U-Net.

    Returns `vector` [batch, embedding]; with columns, `column1`.. [batch, channels, frequency, 1],
    one for each level, and `column0`, how the past ends in each bin; with memory, `memory` [batch,
    channels, frequency, time]. `present` [batch] is 1 where there is a past and 0 where there is
    none.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.context_channels
        self.stem = Stem(config, widths[0])
        self.null = nn.Parameter(torch.randn(1, config.embedding))
        self.blocks = Modules(
            Block(before, width, config.embedding, encoder=True)
            for before, width in zip((widths[0], *widths), widths, strict=False)
        )
        bottom = (config.bins // config.patch[0] >> (len(widths) - 1)) * (
            config.frames // config.patch[1] >> (len(widths) - 1)
        )
        self.full = MPConv(widths[-1] * bottom, config.embedding)
        if config.columns:
            times = [config.frames // config.patch[1] >> level for level in range(len(widths))]
            # Every channel learns which frames of the past matter to it, from the last ones on.
            self.weights = nn.ParameterList(
                nn.Parameter(-0.5 * torch.arange(t - 1, -1, -1.0).repeat(w, 1)[None, :, None])
                for w, t in zip(widths, times, strict=True)
            )
            self.heads = Modules(
                MPConv(w, c, (1, 1)) for w, c in zip(widths, config.channels, strict=True)
            )
            self.gains = nn.Parameter(torch.zeros(len(widths)))

    def forward(self, previous: Tensor, present: Tensor) -> dict[str, Tensor]:
        here = present[:, None]
        x = self.stem(previous * here[:, :, None, None])
        out: dict[str, Tensor] = {}
        if self.config.columns:
            out["column0"] = ending(previous, self.config.patch[0]) * here[:, :, None, None]
        nothing = torch.zeros_like(self.null.expand(len(x), -1))
        for level, block in enumerate(self.blocks):
            if level:
                x = functional.avg_pool2d(x, 2)
            x = block(x, nothing)
            if self.config.columns:
                column = (x * torch.softmax(self.weights[level], dim=-1)).sum(-1, keepdim=True)
                column = self.heads[level](column, self.gains[level])
                out[f"column{level + 1}"] = column * here[:, :, None, None]
            if self.config.memory and level == len(self.blocks) - self.config.attention_levels:
                out["memory"] = x
        vector = self.full(normalize(x, dim=[1]).flatten(1))
        out["vector"] = vector * here + normalize(self.null, dim=[1]) * (1 - here)
        return out


class UNet(StageNetwork):
    """F_theta of EDM: noised block, c_noise and the context's tensors -> raw output, same shape."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        e, widths = config.embedding, config.channels
        memory = config.context_channels[-config.attention_levels] if config.memory else 0
        self.context = ContextEncoder(config)
        self.fourier = Fourier(96)
        self.noise0 = MPConv(96, e)
        self.stem = Stem(config, widths[0], len(ENDINGS) * config.patch[0] * config.columns)
        skips: list[int] = []
        channels = widths[0]

        def blocks(level: int, *, encoder: bool) -> Iterator[Block]:
            nonlocal channels
            low = level >= len(widths) - config.attention_levels
            for _ in range(config.blocks[level]):
                inputs = channels if encoder else channels + skips.pop()
                channels = widths[level]
                if encoder:
                    skips.append(channels)
                yield Block(
                    inputs, channels, e, encoder=encoder, attention=low, memory=memory if low else 0
                )

        levels = range(len(widths))
        self.down = Modules(Modules(blocks(level, encoder=True)) for level in levels)
        self.up = Modules(Modules(blocks(level, encoder=False)) for level in reversed(levels))
        pf, pt = config.patch
        self.out = MPConv(channels, pf * pt, (3, 3))
        self.out_gain = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, noise: Tensor, context: dict[str, Tensor]) -> Tensor:
        embedding = mp_silu(mp_sum(self.noise0(self.fourier(noise)), context["vector"]))
        memory = context.get("memory")
        x = self.stem(x, context.get("column0"))
        skips: list[Tensor] = []
        for level, blocks in enumerate(self.down):
            column = context.get(f"column{level + 1}")
            for block in blocks:
                x = block(x, embedding, column, memory)
                skips.append(x)
            if level < len(self.down) - 1:
                x = functional.avg_pool2d(x, 2)
        for step, blocks in enumerate(self.up):
            column = context.get(f"column{len(self.up) - step}")
            for block in blocks:
                x = block(mp_cat(x, skips.pop()), embedding, column, memory)
            if step < len(self.up) - 1:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return unpatched(self.out(x, self.out_gain), self.config.patch)

    def settle(self) -> None:
        """Bring every weight back to the unit sphere, after some steps of an optimiser."""
        for module in self.modules():
            if isinstance(module, MPConv):
                module.settle()
