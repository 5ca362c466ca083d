"""The loop that trains a stage: steps, learning rate, EMA, checkpoints, the log.

What is trained is a `Task`: it knows the data and the loss. `Run` knows neither; it drives one
network in one process on one thread. Everything follows the number of samples, never the clock: the
learning rate, the averaged weights, and what is drawn, so a run that is stopped and taken up again
takes the same steps as one that is not. A run is resumable: the same command continues from the
checkpoint in its folder.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]


class Task(Protocol):
    """What a run asks of the thing that is trained."""

    @property
    def size(self) -> int:
        """Examples in a batch."""
        ...

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw named tensors on the CPU, the examples along their first axis."""
        ...

    def loss(self, model: nn.Module, batch: Batch, noise: torch.Generator) -> Tensor:
        """The number to minimise. `batch` lies on the model's device.

        `noise` draws on the CPU, so that a run on a GPU is fed the same numbers.
        """
        ...

    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Measure the averaged network on held-out works. Called without gradients."""
        ...

    def facts(self) -> dict[str, Any]:
        """What a checkpoint must say beside the weights: tensors, numbers and strings only."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How the optimiser goes: `rate` after a warm-up, falling to zero by a half cosine.

    `warm_up` and `ema` are in samples; `ema` is how far back the averaged weights reach.
    `decay_after` is the share of the run at full rate, `clip` the largest norm of the gradient,
    `bfloat16` whether the network computes in that precision (the loss and the weights never do).
    """

    rate: float = 1e-3
    warm_up: int = 1_200
    decay_after: float = 0.2
    clip: float = 1.0
    ema: int = 6_000
    weight_decay: float = 0.01
    bfloat16: bool = False


def on_one_thread() -> None:
    """One thread without denormals: what a run on a CPU wants when others share the machine."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The last checkpoint of a run's folder on the CPU, its facts among it, or None."""
    file = folder / "checkpoint.pt"
    return torch.load(file, map_location="cpu", weights_only=True) if file.is_file() else None


class Run:
    """One run of one task: owns the network, its EMA, the optimiser and the run's folder.

    Parameters
    ----------
    task : what is trained.
    model : the network, with fresh weights; the folder's checkpoint replaces them if there is one.
    folder : where `checkpoint.pt` and `log.csv` lie.
    samples : length of the whole run, over all legs.
    """

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        folder: Path,
        samples: int,
        schedule: Schedule | None = None,
        device: str = "cpu",
    ) -> None:
        self.task, self.folder, self.length = task, folder, samples
        self.schedule = schedule or Schedule()
        self.device = torch.device(device)
        self.model = model.to(self.device).train()
        self.ema = copy.deepcopy(self.model).eval().requires_grad_(False)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.schedule.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.schedule.rate,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.steps, self.samples, self.seconds = 0, 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._restore()

    # ------------------------------------------------------------------ state

    def _restore(self) -> None:
        state = read_checkpoint(self.folder)
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps, self.samples, self.seconds = (state[k] for k in ("steps", "samples", "seconds"))

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(), "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(), "steps": self.steps,
            "samples": self.samples, "seconds": self.seconds, **self.task.facts(),
        }  # fmt: skip
        partial = self.folder / "checkpoint.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "checkpoint.pt")

    # ------------------------------------------------------------------- step

    @property
    def progress(self) -> float:
        """How much of the run is done, 0..1."""
        return min(self.samples / self.length, 1.0)

    def learning_rate(self) -> float:
        """Linear warm-up, constant, then a half cosine to zero."""
        s = self.schedule
        done = max(0.0, (self.progress - s.decay_after) / (1 - s.decay_after))
        warm = min(1.0, (self.samples + self.task.size) / s.warm_up)
        return s.rate * warm * 0.5 * (1 + math.cos(math.pi * done))

    def ema_decay(self) -> float:
        """What the averaged weights keep at this step: they reach back over `ema` samples.

        Early in a run they reach back over a ninth of what was seen.
        """
        size = self.task.size
        return 1 - size / min(self.schedule.ema, size + self.samples / 9)

    def step(self) -> float:
        """One step of the optimiser. Returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        rng = np.random.default_rng(self.samples)
        noise = torch.Generator().manual_seed(self.samples)
        batch = {k: t.to(self.device) for k, t in self.task.batch(rng).items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.bfloat16):
            loss = self.task.loss(self.model, batch, noise)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        self.optimiser.step()
        self.steps += 1
        self.samples += self.task.size
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.ema.parameters()), list(self.model.parameters()), 1 - self.ema_decay()
            )
        return float(loss.detach())

    def go(self, save_minutes: float, hours: float | None = None) -> None:
        """Train to the run's end, or for `hours`; log and save every `save_minutes`.

        The log counts processor time, which a run that is paused or shares its core does not use.
        """
        started = saved = time.monotonic()
        last = time.process_time()
        recent: list[float] = []
        while self.samples < self.length:
            recent.append(self.step())
            now, used = time.monotonic(), time.process_time()
            self.seconds += used - last
            last = used
            stop = self.samples >= self.length or (
                hours is not None and now - started > hours * 3600
            )
            if stop or now - saved > save_minutes * 60:
                saved = now
                self._log(recent)
                self.save()
                recent.clear()
            if stop:
                break

    def _log(self, recent: list[float]) -> None:
        with torch.no_grad():
            measured = self.task.validate(self.ema)
        values = {"loss": float(np.mean(recent)), **measured}
        row = {
            "steps": self.steps, "samples": self.samples, "hours": round(self.seconds / 3600, 4),
            "rate": round(self.learning_rate(), 6), **{k: round(v, 5) for k, v in values.items()},
        }  # fmt: skip
        append_row(self.folder, self.progress, row)


def append_row(folder: Path, progress: float, row: Mapping[str, object]) -> None:
    """Add a row to a run's `log.csv`, and print it after how far the run has come (0..1)."""
    path = folder / "log.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    print(f"{progress:6.1%}", *(f"{k} {v}" for k, v in row.items()), flush=True)


def arguments(
    prog: str, about: str | None, presets: Iterable[str], data: str
) -> argparse.ArgumentParser:
    """The command line of every training program: preset, data, place, length, device."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=about)
    parser.add_argument("preset", choices=sorted(presets))
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="where checkpoint and log go")
    parser.add_argument(
        "--samples", type=int, required=True, help="length of the whole run, over all legs"
    )
    parser.add_argument("--hours", type=float, help="stop this leg after so many hours")
    parser.add_argument("--save-minutes", type=float, default=5.0)
    parser.add_argument("--tag", help="a word to find the process by; it changes nothing")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser
