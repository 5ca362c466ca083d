"""Train the sound stage: `python -m training.train_sound sound-24k --data data/piano24
--out runs/sound --samples 160000`.

See training/run.py for checkpoints and legs, training/nets/columns.py for the network.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.data.blocks import Normalisation, normalised
from training.data.columns import Windows
from training.edm import SIGMA_DATA, Preconditioned, edm_loss
from training.nets.columns import STYLES, Columns
from training.recipes.cascade import SOUND, SoundPreset
from training.run import Batch, Run, arguments, on_one_thread, read_checkpoint

_LEVELS = (0.1, 0.4, 1.0, 3.0, 10.0)
_FROM = 10.0  # sigma of the noise that one step begins at


class SoundTask:
    """Draws windows, wears their past, leaves out conditions at times, and denoises their blocks.

    Parameters
    ----------
    preset, name : of the recipe.
    data : the dataset's folder.
    norm : as a checkpoint has it, else measured on the training split.
    """

    def __init__(
        self, preset: SoundPreset, name: str, data: Path, norm: Normalisation | None = None
    ) -> None:
        self.preset, self.name = preset, name
        self._train = Windows(data, "train", preset.spectrogram, preset.network)
        self._held = Windows(data, "held", preset.spectrogram, preset.network)
        self.norm = norm or self._train.measure(np.random.default_rng(0))
        self._validation: Batch | None = None

    @property
    def size(self) -> int:
        """Windows in a batch."""
        return self.preset.batch

    def network(self) -> Preconditioned:
        """A fresh network for this data."""
        p, norm = self.preset, self.norm
        return Preconditioned(Columns(p.network, norm.mean, norm.scale, p.spectrogram.floor))

    def batch(self, rng: np.random.Generator) -> Batch:
        """`columns` [batch, bins, past + frames] normalised, `roll` and `style` as in Windows."""
        return self._normalised(self._train.windows(rng, self.size))

    def _normalised(self, batch: Batch) -> Batch:
        return batch | {"columns": normalised(batch["columns"], self.norm)[:, 0]}

    def loss(self, model: nn.Module, batch: Batch, noise: torch.Generator) -> Tensor:
        """Mean EDM loss of a batch, and the front's own error."""
        p, device = self.preset, batch["roll"].device
        past, clean = self._split(batch)
        b = len(clean)
        level = p.context_noise * torch.rand(b, 1, 1, generator=noise) ** 2
        past = past + (level * torch.randn(past.shape, generator=noise)).to(device)
        present = (torch.rand(b, generator=noise) >= p.context_dropout).float().to(device)
        told = (torch.rand(b, len(STYLES), generator=noise) >= p.style_dropout).float().to(device)
        sigma = p.noise.draw(b, noise)
        noised = clean + (sigma[:, None, None] * torch.randn(clean.shape, generator=noise)).to(
            device
        )
        sigma = sigma.to(device)
        style = _conditions(batch["style"], told)
        context = model.net.context(batch["roll"], past, present, *style)
        denoised = model.denoise(noised, sigma, context)
        front = (context["guess"].transpose(1, 2) - clean).square().mean() / SIGMA_DATA**2
        return edm_loss(denoised, clean, sigma).mean() + p.front * front

    def _split(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Past and block of a batch's columns."""
        frames = self.preset.network.past
        return batch["columns"][..., :frames], batch["columns"][..., frames:]

    def validate(self, ema: nn.Module, count: int = 48) -> dict[str, float]:
        """EDM loss at fixed noise on held-out works, and the error of one step from noise.

        The error is the mean absolute one in ln magnitude: `l1`, without a past `l1_no_past`,
        and of the physical front alone, `l1_front`.
        """
        if self._validation is None:
            self._validation = self._normalised(self._held.windows(np.random.default_rng(5), count))
        device = next(ema.parameters()).device
        batch = {k: t.to(device) for k, t in self._validation.items()}
        noise = torch.Generator().manual_seed(5)
        past, clean = self._split(batch)
        style = _conditions(batch["style"], torch.ones_like(batch["style"]))
        here = torch.ones(count, device=device)
        context = ema.net.context(batch["roll"], past, here, *style)
        eps = torch.randn(clean.shape, generator=noise).to(device)
        out: dict[str, float] = {}
        for level in _LEVELS:
            sigma = here * level
            x0 = ema.denoise(clean + level * eps, sigma, context)
            out[f"held_{level:g}"] = float(edm_loss(x0, clean, sigma).mean())
        alone = ema.net.context(batch["roll"], past, 0 * here, *style)
        for key, given in (("l1", context), ("l1_no_past", alone)):
            x0 = ema.denoise(_FROM * eps, here * _FROM, given)
            out[key] = float((x0 - clean).abs().mean() * self.norm.scale)
        front = context["guess"].transpose(1, 2)
        out["l1_front"] = float((front - clean).abs().mean() * self.norm.scale)
        return out

    def facts(self) -> dict[str, Any]:
        """The preset's name, the sizes, and how the data is normalised."""
        return {
            "preset": self.name,
            "network": json.dumps(self.preset.network.as_dict()),
            "spectrogram": json.dumps(asdict(self.preset.spectrogram)),
            "mean": torch.from_numpy(np.asarray(self.norm.mean)),
            "scale": self.norm.scale,
        }


def _conditions(style: Tensor, told: Tensor) -> list[Tensor]:
    """[batch, 3] twice -> one [batch, 2] a condition: its value, and whether it is given."""
    return list(torch.stack([style, told], -1).unbind(1))


def main() -> None:
    """Parse the command line and train."""
    parser = arguments("training.train_sound", __doc__, SOUND, "a dataset folder made from MIDI")
    given = parser.parse_args()
    if given.device == "cpu":
        on_one_thread()
    torch.manual_seed(1)
    preset, state = SOUND[given.preset], read_checkpoint(given.out)
    norm = Normalisation(state["mean"].numpy(), state["scale"]) if state else None
    task = SoundTask(preset, given.preset, given.data, norm)
    run = Run(task, task.network(), given.out, given.samples, preset.schedule, given.device)
    run.go(given.save_minutes, given.hours)


if __name__ == "__main__":
    main()
