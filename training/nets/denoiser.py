"""Beliefs of the noisy cells of a block, from a prior and from each other, so that its keys agree.

The prior is what is likely of each cell from the past and the conditions, before any noisy cell is
seen. Bayes' rule combines it with each noisy cell. The message from one key to another is the
difference between the two odds: how much more likely an onset is with the noisy cells than without
them. Its mean is zero under the prior, it is large in few cells, and its meaning for another key
depends on the interval between them. So convolutions over the keyboard read it, with the same
weights for every key.

Without this the keys of a block are drawn independently, and clash. A transformer over whole blocks
learned nothing of it: see training/runs/beat-grid/README.md.

The denoiser does not read the past; the prior's hidden tokens summarise it. So the past is read
once for each block, and each sampling step runs this small network alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.data.cells import DIFFUSED, KEYS
from training.data.conditions import BLOCK
from training.nets.attention import rms_norm
from training.nets.beliefs import OUTPUTS, Beliefs, mean, posterior
from training.nets.keys import PLACED, interval_convolution, key_rows
from training.nets.module_list import Modules

_OWN = OUTPUTS + DIFFUSED + 5  # rows of each cell that its own key sees
_SHARED = 2  # rows of each cell that other keys see
_DOUBT = 3.0  # divides log odds, so that unlikely onsets are seen as well
_OCTAVE = 12


@dataclass(frozen=True)
class Prior:
    """Beliefs of tokens before their noisy cells are seen.

    `output` [batch, n, 7, 88] are beliefs as `Beliefs.split` reads them, `hidden` [batch, n, width]
    the tokens that they were read from.
    """

    output: Tensor
    hidden: Tensor

    @property
    def beliefs(self) -> Beliefs:
        """The output, row by row."""
        return Beliefs.split(self.output)


class Layer(nn.Module):
    """A convolution over the keys, an octave to each side, and their mean, modulated."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.near = nn.Conv1d(channels, channels, 2 * _OCTAVE + 1, padding=_OCTAVE)
        self.all = nn.Linear(channels, channels)
        self.out = nn.Conv1d(channels, channels, 1)
        self.modulate = nn.Linear(width, 2 * channels)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Keys [blocks, channels, 88], modulation [blocks, width]."""
        scale, shift = self.modulate(modulation)[:, :, None].chunk(2, dim=1)
        y = x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6) * (1 + scale) + shift
        y = self.near(y) + self.all(y.mean(2))[:, :, None]
        return x + self.out(functional.gelu(y, approximate="tanh"))


class Denoiser(nn.Module):
    """Corrects a prior by the noisy cells of the same block together.

    `width` is that of the prior's tokens, `channels` those of each key.
    """

    placed: Tensor

    def __init__(self, width: int, layers: int, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(BLOCK * width, width)
        self.own = nn.Conv1d(BLOCK * _OWN + PLACED, channels, 1)
        self.others = interval_convolution(BLOCK * _SHARED, channels)
        nn.init.normal_(self.others.weight, std=0.2)
        self.all = nn.Linear(BLOCK * _SHARED, channels)
        self.layers = Modules(Layer(channels, width) for _ in range(layers))
        self.out = nn.Conv1d(channels, BLOCK * OUTPUTS, 1)
        self.direct = interval_convolution(BLOCK * _SHARED, BLOCK)
        for layer in (self.out, self.direct):
            nn.init.zeros_(layer.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)
        self.register_buffer("placed", key_rows(), persistent=False)

    def forward(self, x: Tensor, sigma: Tensor, prior: Prior) -> Beliefs:
        """Beliefs of noisy tokens x [batch, n, 3, 88], n a whole number of blocks.

        `sigma` [batch, n, 1 or 88] is the level of each cell.
        """
        b, n = x.shape[:2]
        blocks = b * n // BLOCK
        level = sigma[:, :, None]
        found = posterior(prior.beliefs, x, level)
        odds = torch.stack([prior.beliefs.onset, found.onset], dim=2)
        chance = torch.sigmoid(odds)
        shared = torch.cat([chance.diff(dim=2), chance[:, :, 1:]], dim=2)
        own = [
            prior.output / 4, mean(found), chance, torch.sigmoid(odds / _DOUBT),
            (level.log() / 2).expand(b, n, 1, KEYS),
        ]  # fmt: skip
        shared = shared.reshape(blocks, -1, KEYS)
        own = torch.cat(own, dim=2).reshape(blocks, -1, KEYS)
        own = torch.cat([own, self.placed.expand(blocks, PLACED, KEYS)], dim=1)
        h = self.own(own) + self.others(shared) + self.all(shared.sum(2))[:, :, None]
        hidden = self.hidden(rms_norm(prior.hidden).reshape(blocks, -1))
        modulation = functional.silu(hidden)
        for layer in self.layers:
            h = layer(h, modulation)
        change = self.out(h).reshape(b, n, OUTPUTS, KEYS).float()
        direct = self.direct(shared).reshape(b, n, 1, KEYS).float()
        change = torch.cat([change[:, :, :1] + direct, change[:, :, 1:]], dim=2)
        return Beliefs.split(prior.output + change)
