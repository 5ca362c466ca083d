"""The notes stage on beats: block diffusion over cells, with a clean past (Arriola et al. 2025).

Four parts. A causal transformer reads the clean cells of the past, token by token, each through a
window; its output for a token never changes, so keys and values are kept in a `Memory`. A few
layers over the four tokens of a block (a beat) see, in every layer, the memory and the cells that
are known beforehand, and state what is likely: the *prior*. A small network that all 88 keys share
corrects each key from what concerns that key alone: its recent past, its *echo* one, two and four
bars before, the recent past of the keys around it, the chord. None of these sees a noisy cell, so
they run once for each block. The denoiser (`training/nets/denoiser.py`) combines the prior with the
noisy cells at each step.

The network returns beliefs; `training/nets/beliefs.py` adds what the noisy cells say. Cells are
those of `training/data/cells.py`, conditions those of `training/data/conditions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.data.cells import KEYS, ROWS
from training.data.conditions import BLOCK, CHORD, SLICES, WHEN, WIDTH
from training.nets.attention import Pattern, Turn, attend, pattern, rms_norm, rotary, rotate
from training.nets.beliefs import OUTPUTS, Beliefs, initial_bias
from training.nets.denoiser import Denoiser, Prior
from training.nets.keys import LAGS, PLACED, RECENT, KeyHead, echo, key_rows, recent
from training.nets.module_list import Modules
from training.nets.sizes import Sizes

_OF_KEYS = 6  # rows of conditions for each key

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class BeatsConfig(Sizes):
    """Sizes: `width` of a token, layers of the past, of the prior and of the denoiser, `heads`,
    channels of each key in the prior (`key_width`) and in the denoiser (`channels`); `window`
    tokens that a layer of the past sees, `memory` tokens that a block sees, `ahead` tokens in which
    it sees known cells.
    """

    width: int = 224
    context_layers: int = 6
    prior_layers: int = 4
    layers: int = 3
    heads: int = 4
    key_width: int = 128
    channels: int = 64
    window: int = 128
    memory: int = 256
    ahead: int = 64


@dataclass(frozen=True)
class Memory:
    """Keys and values of what was read, [batch, heads, tokens, channels] for each layer.

    `position` is the absolute place of the next token.
    """

    context: list[KeysValues]
    prior: list[KeysValues]
    position: int


class ContextLayer(nn.Module):
    """Causal self-attention and a multilayer perceptron, each on normalised input."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        d = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(
        self, x: Tensor, turn: Turn, where: Pattern, before: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        """Return the layer's output, and the keys and values of `before` and of `x`."""
        b, n, d = x.shape
        q, k, v = self.qkv(rms_norm(x)).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(rms_norm(q), turn), rotate(rms_norm(k), turn).to(v.dtype)
        if before is not None:
            k, v = torch.cat([before[0], k], dim=2), torch.cat([before[1], v], dim=2)
        y = attend(q.to(v.dtype), k, v, where)
        x = x + self.out(y.transpose(1, 2).reshape(b, n, d))
        return x + self.down(functional.gelu(self.up(rms_norm(x)), approximate="tanh")), (k, v)


class PriorLayer(nn.Module):
    """Attention of a block to itself, the memory and known cells in one softmax, modulated."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        d = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.past = nn.Linear(d, 2 * d, bias=False)
        self.known = nn.Linear(d, 2 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        self.modulate = nn.Linear(d, 4 * d)
        for layer in (self.out, self.down, self.modulate):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.modulate.bias)

    def keys(self, layer: nn.Linear, x: Tensor, turn: Turn) -> KeysValues:
        """Keys and values of tokens that are not the block's own."""
        b, n, _ = x.shape
        k, v = layer(x).reshape(b, n, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        return rotate(rms_norm(k), turn).to(v.dtype), v

    def forward(
        self,
        x: Tensor,
        modulation: Tensor,
        others: list[KeysValues],
        turn: Turn,
        where: Pattern | None,
    ) -> Tensor:
        b, n, d = x.shape
        scale1, shift1, scale2, shift2 = self.modulate(modulation).chunk(4, dim=-1)
        y = _modulated(x, scale1, shift1)
        q, k, v = self.qkv(y).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(rms_norm(q), turn).to(v.dtype), rotate(rms_norm(k), turn).to(v.dtype)
        k = torch.cat([*(o[0] for o in others), k], dim=2)
        v = torch.cat([*(o[1] for o in others), v], dim=2)
        y = attend(q, k, v, where)
        x = x + self.out(y.transpose(1, 2).reshape(b, n, d))
        y = _modulated(x, scale2, shift2)
        return x + self.down(functional.gelu(self.up(y), approximate="tanh"))


def _modulated(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Normalise tokens [batch, n, width]; scale and shift are [batch, blocks, width]."""
    y = rms_norm(x).unflatten(1, (-1, BLOCK))
    return (y * (1 + scale[:, :, None]) + shift[:, :, None]).flatten(1, 2)


class BeatsNet(nn.Module):
    """All four parts."""

    placed: Tensor

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        self.config = config
        d = config.width
        self.clean = nn.Linear(ROWS * KEYS, d)
        self.context_when = nn.Linear(WHEN, d)
        self.context_layers = Modules(ContextLayer(config) for _ in range(config.context_layers))
        self.echo = nn.Linear(2 * len(LAGS) * KEYS, d)
        self.recent = nn.Linear(len(RECENT) * ROWS * KEYS, d)
        self.when = nn.Linear(WHEN, d)
        self.known = nn.Linear(ROWS * KEYS, d)
        self.condition = nn.Sequential(nn.Linear(WIDTH, d), nn.SiLU(), nn.Linear(d, d))
        self.place = nn.Parameter(0.1 * torch.randn(BLOCK, d))
        self.prior_layers = Modules(PriorLayer(config) for _ in range(config.prior_layers))
        self.head = nn.Linear(d, OUTPUTS * KEYS)
        self.key_head = KeyHead(2 * len(LAGS) + ROWS, _OF_KEYS + PLACED, config.key_width)
        self.denoise = Denoiser(d, config.layers, config.channels)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            self.head.bias.copy_(initial_bias().flatten())
        self.register_buffer("placed", key_rows(), persistent=False)

    @property
    def head_width(self) -> int:
        """Channels of one attention head."""
        return self.config.width // self.config.heads

    # ------------------------------------------------------------------ the past

    def read(self, past: Tensor, when: Tensor, memory: Memory | None = None) -> Memory:
        """Read clean tokens [batch, tokens, 4, 88] after what `memory` holds.

        The returned memory holds all of them; `trimmed` cuts it to what can still be seen.
        """
        first = memory.position if memory else 0
        n = past.shape[1]
        kept = memory.context[0][0].shape[2] if memory else 0
        at = torch.arange(first, first + n, device=past.device)
        all_at = torch.arange(first - kept, first + n, device=past.device)
        distance = at[:, None] - all_at
        where = pattern((distance >= 0) & (distance < self.config.window))
        turn = rotary(at, self.head_width)
        x = self.clean(past.flatten(2)) + self.context_when(when)
        context: list[KeysValues] = []
        for i, layer in enumerate(self.context_layers):
            x, pair = layer(x, turn, where, memory.context[i] if memory else None)
            context.append(pair)
        x = rms_norm(x)
        prior: list[KeysValues] = []
        for i, layer in enumerate(self.prior_layers):
            k, v = layer.keys(layer.past, x, turn)
            if memory:
                k = torch.cat([memory.prior[i][0], k], dim=2)
                v = torch.cat([memory.prior[i][1], v], dim=2)
            prior.append((k, v))
        return Memory(context, prior, first + n)

    def trimmed(self, memory: Memory) -> Memory:
        """Leave out what no later token and no later block can see."""
        w, m = self.config.window - 1, self.config.memory
        return Memory(
            [(k[:, :, -w:], v[:, :, -w:]) for k, v in memory.context],
            [(k[:, :, -m:], v[:, :, -m:]) for k, v in memory.prior],
            memory.position,
        )

    # ------------------------------------------------------------------ blocks

    def prior(
        self,
        block: dict[str, Tensor],
        others: list[list[KeysValues]],
        positions: Tensor,
        where: Pattern | None = None,
    ) -> Prior:
        """The prior of n tokens, a whole number of blocks: beliefs before their cells are seen.

        Parameters
        ----------
        block : when [batch, n, 50], conditions [batch, blocks, WIDTH], echo [batch, n, 6, 88],
            recent [batch, blocks, 12, 88], known [batch, n, 4, 88].
        others : for each layer, keys and values beside the block's own.
        where : the keys that each token may see, `others` first; None: all of them.
        """
        b, n = block["when"].shape[:2]
        blocks = n // BLOCK
        of_block = self.condition(block["conditions"]) + self.recent(block["recent"].flatten(2))
        h = self.echo(block["echo"].flatten(2)) + self.when(block["when"])
        h = h + self.known(block["known"].flatten(2))
        h = (h.unflatten(1, (blocks, BLOCK)) + self.place + of_block[:, :, None]).flatten(1, 2)
        modulation = functional.silu(of_block)
        turn = rotary(positions, self.head_width)
        for layer, pairs in zip(self.prior_layers, others, strict=True):
            h = layer(h, modulation, pairs, turn, where)
        output = self.head(rms_norm(h)).reshape(b, n, OUTPUTS, KEYS)
        of_tokens = [block["echo"], block["known"]]
        of_keys = [
            self._of_keys(block["conditions"]),
            self.placed.expand(b, blocks, PLACED, KEYS),
        ]
        return Prior(self.key_head(output, block["recent"], of_tokens, of_keys).float(), h)

    def _of_keys(self, conditions: Tensor) -> Tensor:
        """The conditions that concern each key: [batch, blocks, 6, 88]."""
        b, blocks, _ = conditions.shape
        chords = conditions[..., SLICES["chord"]]
        classes = self.placed[:12]
        rows = []
        for beat in (0, 1):
            chord = chords[..., beat * CHORD : (beat + 1) * CHORD]
            rows += [chord[..., :12] @ classes, chord[..., 24:].expand(b, blocks, KEYS)]
        rows.append(chords[..., 12:24] @ classes)
        rows.append(conditions[..., SLICES["held"]])
        return torch.stack(rows, dim=2)

    def known_keys(self, known: Tensor, positions: Tensor) -> list[KeysValues]:
        """Keys and values of cells that are known beforehand, for each layer of the prior."""
        turn = rotary(positions, self.head_width)
        x = rms_norm(self.known(known.flatten(2)))
        return [layer.keys(layer.known, x, turn) for layer in self.prior_layers]

    def forward(
        self, x: Tensor, sigma: Tensor, batch: dict[str, Tensor]
    ) -> tuple[Beliefs, Beliefs]:
        """All blocks of an excerpt at once. Returns the prior, and beliefs of the noisy cells.

        Parameters
        ----------
        x : noisy cells [batch, tokens, 3, 88].
        sigma : [batch, tokens, 1 or 88], the level of each cell.
        batch : as `training.data.beats.Beats.batch` returns it.
        """
        past, n = batch["past"], x.shape[1]
        memory = self.read(past, batch["when"])
        at = torch.arange(n, device=x.device)
        begins = at[::BLOCK]
        begin = at // BLOCK * BLOCK
        before = (at < begin[:, None]) & (at >= begin[:, None] - self.config.memory)
        own = begin[:, None] == begin
        others = [[pair] for pair in memory.prior]
        mask = torch.cat([before, own], dim=1)
        known = batch.get("known")
        if known is not None:
            after = (at >= begin[:, None]) & (at < begin[:, None] + self.config.ahead)
            some = (known[:, :, 0] > 0).any(dim=-1)
            mask = torch.cat(
                [before.expand(len(x), n, n), after & some[:, None], own.expand(len(x), n, n)],
                dim=2,
            )
            others = [
                [pair, extra]
                for pair, extra in zip(memory.prior, self.known_keys(known, at), strict=True)
            ]
        block = {
            "when": batch["when"], "conditions": batch["conditions"],
            "echo": echo(past, batch["bar"], at, batch["echo"]), "recent": recent(past, begins),
            "known": torch.zeros_like(past) if known is None else known,
        }  # fmt: skip
        prior = self.prior(block, others, at, pattern(mask))
        return prior.beliefs, self.denoise(x, sigma, prior)
