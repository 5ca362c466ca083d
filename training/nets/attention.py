"""What the transformers of the notes stages share: rotary positions, normalisation, attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

Turn = tuple[Tensor, Tensor]


def rotary(positions: Tensor, width: int) -> Turn:
    """Cosines and sines [tokens, width / 2] (Su et al. 2021, Eq. 15)."""
    channel = torch.arange(width // 2, device=positions.device)
    rate = torch.exp(-math.log(2000.0) * channel / (width // 2))
    angle = positions[:, None].float() * rate
    return angle.cos(), angle.sin()


def rotate(x: Tensor, turn: Turn) -> Tensor:
    """Turn queries or keys [..., tokens, width] by their positions."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = turn
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def rms_norm(x: Tensor) -> Tensor:
    """Root-mean-square normalisation over channels, without a gain."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


Pattern = list[tuple[slice, Tensor, Tensor]]


def pattern(mask: Tensor, chunk: int = 80) -> Pattern:
    """Where queries may look, cut into chunks of queries with only the keys that one of them sees.

    `mask` [queries, keys] or [batch, queries, keys] is true where a query may look. Most of a block
    mask is false; on a CPU the chunks take less than half of the time of one masked attention.
    """
    parts: Pattern = []
    for begin in range(0, mask.shape[-2], chunk):
        own = slice(begin, min(begin + chunk, mask.shape[-2]))
        rows = mask[..., own, :]
        used = rows.reshape(-1, mask.shape[-1]).any(dim=0).nonzero()[:, 0]
        kept = rows[..., used]
        parts.append((own, used, kept[:, None] if kept.ndim == 3 else kept))
    return parts


def attend(q: Tensor, k: Tensor, v: Tensor, where: Pattern | None) -> Tensor:
    """Attention of queries [batch, heads, n, channels] to keys by a pattern, None: to all."""
    if where is None:
        return functional.scaled_dot_product_attention(q, k, v)
    parts = [
        functional.scaled_dot_product_attention(
            q[:, :, own], k[:, :, used], v[:, :, used], attn_mask=mask
        )
        for own, used, mask in where
    ]
    return torch.cat(parts, dim=2)
