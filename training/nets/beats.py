"""The notes stage on beats: block diffusion over cells, with a clean past (Arriola et al. 2025).

Three parts. A causal transformer reads the clean cells of the past, token by token, each through a
window; its output for a token never changes, so keys and values are kept in a `Memory`. A denoiser
of few layers sees the four noisy tokens of a block (a beat) and, in every layer, the memory and the
cells that are known beforehand. A small network that all 88 keys share corrects each key from what
concerns that key alone: its noisy cells, its recent past, its *echo* one, two and four bars before,
the chord.

The network returns beliefs; `training/nets/beliefs.py` adds what the noisy cells say. Cells are
those of `training/data/cells.py`, conditions those of `training/data/conditions.py`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.data.cells import DIFFUSED, KEYS, LENGTH, ONSET, ROWS
from training.data.conditions import BLOCK, CHORD, SLICES, WHEN, WIDTH
from training.data.notes import LOWEST
from training.nets.attention import Pattern, Turn, attend, pattern, rms_norm, rotary, rotate
from training.nets.beliefs import OUTPUTS, Beliefs, initial_bias, neutral_mean

LAGS = (1, 2, 4)  # bars
_RECENT = (1, 4, 16)  # tokens whose mean each key sees
_KEY_INPUTS = BLOCK * (OUTPUTS + 2 * DIFFUSED + 2 * len(LAGS) + ROWS) + len(_RECENT) * ROWS + 20

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class BeatsConfig:
    """Sizes: `width` of a token, layers of both halves, `heads`, channels of the network per key;
    `window` tokens that a layer of the past sees, `memory` tokens that a block sees, `ahead` tokens
    in which it sees known cells.
    """

    width: int = 224
    context_layers: int = 6
    layers: int = 4
    heads: int = 4
    key_width: int = 128
    window: int = 128
    memory: int = 256
    ahead: int = 64

    def as_dict(self) -> dict[str, int]:
        """Plain values, for a checkpoint."""
        return asdict(self)


@dataclass(frozen=True)
class Memory:
    """Keys and values of what was read, [batch, heads, tokens, channels] for each layer.

    `position` is the absolute place of the next token.
    """

    context: list[KeysValues]
    denoiser: list[KeysValues]
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
        """Returns the layer's answer and all keys and values, `before` among them."""
        b, n, d = x.shape
        q, k, v = self.qkv(rms_norm(x)).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(rms_norm(q), turn), rotate(rms_norm(k), turn).to(v.dtype)
        if before is not None:
            k, v = torch.cat([before[0], k], dim=2), torch.cat([before[1], v], dim=2)
        y = attend(q.to(v.dtype), k, v, where)
        x = x + self.out(y.transpose(1, 2).reshape(b, n, d))
        return x + self.down(functional.gelu(self.up(rms_norm(x)), approximate="tanh")), (k, v)


class DenoiserLayer(nn.Module):
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
        level: Tensor,
        others: list[KeysValues],
        turn: Turn,
        where: Pattern | None,
    ) -> Tensor:
        b, n, d = x.shape
        scale1, shift1, scale2, shift2 = self.modulate(level).chunk(4, dim=-1)
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


class KeyHead(nn.Module):
    """Corrects the beliefs of one key over a block from what is seen of that key alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Conv1d(_KEY_INPUTS, width, 1)
        self.down = nn.Conv1d(width, BLOCK * OUTPUTS, 1)
        nn.init.zeros_(self.down.weight)
        assert self.down.bias is not None
        nn.init.zeros_(self.down.bias)

    def forward(self, answer: Tensor, of_tokens: list[Tensor], of_block: list[Tensor]) -> Tensor:
        """`answer` and `of_tokens` [batch, n, rows, 88], `of_block` [batch, blocks, rows, 88]."""
        b, n = answer.shape[:2]
        blocks = n // BLOCK
        parts = [(answer / 4), *of_tokens]
        x = torch.cat([p.reshape(b, blocks, -1, KEYS) for p in parts] + of_block, dim=2)
        y = functional.gelu(self.up(x.flatten(0, 1)), approximate="tanh")
        return answer + self.down(y).reshape(b, n, OUTPUTS, KEYS)


def recent(past: Tensor, begins: Tensor) -> Tensor:
    """What each key did just before the tokens `begins` [blocks]: means over the last 1, 4, 16.

    `past` [batch, tokens, 4, 88] -> [batch, blocks, 12, 88]. Before the first token all is quiet.
    """
    quiet = torch.zeros_like(past[:, :1]).expand(-1, max(_RECENT), -1, -1).clone()
    quiet[:, :, ONSET] = -1
    total = torch.cat([torch.zeros_like(quiet[:, :1]), torch.cat([quiet, past], dim=1)], dim=1)
    total = total.float().cumsum(dim=1)
    end = begins + max(_RECENT)
    return torch.cat([(total[:, end] - total[:, end - n]) / n for n in _RECENT], dim=2)


def echo(past: Tensor, bar: Tensor, at: Tensor, kept: Tensor) -> Tensor:
    """Onset (0 or 1) and length of the same key one, two and four bars before tokens `at` [n].

    Parameters
    ----------
    past : [batch, tokens, 4, 88], index 0 the first of them.
    bar : [batch, n], tokens of the bar; a bar shorter than a block counts several times.
    kept : [batch, 3], 0 where a lag is silenced.

    Returns
    -------
    [batch, n, 6, 88]
    """
    lag = bar * ((BLOCK + bar - 1) // bar)
    cells = torch.stack([(past[:, :, ONSET] > 0).to(past.dtype), past[:, :, LENGTH]], dim=2)
    out = []
    for i, bars in enumerate(LAGS):
        source = at - bars * lag
        found = torch.take_along_dim(cells, source.clamp(min=0)[..., None, None], dim=1)
        exists = (source >= 0).to(past.dtype) * kept[:, i, None]
        out.append(found * exists[..., None, None])
    return torch.cat(out, dim=2)


class BeatsNet(nn.Module):
    """All three parts."""

    pitch_class: Tensor
    key_place: Tensor

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        self.config = config
        d = config.width
        self.clean = nn.Linear(ROWS * KEYS, d)
        self.context_when = nn.Linear(WHEN, d)
        self.context_layers = nn.ModuleList(
            ContextLayer(config) for _ in range(config.context_layers)
        )
        self.noisy = nn.Linear(2 * DIFFUSED * KEYS, d)
        self.echo = nn.Linear(2 * len(LAGS) * KEYS, d)
        self.recent = nn.Linear(len(_RECENT) * ROWS * KEYS, d)
        self.when = nn.Linear(WHEN, d)
        self.known = nn.Linear(ROWS * KEYS, d)
        self.condition = nn.Sequential(nn.Linear(WIDTH, d), nn.SiLU(), nn.Linear(d, d))
        self.level = nn.Sequential(nn.Linear(32, d), nn.SiLU(), nn.Linear(d, d))
        self.place = nn.Parameter(0.1 * torch.randn(BLOCK, d))
        self.layers = nn.ModuleList(DenoiserLayer(config) for _ in range(config.layers))
        self.head = nn.Linear(d, OUTPUTS * KEYS)
        self.key_head = KeyHead(config.key_width)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            self.head.bias.copy_(initial_bias().flatten())
        pitch = torch.arange(LOWEST, LOWEST + KEYS)
        self.register_buffer(
            "pitch_class", functional.one_hot(pitch % 12, 12).T.float(), persistent=False
        )
        self.register_buffer("key_place", (pitch - 64) / 44, persistent=False)

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
        denoiser: list[KeysValues] = []
        for i, layer in enumerate(self.layers):
            k, v = layer.keys(layer.past, x, turn)
            if memory:
                k = torch.cat([memory.denoiser[i][0], k], dim=2)
                v = torch.cat([memory.denoiser[i][1], v], dim=2)
            denoiser.append((k, v))
        return Memory(context, denoiser, first + n)

    def trimmed(self, memory: Memory) -> Memory:
        """Leave out what no later token and no later block can see."""
        w, m = self.config.window - 1, self.config.memory
        return Memory(
            [(k[:, :, -w:], v[:, :, -w:]) for k, v in memory.context],
            [(k[:, :, -m:], v[:, :, -m:]) for k, v in memory.denoiser],
            memory.position,
        )

    # ------------------------------------------------------------------ blocks

    def denoise(
        self,
        x: Tensor,
        sigma: Tensor,
        block: dict[str, Tensor],
        others: list[list[KeysValues]],
        positions: Tensor,
        where: Pattern | None = None,
    ) -> Beliefs:
        """Beliefs of noisy tokens x [batch, n, 3, 88], n a whole number of blocks.

        Parameters
        ----------
        sigma : [batch, n], one level per block.
        block : when [batch, n, 50], conditions [batch, blocks, WIDTH], echo [batch, n, 6, 88],
            recent [batch, blocks, 12, 88], known [batch, n, 4, 88].
        others : for each layer, keys and values beside the block's own.
        where : the keys that each token may see, `others` first; None: all of them.
        """
        b, n = x.shape[:2]
        blocks = n // BLOCK
        s = sigma[..., None, None]
        seen = torch.cat([x * torch.rsqrt(s**2 + 1), neutral_mean(x, s)], dim=2)
        of_block = self.condition(block["conditions"]) + self.recent(block["recent"].flatten(2))
        of_block = of_block + self._level(sigma[:, ::BLOCK])
        h = self.noisy(seen.flatten(2)) + self.echo(block["echo"].flatten(2))
        h = h + self.when(block["when"]) + self.known(block["known"].flatten(2))
        h = (h.unflatten(1, (blocks, BLOCK)) + self.place + of_block[:, :, None]).flatten(1, 2)
        modulation = functional.silu(of_block)
        turn = rotary(positions, self.head_width)
        for layer, pairs in zip(self.layers, others, strict=True):
            h = layer(h, modulation, pairs, turn, where)
        answer = self.head(rms_norm(h)).reshape(b, n, OUTPUTS, KEYS)
        of_tokens = [seen, block["echo"], block["known"]]
        of_keys = [block["recent"], self._of_keys(block["conditions"], sigma)]
        return Beliefs.split(self.key_head(answer, of_tokens, of_keys).float())

    def _level(self, sigma: Tensor) -> Tensor:
        rates = torch.exp(torch.linspace(0, math.log(60), 16, device=sigma.device))
        angle = 0.25 * sigma.log()[..., None] * rates
        return self.level(torch.cat([angle.cos(), angle.sin()], dim=-1))

    def _of_keys(self, conditions: Tensor, sigma: Tensor) -> Tensor:
        """What conditions say of each key: [batch, blocks, 20, 88]."""
        b, blocks, _ = conditions.shape
        chords = conditions[..., SLICES["chord"]]
        rows = []
        for beat in (0, 1):
            chord = chords[..., beat * CHORD : (beat + 1) * CHORD]
            rows += [chord[..., :12] @ self.pitch_class, chord[..., 24:].expand(b, blocks, KEYS)]
        rows.append(chords[..., 12:24] @ self.pitch_class)
        rows.append(conditions[..., SLICES["held"]])
        rows.append((sigma[:, ::BLOCK, None].log() / 4).expand(b, blocks, KEYS))
        rows.append(self.key_place.expand(b, blocks, KEYS))
        fixed = self.pitch_class.expand(b, blocks, 12, KEYS)
        return torch.cat([torch.stack(rows, dim=2), fixed], dim=2)

    def known_keys(self, known: Tensor, positions: Tensor) -> list[KeysValues]:
        """Keys and values of cells that are known beforehand, for each layer of the denoiser."""
        turn = rotary(positions, self.head_width)
        x = rms_norm(self.known(known.flatten(2)))
        return [layer.keys(layer.known, x, turn) for layer in self.layers]

    def forward(self, x: Tensor, sigma: Tensor, batch: dict[str, Tensor]) -> Beliefs:
        """All blocks of an excerpt at once.

        Parameters
        ----------
        x : noisy cells [batch, tokens, 3, 88].
        sigma : [batch, tokens], one level per block.
        batch : as `training.data.beats.Beats.batch` returns it.
        """
        past, n = batch["past"], x.shape[1]
        memory = self.read(past, batch["when"])
        at = torch.arange(n, device=x.device)
        begins = at[::BLOCK]
        begin = at // BLOCK * BLOCK
        before = (at < begin[:, None]) & (at >= begin[:, None] - self.config.memory)
        own = begin[:, None] == begin
        others = [[pair] for pair in memory.denoiser]
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
                for pair, extra in zip(memory.denoiser, self.known_keys(known, at), strict=True)
            ]
        block = {
            "when": batch["when"], "conditions": batch["conditions"],
            "echo": echo(past, batch["bar"], at, batch["echo"]), "recent": recent(past, begins),
            "known": torch.zeros_like(past) if known is None else known,
        }  # fmt: skip
        return self.denoise(x, sigma, block, others, at, pattern(mask))
