"""The notes stage's network: block diffusion over rolls, with a clean past.

Two halves. A causal transformer reads the clean tokens of the past, once for each block. A denoiser
of few layers sees the block's noisy tokens and, in every layer, the output of the first half. In
training all blocks of an excerpt are denoised at once, each under a mask that lets it see the
tokens before it (block diffusion: Arriola et al. 2025, "Block Diffusion", section 3.2).

Most cells follow from the same key: whether it sounds already, and its other cells in the block. A
small network that all 88 keys share corrects the beliefs from those (`KeyHead`).

The network returns beliefs instead of cells: the log odds of each cell and, for an onset, the
velocity and position that it would have. Bayes' rule combines them with the noisy cell in closed
form (`posterior`). So x0 is the posterior mean of a cell with two possible states, and the network
never has to carry the noisy block through its width. This is score interpolation (Dieleman et al.
2022, "Continuous diffusion for categorical data", section 2.2) with an explicit likelihood; the
loss is the cross entropy of the posterior.

Shapes: rolls are [batch, tokens, 352], channel by channel as in engine/representations/roll.py;
sigma is [batch, tokens], the variance-exploding noise level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.notes.note import PITCHES
from engine.representations.roll import CHANNELS, ROWS
from training.nets.attention import rms_norm, rotary, rotate
from training.nets.module_list import Modules
from training.nets.sizes import Sizes

VELOCITY_SPREAD = 0.15  # assumed deviation of an onset's velocity from the network's
POSITION_SPREAD = 0.5
_BASE_ODDS = (-5.0, -3.0)  # of an onset and of sounding, where nothing is known
_FEATURES = 2 * ROWS
CONDITIONS = 12 + 1 + 2 * 3 + 2 + PITCHES  # harmony, register, density, loudness, style, held


@dataclass(frozen=True)
class NotesConfig(Sizes):
    """Sizes: `width` of a token, layers of both halves, `heads`, tokens of a `block`."""

    width: int = 192
    context_layers: int = 5
    layers: int = 4
    heads: int = 6
    block: int = 8


class ContextLayer(nn.Module):
    """Causal self-attention and a multilayer perceptron, each on normalised input."""

    def __init__(self, config: NotesConfig) -> None:
        super().__init__()
        d = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(rms_norm(x)).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(rms_norm(q), turn), rotate(rms_norm(k), turn)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).reshape(b, n, d))
        return x + self.down(functional.gelu(self.up(rms_norm(x)), approximate="tanh"))


class DenoiserLayer(nn.Module):
    """Attention of the block's tokens to themselves and to the past in one softmax, modulated."""

    def __init__(self, config: NotesConfig) -> None:
        super().__init__()
        d = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.past = nn.Linear(d, 2 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        self.modulate = nn.Linear(d, 4 * d)
        for layer in (self.out, self.down, self.modulate):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.modulate.bias)

    def keys(self, past: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Keys and values of the past [batch, heads, tokens, width / heads], once a block."""
        b, n, _ = past.shape
        k, v = self.past(past).reshape(b, n, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        return rotate(rms_norm(k), turn), v

    def forward(
        self,
        x: Tensor,
        modulation: Tensor,
        keys: tuple[Tensor, Tensor],
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
    ) -> Tensor:
        b, n, d = x.shape
        scale1, shift1, scale2, shift2 = self.modulate(modulation).chunk(4, dim=-1)
        y = rms_norm(x) * (1 + scale1) + shift1
        q, k, v = self.qkv(y).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(rms_norm(q), turn), rotate(rms_norm(k), turn)
        k, v = torch.cat([keys[0], k], dim=2), torch.cat([keys[1], v], dim=2)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).reshape(b, n, d))
        y = rms_norm(x) * (1 + scale2) + shift2
        return x + self.down(functional.gelu(self.up(y), approximate="tanh"))


class KeyHead(nn.Module):
    """Corrects the beliefs of one key over a block, from that key alone.

    Inputs, along the last axis: beliefs (5 a token), the cells' posterior means with nothing else
    known (4 a token), the key's recent past (8), the noise level.
    """

    def __init__(self, block: int, width: int = 96) -> None:
        super().__init__()
        self.block = block
        self.up = nn.Linear(9 * block + 9, width)
        self.down = nn.Linear(width, 5 * block)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, beliefs: Tensor, seen: Tensor, recent: Tensor, sigma: Tensor) -> Tensor:
        """`beliefs` [batch, n, 440], `seen` [batch, n, 352], `recent` [batch, blocks, 88, 8]."""
        b, n, _ = beliefs.shape
        blocks = n // self.block
        of_key = self._by_key(beliefs, 5)
        level = sigma.reshape(b, blocks, self.block, 1)[:, :, :1].log() / 4
        level = level.expand(b, blocks, PITCHES, 1)
        x = torch.cat([of_key / 4, self._by_key(seen, CHANNELS), recent, level], dim=-1)
        y = self.down(functional.gelu(self.up(x), approximate="tanh"))
        y = y.reshape(b, blocks, PITCHES, self.block, 5).permute(0, 1, 3, 4, 2)
        return beliefs + y.reshape(b, n, 5 * PITCHES)

    def _by_key(self, x: Tensor, channels: int) -> Tensor:
        """[batch, n, channels * 88] -> [batch, blocks, 88, block * channels]."""
        b, n, _ = x.shape
        x = x.reshape(b, n // self.block, self.block, channels, PITCHES).permute(0, 1, 4, 2, 3)
        return x.reshape(b, n // self.block, PITCHES, self.block * channels)


def recent_past(clean: Tensor, block: int) -> Tensor:
    """What each key did just before each block: its last token, and the mean of the last 8.

    `clean` [batch, tokens, 352] -> [batch, tokens / block, 88, 8].
    """
    b, n, _ = clean.shape
    quiet = torch.full((1, CHANNELS, PITCHES), -1.0, dtype=clean.dtype, device=clean.device)
    quiet[:, 1] = 0
    before = torch.cat([quiet.reshape(1, 1, -1).expand(b, 8, -1), clean[:, : n - block]], dim=1)
    last, mean = [], []
    for i in range(0, n, block):
        end = i + 8 if i else 8
        last.append(before[:, end - 1])
        mean.append(before[:, end - 8 : end].mean(1))
    both = torch.stack([torch.stack(last, 1), torch.stack(mean, 1)], dim=2)
    both = both.reshape(b, n // block, 2, CHANNELS, PITCHES).permute(0, 1, 4, 2, 3)
    return both.reshape(b, n // block, PITCHES, 2 * CHANNELS)


@dataclass(frozen=True)
class Beliefs:
    """The network's beliefs of each cell before it sees the noisy cell: [..., 88] each."""

    onset: Tensor
    velocity: Tensor
    position: Tensor
    middle: Tensor
    end: Tensor


@dataclass(frozen=True)
class Posterior:
    """Beliefs combined with the noisy cell: log odds, and means where there is an onset."""

    onset: Tensor
    velocity: Tensor
    position: Tensor
    middle: Tensor
    end: Tensor

    def mean(self) -> Tensor:
        """x0 [..., 352]: the mean of every cell."""
        p = torch.sigmoid(self.onset)
        return torch.cat(
            [
                p * self.velocity - (1 - p),
                p * self.position,
                torch.tanh(self.middle / 2),
                torch.tanh(self.end / 2),
            ],
            dim=-1,
        )


def _gaussian(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return -0.5 * ((x - mean) ** 2 / variance + variance.log())


def posterior(beliefs: Beliefs, x: Tensor, sigma: Tensor) -> Posterior:
    """Apply Bayes' rule to every cell separately. `x` [..., 352] at noise `sigma` [..., 1].

    An onset is drawn around the believed velocity and position with the spreads above; no onset
    is exactly (-1, 0). Sounding cells are -1 or 1.
    """
    u, place, middle, end = x.split(PITCHES, dim=-1)
    s2 = sigma**2
    vs, ps = VELOCITY_SPREAD**2, POSITION_SPREAD**2
    evidence = (
        _gaussian(u, beliefs.velocity, s2 + vs)
        - _gaussian(u, -torch.ones_like(u), s2)
        + _gaussian(place, beliefs.position, s2 + ps)
        - _gaussian(place, torch.zeros_like(u), s2)
    )
    return Posterior(
        beliefs.onset + evidence,
        (beliefs.velocity * s2 + u * vs) / (s2 + vs),
        (beliefs.position * s2 + place * ps) / (s2 + ps),
        beliefs.middle + 2 * middle / s2,
        beliefs.end + 2 * end / s2,
    )


def _features(x: Tensor, sigma: Tensor) -> Tensor:
    """Features of a noisy token: its cells scaled, and their posterior means without a past."""
    flat = torch.zeros_like(x[..., :PITCHES])
    nothing = Beliefs(
        flat + _BASE_ODDS[0], flat + 1.0, flat, flat + _BASE_ODDS[1], flat + _BASE_ODDS[1]
    )
    scaled = x * torch.rsqrt(sigma**2 + 1)
    return torch.cat([scaled, posterior(nothing, x, sigma).mean()], dim=-1)


class NotesNet(nn.Module):
    """Both halves. `condition` is [batch, tokens or 1, CONDITIONS], see training/data/rolls.py."""

    def __init__(self, config: NotesConfig) -> None:
        super().__init__()
        self.config = config
        d = config.width
        self.clean = nn.Linear(ROWS, d)
        self.context_layers = Modules(ContextLayer(config) for _ in range(config.context_layers))
        self.noised = nn.Linear(_FEATURES, d)
        self.recent = nn.Linear(2 * ROWS, d)
        self.key_head = KeyHead(config.block)
        self.place = nn.Parameter(0.1 * torch.randn(config.block, d))
        self.condition = nn.Linear(CONDITIONS, d)
        self.level = nn.Sequential(nn.Linear(32, d), nn.SiLU(), nn.Linear(d, d))
        self.layers = Modules(DenoiserLayer(config) for _ in range(config.layers))
        self.head = nn.Linear(d, 5 * PITCHES)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            bias = self.head.bias.reshape(5, PITCHES)
            bias.zero_()
            bias[0] = _BASE_ODDS[0]
            bias[3:] = _BASE_ODDS[1]

    @property
    def head_width(self) -> int:
        """Channels of one attention head."""
        return self.config.width // self.config.heads

    def past(self, clean: Tensor, mask: Tensor | None = None) -> Tensor:
        """Read clean tokens causally: [batch, tokens, 352] -> [batch, tokens, width]."""
        n = clean.shape[1]
        turn = rotary(torch.arange(n, device=clean.device), self.head_width)
        if mask is None:
            mask = torch.ones(n, n, dtype=torch.bool, device=clean.device).tril()
        x = self.clean(clean)
        for layer in self.context_layers:
            x = layer(x, turn, mask)
        return rms_norm(x)

    def modulation(self, sigma: Tensor, condition: Tensor) -> Tensor:
        """Noise level [batch, n, 1] and conditions as one vector [batch, n, width]."""
        rates = torch.exp(torch.linspace(0, math.log(60), 16, device=sigma.device))
        angle = 0.25 * sigma.log() * rates
        level = self.level(torch.cat([angle.cos(), angle.sin()], dim=-1))
        return functional.silu(level + condition)

    def denoise(
        self,
        x: Tensor,
        sigma: Tensor,
        condition: Tensor,
        keys: list[tuple[Tensor, Tensor]],
        recent: Tensor,
        positions: Tensor,
        mask: Tensor | None = None,
    ) -> Beliefs:
        """Beliefs of noisy tokens x [batch, n, 352], n a whole number of blocks.

        `condition` [batch, n or 1, width] is projected already; `keys` are of every layer; `recent`
        is `recent_past`'s; `mask` [n, past + n] is true where a token may look, None where it may
        look everywhere.
        """
        blocks = x.shape[1] // self.config.block
        modulation = self.modulation(sigma, condition)
        features = _features(x, sigma)
        just_before = self.recent(recent.flatten(2)).repeat_interleave(self.config.block, dim=1)
        h = self.noised(features) + self.place.repeat(blocks, 1) + modulation + just_before
        turn = rotary(positions, self.head_width)
        for layer, of_past in zip(self.layers, keys, strict=True):
            h = layer(h, modulation, of_past, turn, mask)
        beliefs = self.key_head(self.head(rms_norm(h)), features[..., ROWS:], recent, sigma)
        return Beliefs(*beliefs.split(PITCHES, dim=-1))

    def keys(self, past: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of every denoiser layer for what `past` returned."""
        turn = rotary(torch.arange(past.shape[1], device=past.device), self.head_width)
        return [layer.keys(past, turn) for layer in self.layers]

    def forward(
        self, clean: Tensor, x: Tensor, sigma: Tensor, condition: Tensor, reach: Tensor
    ) -> Beliefs:
        """All blocks of an excerpt at once.

        Parameters
        ----------
        clean, x : [batch, tokens, 352], the past (possibly damaged) and the noisy tokens.
        sigma : [batch, tokens], one level for each block.
        condition : [batch, tokens, CONDITIONS].
        reach : [batch], how many tokens of the past a block may see.
        """
        b, n, _ = x.shape
        keys = self.keys(self.past(clean))
        past = torch.arange(n, device=x.device)
        block = past // self.config.block
        begin = block * self.config.block
        sees = (past[None, None] < begin[None, :, None]) & (
            past[None, None] >= begin[None, :, None] - reach[:, None, None]
        )
        own = (block[:, None] == block[None]).expand(b, n, n)
        mask = torch.cat([sees, own], dim=2)[:, None]
        recent = recent_past(clean, self.config.block)
        condition = self.condition(condition)
        return self.denoise(x, sigma[..., None], condition, keys, recent, past, mask)


def cross_entropy(found: Posterior, beliefs: Beliefs, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Nats for each token: (onsets with velocity and position, sounding), [batch, tokens] each."""
    u, place, middle, end = clean.split(PITCHES, dim=-1)
    on = (u > 0).float()
    bce = functional.binary_cross_entropy_with_logits
    onset = bce(found.onset, on, reduction="none").sum(-1)
    off = (beliefs.velocity - u) ** 2 / (2 * VELOCITY_SPREAD**2) + (
        beliefs.position - place
    ) ** 2 / (2 * POSITION_SPREAD**2)
    sounding = bce(found.middle, (middle > 0).float(), reduction="none") + bce(
        found.end, (end > 0).float(), reduction="none"
    )
    return onset + 0.3 * (on * off).sum(-1), sounding.sum(-1)
