"""Train: `python -m training.train piano-16k --data data/piano16 --out runs/piano --samples 60000`.

One process a core under torchrun (`torchrun --nproc-per-node 2 -m training.train ...`): processes
wait for each other once a step, threads many times, and beside other work that costs ten times.
Stopping is safe at any moment: the same command continues from the last checkpoint (every
`--save-minutes`). `--samples` is the whole length of the run over all legs; the learning rate, the
averaged weights and the share of own rollouts follow it.
"""

from __future__ import annotations

import copy
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from training.data.blocks import Blocks, Normalisation, normalised
from training.edm import Denoiser, edm_loss, euler_rollout
from training.recipes.piano import PRESETS, Preset
from training.run import append_row, arguments

_SETTLE_EVERY = 4  # steps; weights leave the unit sphere by far less than a thousandth between
_VALIDATION_SIGMAS = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)


class Trainer:
    """One run of one preset: owns the network, its EMA, the optimiser and the run's folder.

    Used by one process of the run's group; rank 0 writes checkpoints and the log.
    """

    def __init__(
        self, preset: Preset, name: str, data: Path, run: Path, samples: int, device: str
    ) -> None:
        self.preset, self.name, self.run, self.length = preset, name, run, samples
        self.device = torch.device(device)
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        torch.manual_seed(1)
        self.model = Denoiser(preset.network).to(self.device, memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=preset.rate, betas=(0.9, 0.99), fused=True
        )
        self.train_blocks = Blocks(data, "train", preset.spectrogram)
        self.held_blocks = Blocks(data, "held", preset.spectrogram)
        self.samples, self.seconds, self.steps = 0, 0.0, 0
        run.mkdir(parents=True, exist_ok=True)
        self.norm = self._restore()
        self.parallel: nn.Module = self.model
        if self.world > 1:
            self.parallel = DistributedDataParallel(
                self.model, gradient_as_bucket_view=True, broadcast_buffers=False
            )
        self.rng = np.random.default_rng([self.samples, self.rank])
        self.noise = torch.Generator().manual_seed(self.samples * 64 + self.rank)

    # ------------------------------------------------------------------ state

    @property
    def _checkpoint(self) -> Path:
        return self.run / "checkpoint.pt"

    def _restore(self) -> Normalisation:
        if self._checkpoint.is_file():
            state = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.samples, self.seconds, self.steps = (
                state[k] for k in ("samples", "seconds", "steps")
            )
            return Normalisation(state["mean"].numpy(), state["scale"])
        return self.train_blocks.measure(np.random.default_rng(0))

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.rank:
            return
        state = {
            "model": self.model.state_dict(), "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(), "samples": self.samples,
            "seconds": self.seconds, "steps": self.steps, "preset": self.name,
            "network": json.dumps(self.preset.network.as_dict()),
            "spectrogram": json.dumps(asdict(self.preset.spectrogram)),
            "mean": torch.from_numpy(self.norm.mean), "scale": self.norm.scale,
        }  # fmt: skip
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._checkpoint)

    # ------------------------------------------------------------------- step

    @property
    def progress(self) -> float:
        """How much of the run is done, 0..1."""
        return min(self.samples / self.length, 1.0)

    def learning_rate(self) -> float:
        """Warm-up, constant, then linear to zero."""
        left = (1 - self.progress) / (1 - self.preset.decay_after)
        return self.preset.rate * min(1.0, self.samples / self.preset.warm_up, left)

    def _past(self, x: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """The condition as it will be when playing: noised, missing at times, or one's own."""
        p = self.preset
        before, previous = x[..., :frames], x[..., frames : 2 * frames]
        if self.progress > p.rollout_after and self.rng.random() < p.rollout_share * 2:
            half = len(x) // 2
            with torch.no_grad():
                self.model.eval()
                start = float(np.exp(self.rng.uniform(np.log(0.4), np.log(8.0))))
                sigmas = start * torch.tensor([1.0, 0.45, 0.15, 0.0])
                context = self.model.net.context(before[:half], torch.ones(half))
                noised = previous[:half] + start * torch.randn(
                    previous[:half].shape, generator=self.noise
                )
                own = euler_rollout(self.model, noised, sigmas, context)
                self.model.train()
            previous = torch.cat([own.clamp(-4, 4), previous[half:]])
        level = p.context_noise * torch.rand(len(x), 1, 1, 1, generator=self.noise) ** 2
        previous = previous + level * torch.randn(previous.shape, generator=self.noise)
        present = (torch.rand(len(x), generator=self.noise) >= p.context_dropout).float()
        return previous, present

    def step(self) -> float:
        """One step of this process. Returns the loss."""
        p, frames = self.preset, self.preset.spectrogram.frames
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        x = normalised(self.train_blocks.batch(self.rng, p.batch, 3), self.norm)
        previous, present = self._past(x, frames)
        clean = x[..., 2 * frames :]
        sigma = p.noise.draw(p.batch, self.noise)
        noised = clean + sigma[:, None, None, None] * torch.randn(clean.shape, generator=self.noise)
        tensors = [t.to(self.device) for t in (noised, sigma, previous, present, clean)]
        noised, sigma, previous, present, clean = tensors
        loss = edm_loss(self.parallel(noised, sigma, previous, present), clean, sigma).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.steps += 1
        if self.steps % _SETTLE_EVERY == 0:
            self.model.net.settle()
        size = p.batch * self.world
        self.samples += size
        decay = 1 - size / min(p.ema, size + self.samples / 9)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.ema.parameters()), list(self.model.parameters()), 1 - decay
            )
        return float(loss.detach())

    @torch.no_grad()
    def validate(self, count: int = 24) -> dict[str, float]:
        """EDM loss of the EMA on held-out works, with and without the past, at fixed noise."""
        rng, noise = np.random.default_rng(5), torch.Generator().manual_seed(5)
        frames = self.preset.spectrogram.frames
        x = normalised(self.held_blocks.batch(rng, count, 2), self.norm)
        previous, clean = x[..., :frames], x[..., frames:]
        losses = {}
        for key, present in (("held", 1.0), ("held_no_past", 0.0)):
            total = 0.0
            for level in _VALIDATION_SIGMAS:
                sigma = torch.full((count,), level)
                noised = clean + level * torch.randn(clean.shape, generator=noise)
                given = [
                    t.to(self.device)
                    for t in (noised, sigma, previous, torch.full((count,), present))
                ]
                total += float(
                    edm_loss(self.ema(*given), clean.to(self.device), sigma.to(self.device)).mean()
                )
            losses[key] = total / len(_VALIDATION_SIGMAS)
        return losses

    def go(self, save_minutes: float, hours: float | None = None) -> None:
        """Train to the run's end, or for `hours`."""
        self.model.train()
        started = last = saved = time.monotonic()
        recent: list[float] = []
        while self.samples < self.length:
            recent.append(self.step())
            now = time.monotonic()
            late = hours is not None and now - started > hours * 3600
            spent = torch.tensor([now - last, float(now - saved > save_minutes * 60), float(late)])
            if self.world > 1:
                dist.broadcast(spent, 0)
            last = now
            self.seconds += float(spent[0])
            stop = bool(spent[2]) or self.samples >= self.length
            if spent[1] or stop:
                saved = now
                if not self.rank:
                    self._log({"loss": float(np.mean(recent)), **self.validate()})
                self.save()
                recent.clear()
            if stop:
                break

    def _log(self, values: dict[str, float]) -> None:
        row = {
            "steps": self.steps, "samples": self.samples, "hours": round(self.seconds / 3600, 4),
            "rate": round(self.learning_rate(), 6), **{k: round(v, 5) for k, v in values.items()},
        }  # fmt: skip
        append_row(self.run, self.progress, row)


def main() -> None:
    """Parse the command line and train."""
    given = arguments("training.train", __doc__, PRESETS, "a dataset folder").parse_args()
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("nccl" if given.device.startswith("cuda") else "gloo")
    if given.device == "cpu":
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
    trainer = Trainer(
        PRESETS[given.preset], given.preset, given.data, given.out,
        given.samples, given.device,
    )  # fmt: skip
    trainer.go(given.save_minutes, given.hours)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
