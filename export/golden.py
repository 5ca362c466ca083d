"""Golden vectors: the outputs of torch for some inputs, for the self-test of a pack."""

from __future__ import annotations

import numpy as np
import torch

from engine.sampling.samplers import table_for
from engine.sampling.schedules import Schedule, make_schedule
from export.contents import StageContents
from export.wrap import ContextGraph, StepGraph

VECTORS = 4
_SEED = 7


@torch.no_grad()
def golden_vectors(
    stage: StageContents, context: ContextGraph, step: StepGraph
) -> dict[str, np.ndarray]:
    """Four steps spread over the default schedule: the context's inputs, x, and torch's x0.

    Returns arrays by `STAGE/NAME`, [4, ...] each.
    """
    sampling = stage.sampling

    def schedule_of(n: int) -> Schedule:
        return make_schedule("karras", n, **sampling.schedule_options)

    table = table_for(sampling.sampler, sampling.steps, schedule_of)
    rows = np.linspace(0, len(table) - 1, VECTORS).round().astype(int)
    generator = torch.Generator().manual_seed(_SEED)
    spread = stage.denoiser.sigma_data
    out: dict[str, list[np.ndarray]] = {}
    for i, row in enumerate(rows):
        alpha, sigma = float(table.alpha[row]), float(table.sigma[row])
        inputs = stage.inputs(i, generator)
        x = alpha * spread * torch.randn(stage.shape, generator=generator)
        x = x + sigma * torch.randn(stage.shape, generator=generator)
        level = (torch.tensor([alpha]), torch.tensor([sigma]))
        x0 = step(x, *level, *context(*inputs.values()))
        block = stage.shape[-2:]
        vectors = {k: v.numpy() for k, v in inputs.items()}
        vectors |= {"x": x.numpy().reshape(block), "x0": x0.numpy().reshape(block)}
        vectors |= {"alpha": np.float32(alpha), "sigma": np.float32(sigma)}
        for name, value in vectors.items():
            out.setdefault(name, []).append(np.asarray(value))
    return {f"{stage.name}/{k}": np.stack(v) for k, v in out.items()}
