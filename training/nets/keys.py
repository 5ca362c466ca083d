"""Features of each of the 88 keys, and small networks that all keys share.

A key's features are its recent past, its echo some bars before, its pitch class.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.data.cells import KEYS, LENGTH, ONSET, ROWS
from training.data.conditions import BLOCK
from training.data.notes import LOWEST
from training.nets.beliefs import OUTPUTS

LAGS = (1, 2, 4)  # bars
RECENT = (1, 4, 16)  # tokens whose mean each key sees
PLACED = 13  # rows of `key_rows`


def key_rows() -> Tensor:
    """Pitch class (12 rows, C first) and place on the keyboard of every key, [13, 88]."""
    pitch = torch.arange(LOWEST, LOWEST + KEYS)
    classes = functional.one_hot(pitch % 12, 12).T.float()
    return torch.cat([classes, ((pitch - 64) / 44)[None]])


def interval_convolution(rows: int, channels: int) -> nn.Conv1d:
    """A convolution over the keys, two octaves to each side: the effect of one key on another
    depends on the interval between them, whichever keys they are.
    """
    reach = 2 * 12
    return nn.Conv1d(rows, channels, 2 * reach + 1, padding=reach, bias=False)


class KeyHead(nn.Module):
    """Corrects the beliefs of one key over a block.

    It sees what concerns that key alone, and the recent past of the keys around it. `of_tokens` and
    `of_block` are the numbers of rows that `forward` takes beside the output and the recent past.
    """

    def __init__(self, of_tokens: int, of_block: int, width: int) -> None:
        super().__init__()
        of_past = len(RECENT) * ROWS
        self.up = nn.Conv1d(BLOCK * (OUTPUTS + of_tokens) + of_past + of_block, width, 1)
        self.around = interval_convolution(of_past, width)
        self.down = nn.Conv1d(width, BLOCK * OUTPUTS, 1)
        for layer in (self.around, self.down):
            nn.init.zeros_(layer.weight)
        assert self.down.bias is not None
        nn.init.zeros_(self.down.bias)

    def forward(
        self, output: Tensor, past: Tensor, of_tokens: list[Tensor], of_block: list[Tensor]
    ) -> Tensor:
        """`output` and `of_tokens` [batch, n, rows, 88], `past` and `of_block` [batch, blocks,
        rows, 88].
        """
        b, n = output.shape[:2]
        blocks = n // BLOCK
        parts = [(output / 4), *of_tokens]
        x = torch.cat([p.reshape(b, blocks, -1, KEYS) for p in parts] + [past, *of_block], dim=2)
        y = self.up(x.flatten(0, 1)) + self.around(past.flatten(0, 1))
        y = functional.gelu(y, approximate="tanh")
        return output + self.down(y).reshape(b, n, OUTPUTS, KEYS)


def recent(past: Tensor, begins: Tensor) -> Tensor:
    """What each key did just before the tokens `begins` [blocks]: means over the last 1, 4, 16.

    `past` [batch, tokens, 4, 88] -> [batch, blocks, 12, 88]. Before the first token all is quiet.
    """
    quiet = torch.zeros_like(past[:, :1]).expand(-1, max(RECENT), -1, -1).clone()
    quiet[:, :, ONSET] = -1
    total = torch.cat([torch.zeros_like(quiet[:, :1]), torch.cat([quiet, past], dim=1)], dim=1)
    total = total.float().cumsum(dim=1)
    end = begins + max(RECENT)
    return torch.cat([(total[:, end] - total[:, end - n]) / n for n in RECENT], dim=2)


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
