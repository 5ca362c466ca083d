"""Streams of the notes stage on beats, in PyTorch: the reference for the exported graphs.

A stream is played beat by beat. Its own cells are its past; keys and values of what it has read
stay in the network's memory. Many streams run side by side, as one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.sampling.samplers import ancestral
from engine.sampling.schedules import karras
from training.data import cells as grid
from training.data.conditions import BLOCK, WHEN, WIDTH, when
from training.data.scores import BEAT, TOKEN
from training.nets.beats import BeatsNet, Memory
from training.nets.beliefs import Beliefs, mean, posterior
from training.nets.denoiser import Prior
from training.nets.keys import LAGS, echo, recent

_SEEN = 4 * 4 * 12 + 16  # tokens of the past that the echo reads: four bars of 12 beats


@dataclass(frozen=True)
class Sampling:
    """How a block is drawn: Karras levels, the share `eta` of the noise that is renewed at each
    step, and how far velocity and length go from the sample to the network's own mean.
    """

    steps: int = 16
    sigma_max: float = 8.0
    sigma_min: float = 0.15
    rho: float = 5.0
    eta: float = 0.5
    velocity: float = 0.6
    length: float = 0.3


class Streams:
    """Endless music, `count` streams side by side.

    Parameters
    ----------
    net : averaged weights, in evaluation mode.
    bars : tokens of a bar for each stream.
    tempo : BPM for each stream.
    seed : of the noise.
    conditions : (beat) to its conditions [count, WIDTH]; by default all are free.
    """

    def __init__(
        self,
        net: BeatsNet,
        bars: list[int],
        tempo: list[float],
        seed: int,
        sampling: Sampling | None = None,
        conditions: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        self.net, self.bars, self.tempo = net, bars, tempo
        self.sampling = sampling or Sampling()
        s = self.sampling
        self._table = ancestral(karras(s.steps, s.sigma_min, s.sigma_max, s.rho), eta=s.eta)
        self._conditions = conditions or (lambda beat: np.zeros((len(bars), WIDTH), np.float32))
        self._noise = torch.Generator().manual_seed(seed)
        self._until = np.zeros((len(bars), grid.KEYS), np.int64)
        self._memory: Memory | None = None
        self.beat = 0
        self.cells = torch.zeros(len(bars), 0, grid.ROWS, grid.KEYS)

    def _when(self) -> Tensor:
        start = self.beat * BEAT
        rows = np.zeros((len(self.bars), BLOCK, WHEN), np.float32)
        for i, (bar, tempo) in enumerate(zip(self.bars, self.tempo, strict=True)):
            first = start // (bar * TOKEN) * bar * TOKEN
            lines = first + np.arange(BLOCK + 3) * bar * TOKEN
            rows[i], _ = when(lines, start, BLOCK, np.full(BLOCK, tempo))
        return torch.from_numpy(rows)

    def _block(self) -> dict[str, Tensor]:
        """The conditions of the block, as `BeatsNet.prior` takes them."""
        count, frames = self.cells.shape[:2]
        seen = self.cells[:, -_SEEN:]
        if not frames:
            seen = torch.zeros(count, 1, grid.ROWS, grid.KEYS)
            seen[:, :, grid.ONSET] = -1
        at = seen.shape[1] + torch.arange(BLOCK)
        bar = torch.tensor(self.bars)[:, None].expand(count, BLOCK)
        return {
            "when": self._when(),
            "conditions": torch.from_numpy(self._conditions(self.beat))[:, None],
            "echo": echo(seen, bar, at, torch.ones(count, len(LAGS))),
            "recent": recent(seen, at[:1]),
            "known": torch.zeros(count, BLOCK, grid.ROWS, grid.KEYS),
        }

    @torch.no_grad()
    def play(self, beats: int) -> None:
        """Append beats to `cells`."""
        for _ in range(beats):
            new = self._sampled(self._block())
            self._append(new)

    def _sampled(self, block: dict[str, Tensor]) -> Tensor:
        """One block of cells [count, 4, 3, 88]."""
        s, table = self.sampling, self._table
        count = len(self.bars)
        others = [[pair] for pair in self._memory.prior] if self._memory else None
        others = others or [[] for _ in self.net.prior_layers]
        prior = self.net.prior(block, others, self.beat * BLOCK + torch.arange(BLOCK))
        shape = (count, BLOCK, grid.DIFFUSED, grid.KEYS)
        x = float(table.sigma[0]) * torch.randn(shape, generator=self._noise)
        for row in range(len(table) - 1):
            _, found = self._evaluated(x, float(table.sigma[row]), prior)
            x = float(table.a[row]) * x + float(table.b[row]) * mean(found)
            if table.d[row]:
                x = x + float(table.d[row]) * torch.randn(shape, generator=self._noise)
        beliefs, found = self._evaluated(x, float(table.sigma[-1]), prior)
        on = mean(found)[:, :, grid.ONSET] > 0
        velocity = found.velocity.lerp(beliefs.velocity, s.velocity).clamp(0.51, 1.5)
        length = found.length.lerp(beliefs.length, s.length).clamp(-1.0, 1.2)
        place = torch.tensor(grid.PLACE_VALUES)[found.places.argmax(dim=2)]
        silent = torch.stack([-torch.ones_like(velocity), 0 * place, 0 * length], dim=2)
        struck = torch.stack([velocity, place, length], dim=2)
        return torch.where(on[:, :, None], struck, silent)

    def _evaluated(self, x: Tensor, sigma: float, prior: Prior) -> tuple[Beliefs, Beliefs]:
        """What the network believes of noisy cells, and the posterior."""
        level = torch.full((len(x), BLOCK, 1), sigma)
        beliefs = self.net.denoise(x, level, prior)
        return beliefs, posterior(beliefs, x, level[:, :, None])

    def _append(self, new: Tensor) -> None:
        whole = torch.zeros(len(new), BLOCK, grid.ROWS, grid.KEYS)
        whole[:, :, : grid.DIFFUSED] = new
        for i, cells in enumerate(new.numpy()):
            row, self._until[i] = grid.sounding(cells, self._until[i])
            whole[i, :, grid.SOUNDING] = torch.from_numpy(row)
        self._memory = self.net.trimmed(self.net.read(whole, self._when(), self._memory))
        self.cells = torch.cat([self.cells, whole], dim=1)
        self.beat += 1

    def notes(self, stream: int) -> np.ndarray:
        """A stream's notes so far: int64 [notes, 4], onset and length in ticks, pitch, velocity."""
        return grid.decode(self.cells[stream].numpy())


def in_seconds(notes: np.ndarray, tempo: np.ndarray | float) -> np.ndarray:
    """Notes in ticks as [notes, 4]: pitch, velocity, start, end in seconds.

    `tempo` is one number, or BPM of each eighth from tick 0 on.
    """
    eighths = np.atleast_1d(np.asarray(tempo, float))
    ends = notes[:, 0] + notes[:, 1]
    steps = max(int(ends.max(initial=0)) // (BEAT // 2) + 2, len(eighths))
    bpm = np.r_[eighths, np.full(steps - len(eighths), eighths[-1])]
    lines = np.r_[0, np.cumsum(30 / bpm)]
    at = np.arange(len(lines)) * BEAT / 2
    start, end = np.interp(notes[:, 0], at, lines), np.interp(ends, at, lines)
    return np.stack([notes[:, 2], notes[:, 3], start, end], axis=1).astype(float)
