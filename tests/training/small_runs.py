"""The smallest runs: a network of lines, and the smallest preset of a recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from training.recipes import find_recipe
from training.run import Run, Schedule, Task, on_one_thread, read_checkpoint


def task_of(recipe: str, data: Path) -> Task:
    """The task of a recipe's smallest preset."""
    name = f"{recipe}-tiny"
    return find_recipe(recipe).task(find_recipe(recipe).presets[name], name, data, None)


def fresh(task: Task) -> torch.nn.Module:
    """The network with weights that are not zero where they begin as zero."""
    torch.manual_seed(0)
    model = task.network()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.02 * torch.randn(p.shape)
    return model


class Line(Task):
    """Fits y = 2 x + noise. Some batches use a part of the network, and none of them another."""

    size = 8

    def network(self):
        """Two layers."""
        net = torch.nn.ModuleDict(
            {name: torch.nn.Linear(3, 3) for name in ("first", "second", "sometimes", "never")}
        )
        for p in net.parameters():
            torch.nn.init.normal_(p, std=0.3, generator=torch.Generator().manual_seed(p.numel()))
        return net

    def batch(self, rng, size):
        """x [size, 3]."""
        return {"x": torch.from_numpy(rng.standard_normal((size, 3)).astype(np.float32))}

    def loss(self, model, batch, noise, progress=1.0):
        """Mean squared error."""
        x = batch["x"]
        y = model["second"](torch.tanh(model["first"](x)))
        if float(x[0, 0]) > 0:
            y = y + model["sometimes"](x)
        return (y - 2 * x + 0.1 * torch.randn(x.shape, generator=noise)).square().mean()

    def validate(self, ema):
        """Nothing to measure but the weights."""
        return {"weights": float(sum(p.sum() for p in ema.parameters()))}

    def facts(self):
        """Nothing."""
        return {"preset": "line"}


def fit(folder: Path, micro_batch: int | None, samples: int = 96, stop: int = 96) -> Run:
    """Train to the end, or `stop` of the samples, and save."""
    on_one_thread()
    task = Line()
    schedule = Schedule(rate=1e-2, warm_up=16, ema=40)
    run = Run(task, task.network(), folder, samples, schedule, micro_batch=micro_batch)
    if stop == samples:
        run.go(10.0)
        return run
    while run.samples < stop:
        run.step()
    run.save()
    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = read_checkpoint(folder)
    assert state is not None
    return {f"{part}/{k}": v for part in ("model", "ema") for k, v in state[part].items()}


def apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return max(float((a[k] - b[k]).abs().max()) for k in a)
