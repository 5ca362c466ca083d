"""The same weights in PyTorch and in ONNX Runtime: how much faster, how far apart.

Needs the `export` extra and a checkpoint. The checkpoint is exported into a temporary folder, so
that both sides have one set of weights; both walk the same table from the same noise, one thread,
denormals flushed, taking turns so that what else the machine does strikes both.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.packs.manifest import read_manifest
from engine.packs.sessions import Sessions
from engine.sampling.loop import SamplerLoop
from engine.sampling.samplers import table_for
from engine.sampling.schedules import make_schedule

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """Medians of the process time of one block, in seconds; differences over the deviation."""

    torch: float
    onnx: float
    step_parity: float
    block_parity: float
    steps: int
    sampler: str

    @property
    def faster(self) -> float:
        """How many times faster ONNX Runtime is."""
        return self.torch / self.onnx


def compare(checkpoint: Path, pack: Path, rounds: int) -> Comparison:
    """Time `rounds` blocks on each side with the sampler, steps and noise levels of `pack`.

    Raises
    ------
    ImportError
        Without PyTorch and the exporter.
    PackError
        When the checkpoint cannot be read or exported.
    """
    import torch

    from export.contents import Card, Sampling
    from export.pack import write_pack
    from export.systems.spectrogram import contents, read_network

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells what it does not need
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    trained = read_network(checkpoint)
    stage = read_manifest(pack).stage
    sampling = Sampling(stage.sampler, stage.steps, **stage.schedule_options)
    with tempfile.TemporaryDirectory() as folder:
        card = Card("reference", "The reference", "CC0-1.0", ("A measurement.",))
        with contextlib.redirect_stdout(io.StringIO()):  # the exporter tells its progress
            parity = write_pack(contents(trained, sampling), card, Path(folder) / "reference")
        manifest = read_manifest(Path(folder) / "reference")
        sessions = Sessions(manifest, 1, flush_denormals=True)
        sessions.warm_up()
    opened = sessions.stages[0]
    denoiser = trained.network
    table = table_for(
        stage.sampler, stage.steps,
        lambda n: make_schedule(stage.schedule, n, **stage.schedule_options),
    )  # fmt: skip
    past = 0.5 * np.random.default_rng(1).standard_normal(opened.shape, np.float32)

    def by_torch(loop: SamplerLoop, block: int) -> Array:
        with torch.inference_mode():
            previous = torch.from_numpy(past)[None, None]
            context = denoiser.net.context(previous, torch.ones(1))

            def step(x: Array, alpha: float, sigma: float) -> Array:
                levels = torch.tensor([alpha]), torch.tensor([sigma])
                x0 = denoiser.denoise(torch.from_numpy(x)[None, None], *levels, context)
                return x0[0, 0].numpy()

            return _block(loop, step, block, opened.shape)

    def by_onnx(loop: SamplerLoop, block: int) -> Array:
        context = opened.context({"previous": past, "present": np.ones(1, np.float32)})

        def step(x: Array, alpha: float, sigma: float) -> Array:
            return opened.denoise(x, alpha, sigma, context)

        return _block(loop, step, block, opened.shape)

    times: dict[str, list[float]] = {"torch": [], "onnx": []}
    worst = 0.0
    loop = SamplerLoop()
    loop.prepare(opened.shape, table)
    for k in range(rounds + 2):
        made = {}
        for name, make in (("torch", by_torch), ("onnx", by_onnx)):
            began = time.process_time()
            made[name] = make(loop, k)
            times[name].append(time.process_time() - began)
        difference = np.abs(made["torch"] - made["onnx"]).max() / made["torch"].std()
        worst = max(worst, float(difference))
    medians = {name: float(np.median(t[2:])) for name, t in times.items()}  # two to warm up
    return Comparison(medians["torch"], medians["onnx"], parity, worst, stage.steps, stage.sampler)


def _block(
    loop: SamplerLoop, step: Callable[..., Array], block: int, shape: tuple[int, int]
) -> Array:
    return loop.run(step, 1, block, out=np.zeros(shape, np.float32))
