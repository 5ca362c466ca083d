"""Train the notes stage: `python -m training.train_notes notes --data data/notes --out runs/notes
--samples 70000`.

See training/run.py for checkpoints and legs, training/nets/notes.py for the network and its loss.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.data.rolls import Rolls
from training.nets.notes import NotesNet, cross_entropy, posterior
from training.recipes.notes import NOTES, NotesPreset
from training.run import Batch, Run, arguments, on_one_thread

_LEVELS = (10.0, 2.0, 1.0, 0.5)
_SOUNDING_WEIGHT = 0.5  # onsets are the music; what sounds follows from them


class NotesTask:
    """Draws excerpts, noises every block at its own level, and asks for all of them at once."""

    def __init__(self, preset: NotesPreset, name: str, data: Path) -> None:
        self.preset, self.name = preset, name
        block = preset.network.block
        self._train = Rolls(data, "train", preset.tokens, block)
        self._held = Rolls(data, "held", preset.tokens, block)
        self._validation: Batch | None = None

    @property
    def size(self) -> int:
        """Excerpts in a batch."""
        return self.preset.batch

    def batch(self, rng: np.random.Generator) -> Batch:
        """`roll` [batch, tokens, 352], `told` [batch, tokens, 109]."""
        return self._train.batch(rng, self.size)

    def loss(self, model: nn.Module, batch: Batch, noise: torch.Generator) -> Tensor:
        """Mean cross entropy of a token, in nats, sounding cells counted half."""
        p = self.preset
        roll, device = batch["roll"], batch["roll"].device
        b, n, _ = roll.shape
        blocks = n // p.network.block
        level = torch.exp(p.mean + p.std * torch.randn(b, blocks, generator=noise))
        blind = torch.rand(b, blocks, generator=noise) < p.blind
        high = p.sigma_max * torch.rand(b, blocks, generator=noise).mul(0.6).add(0.4)
        level = torch.where(blind, high, level).clamp(p.sigma_min, p.sigma_max)
        sigma = level.repeat_interleave(p.network.block, dim=1).to(device)
        reach = torch.where(
            torch.rand(b, generator=noise) < 0.7, n, torch.randint(0, n, (b,), generator=noise)
        ).to(device)
        x = roll + sigma[..., None] * torch.randn(roll.shape, generator=noise).to(device)
        past = self._worn(roll, noise)
        beliefs = model(past, x, sigma, batch["told"], reach)
        onsets, sounding = cross_entropy(posterior(beliefs, x, sigma[..., None]), beliefs, roll)
        return (onsets + _SOUNDING_WEIGHT * sounding).mean()

    def _worn(self, roll: Tensor, noise: torch.Generator) -> Tensor:
        """The past as it may be when playing: onsets missing, cells noised."""
        b, n, rows = roll.shape
        missing = torch.rand(b, n, rows // 4, generator=noise) < 0.03 * torch.rand(
            b, 1, 1, generator=noise
        )
        worn = roll.clone()
        worn[..., : rows // 4] = torch.where(missing.to(roll.device), -1.0, roll[..., : rows // 4])
        level = self.preset.context_noise * torch.rand(b, 1, 1, generator=noise).sub(0.5).clamp(0)
        return worn + (level * torch.randn(roll.shape, generator=noise)).to(roll.device)

    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Nats of onsets and of sounding cells a token at fixed levels, on held-out works."""
        if self._validation is None:
            self._validation = self._held.batch(np.random.default_rng(3), 24)
        device = next(ema.parameters()).device
        roll, told = (self._validation[k].to(device) for k in ("roll", "told"))
        noise = torch.Generator().manual_seed(3)
        out: dict[str, float] = {}
        for level in _LEVELS:
            sigma = torch.full(roll.shape[:2], level, device=device)
            x = roll + level * torch.randn(roll.shape, generator=noise).to(device)
            reach = torch.full((len(roll),), roll.shape[1], device=device)
            beliefs = ema(roll, x, sigma, told * 0, reach)
            onsets, sounding = cross_entropy(posterior(beliefs, x, sigma[..., None]), beliefs, roll)
            late = roll.shape[1] // 2  # where there is a past to go by
            out[f"onset_{level:g}"] = float(onsets[:, late:].mean())
            out[f"sound_{level:g}"] = float(sounding[:, late:].mean())
        return out

    def facts(self) -> dict[str, Any]:
        """The preset's name and the network's sizes."""
        return {"preset": self.name, "network": json.dumps(self.preset.network.as_dict())}


def main() -> None:
    """Parse the command line and train."""
    parser = arguments("training.train_notes", __doc__, NOTES, "a folder of training.data.rolls")
    given = parser.parse_args()
    if given.device == "cpu":
        on_one_thread()
    torch.manual_seed(1)
    preset = NOTES[given.preset]
    task = NotesTask(preset, given.preset, given.data)
    model = NotesNet(preset.network)
    run = Run(task, model, given.out, given.samples, preset.schedule, device=given.device)
    run.go(given.save_minutes, given.hours)


if __name__ == "__main__":
    main()
