"""The trainer: steps, learning rate, averaged weights, checkpoints, log, several processes.

A `Task` knows the data, the network and the loss; `Run` knows none of them. Rates and averages
follow the number of samples, never the clock: a run that is stopped and resumed takes the same
steps as one that is not. The same command continues from the checkpoint in the run's folder.

A step's batch is drawn in micro-batches, each from a seed of its own, and the gradient is their
mean. So a run takes the same steps whether one process computes all micro-batches one after another
or several processes (torchrun) share them.
"""

from __future__ import annotations

import contextlib
import copy
import csv
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

Batch = dict[str, Tensor]
Checkpoint = dict[str, Any]
ModelT = TypeVar("ModelT", bound=nn.Module)


@dataclass(frozen=True)
class Schedule:
    """The optimiser's schedule: `rate` after a warm-up, falling to zero by a half cosine.

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


class Task(ABC, Generic[ModelT]):
    """The data, the network and the loss of one preset of a recipe."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Examples of one step."""

    @abstractmethod
    def network(self) -> ModelT:
        """A network with fresh weights."""

    @abstractmethod
    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` examples: named tensors on the CPU, the examples along their first axis."""

    @abstractmethod
    def loss(
        self, model: ModelT, batch: Batch, noise: torch.Generator, progress: float = 1.0
    ) -> Tensor:
        """The number to minimise: a mean over the examples.

        Parameters
        ----------
        batch : on the model's device.
        noise : a generator on the CPU, so that a run on a GPU draws the same numbers.
        progress : the share of the run that is done, 0..1.
        """

    @abstractmethod
    def validate(self, ema: ModelT) -> dict[str, float]:
        """Measure the averaged network on held-out works. Called without gradients."""

    @abstractmethod
    def facts(self) -> Checkpoint:
        """What a checkpoint holds beside the weights: tensors, numbers and strings only."""

    def after_step(self, model: ModelT, steps: int) -> None:
        """Called after every step of the optimiser, with the number of steps so far."""


def on_one_thread() -> None:
    """Compute on one thread without denormals, so that several programs can share a CPU."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The last checkpoint of a run's folder, on the CPU, or None."""
    file = folder / "checkpoint.pt"
    return torch.load(file, map_location="cpu", weights_only=True) if file.is_file() else None


class _Objective(nn.Module, Generic[ModelT]):
    """The loss as a module, whatever parts of the model it calls, for `DistributedDataParallel`."""

    def __init__(self, task: Task[ModelT], model: ModelT) -> None:
        super().__init__()
        self.task = task
        self.model: ModelT = model

    def forward(self, batch: Batch, noise: torch.Generator, progress: float) -> Tensor:
        return self.task.loss(self.model, batch, noise, progress)


class Run(Generic[ModelT]):
    """One run of one task: owns the network, its averaged weights, the optimiser and the folder.

    Used by each process of the group, if there is one; rank 0 writes the checkpoints and the log.

    Parameters
    ----------
    task : the data, the network and the loss.
    model : the network with fresh weights; the folder's checkpoint replaces them if there is one.
    folder : where `checkpoint.pt` and `log.csv` are.
    samples : length of the whole run, over all legs.
    micro_batch : examples drawn and computed at once; by default a step's examples are divided
        evenly among the processes.

    Raises
    ------
    ValueError
        When the processes cannot share a step's micro-batches evenly.
    """

    def __init__(
        self,
        task: Task[ModelT],
        model: ModelT,
        folder: Path,
        samples: int,
        schedule: Schedule | None = None,
        device: str = "cpu",
        micro_batch: int | None = None,
    ) -> None:
        self.task, self.folder, self.length = task, folder, samples
        self.schedule = schedule or Schedule()
        self.device = torch.device(device)
        grouped = dist.is_initialized()
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if grouped else (0, 1)
        self.micro_batch = micro_batch or max(1, task.size // self.world)
        if task.size % (self.micro_batch * self.world):
            raise ValueError(
                f"{self.world} processes cannot share a step of {task.size} examples in "
                f"micro-batches of {self.micro_batch}. Use another --micro-batch or another number "
                "of processes."
            )
        self.model: ModelT = model.to(self.device).train()
        self.ema: ModelT = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimiser = self._optimiser()
        self.steps, self.samples, self.seconds = 0, 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._restore()
        self._objective = _Objective(task, self.model)
        self._shared: nn.Module = self._objective
        if self.world > 1:
            # A batch may use only a part of the network.
            self._shared = DistributedDataParallel(
                self._objective, broadcast_buffers=False, find_unused_parameters=True
            )

    def _optimiser(self) -> torch.optim.Optimizer:
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        return torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.schedule.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.schedule.rate,
            betas=(0.9, 0.99),
            fused=True,
        )

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
        """The share of the run that is done, 0..1."""
        return min(self.samples / self.length, 1.0)

    def learning_rate(self) -> float:
        """Linear warm-up, constant, then a half cosine to zero."""
        s = self.schedule
        done = max(0.0, (self.progress - s.decay_after) / (1 - s.decay_after))
        warm = min(1.0, (self.samples + self.task.size) / s.warm_up)
        return s.rate * warm * 0.5 * (1 + math.cos(math.pi * done))

    def ema_decay(self) -> float:
        """The share of the averaged weights that this step keeps: they reach back `ema` samples.

        Early in a run they reach back over a ninth of the samples so far.
        """
        size = self.task.size
        return 1 - size / min(self.schedule.ema, size + self.samples / 9)

    def step(self) -> float:
        """One step of the optimiser. Returns the mean loss of this process's micro-batches."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.optimiser.zero_grad(set_to_none=True)
        seeds = range(self.samples, self.samples + self.task.size, self.micro_batch)
        own = seeds[self.rank :: self.world]
        total = 0.0
        for seed in own:
            is_last = seed == own[-1]
            with self._without_exchange() if not is_last else contextlib.nullcontext():
                loss = self._loss(seed) / len(own)
                loss.backward()
            total += float(loss.detach())
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        self.optimiser.step()
        self.steps += 1
        self.samples += self.task.size
        self.task.after_step(self.model, self.steps)
        with torch.no_grad():
            for mean, new in zip(self.ema.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(new, 1 - self.ema_decay())
        return total

    def _loss(self, seed: int) -> Tensor:
        """The loss of the micro-batch with this seed: the number of its first sample."""
        drawn = self.task.batch(np.random.default_rng(seed), self.micro_batch)
        batch = {k: t.to(self.device) for k, t in drawn.items()}
        noise = torch.Generator().manual_seed(seed)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.bfloat16):
            return self._shared(batch, noise, self.progress)

    def _without_exchange(self) -> contextlib.AbstractContextManager[None]:
        """No exchange of gradients: all but the last micro-batch of a step are summed first."""
        if isinstance(self._shared, DistributedDataParallel):
            return self._shared.no_sync()
        return contextlib.nullcontext()

    # -------------------------------------------------------------------- run

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
            late = hours is not None and now - started > hours * 3600
            late, due = self._agreed(late, now - saved > save_minutes * 60)
            stop = late or self.samples >= self.length
            if stop or due:
                saved = now
                loss = self._mean(float(np.mean(recent)))
                if self.rank == 0:
                    self._log(loss)
                    self.save()
                recent.clear()
            if stop:
                break

    def _agreed(self, *flags: bool) -> list[bool]:
        """The flags of rank 0: clocks differ, and every process has to stop at the same step."""
        if self.world == 1:
            return list(flags)
        values = torch.tensor([float(flag) for flag in flags], device=self.device)
        dist.broadcast(values, 0)
        return [bool(v) for v in values]

    def _mean(self, value: float) -> float:
        if self.world == 1:
            return value
        total = torch.tensor(value, device=self.device)
        dist.all_reduce(total)
        return float(total) / self.world

    def _log(self, loss: float) -> None:
        with torch.no_grad():
            values = {"loss": loss, **self.task.validate(self.ema)}
        row = {
            "steps": self.steps, "samples": self.samples, "hours": round(self.seconds / 3600, 4),
            "rate": round(self.learning_rate(), 6), **{k: round(v, 5) for k, v in values.items()},
        }  # fmt: skip
        append_row(self.folder, self.progress, row)


def append_row(folder: Path, progress: float, row: Mapping[str, object]) -> None:
    """Add a row to a run's `log.csv`, and print it after the share of the run that is done."""
    path = folder / "log.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    print(f"{progress:6.1%}", *(f"{k} {v}" for k, v in row.items()), flush=True)
