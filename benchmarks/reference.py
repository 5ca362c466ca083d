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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.execution.executor import SamplingJob, TensorInfo, Walker, make_executor
from engine.execution.host_walker import HostWalker
from engine.packs.read import read_manifest
from engine.sampling.samplers import Table, table_for
from engine.sampling.schedules import make_schedule
from engine.stream.walk import PlanWalk

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
    from export.systems.spectrogram import STAGE, contents, read_network

    logging.getLogger("torch.onnx").setLevel(
        logging.ERROR
    )  # it warns of packages that are not needed
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    trained = read_network(checkpoint)
    denoiser = trained.network
    played = read_manifest(pack).sampled[-1].sampling
    steps = played.steps.default
    sampling = Sampling(played.sampler, steps, 1, **played.schedule_options)
    card = Card("reference", "The reference", "CC0-1.0", ("A measurement.",))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "reference"
        with contextlib.redirect_stdout(io.StringIO()):  # the exporter prints its progress
            parity = write_pack(contents(trained, sampling), card, out)
        executor = make_executor(flush_denormals=True)
        graphs = PlanWalk(read_manifest(out), executor).diffusion[STAGE].graphs
    on_onnx = executor.walker(graphs.main, graphs.shape)
    table = table_for(
        played.sampler, steps,
        lambda n: make_schedule(played.schedule, n, **played.schedule_options),
    )  # fmt: skip
    past = 0.5 * np.random.default_rng(1).standard_normal(graphs.shape, np.float32)

    on_torch = HostWalker(_TorchStep(denoiser, graphs.shape), graphs.shape)

    def by_torch(block: int) -> Array:
        with torch.inference_mode():
            previous = torch.from_numpy(past)[None, None]
            context = denoiser.net.context(previous, torch.ones(1))
            return _block(on_torch, table, context, block, graphs.shape)

    def by_onnx(block: int) -> Array:
        context = graphs.run_context({"previous": past, "present": np.ones(1, np.float32)})
        return _block(on_onnx, table, context, block, graphs.shape)

    times: dict[str, list[float]] = {"torch": [], "onnx": []}
    worst = 0.0
    for k in range(rounds + 2):
        blocks = {}
        for name, sample in (("torch", by_torch), ("onnx", by_onnx)):
            began = time.process_time()
            blocks[name] = sample(k)
            times[name].append(time.process_time() - began)
        difference = np.abs(blocks["torch"] - blocks["onnx"]).max() / blocks["torch"].std()
        worst = max(worst, float(difference))
    medians = {name: float(np.median(t[2:])) for name, t in times.items()}  # two to warm up
    return Comparison(medians["torch"], medians["onnx"], parity, worst, steps, played.sampler)


class _TorchStep:
    """The network in PyTorch as a step graph; its context's tensors stay PyTorch's."""

    def __init__(self, denoiser: Any, shape: tuple[int, int]) -> None:
        self._denoiser = denoiser
        self.name = "PyTorch"
        one = TensorInfo((1,))
        self.inputs = {"x": TensorInfo((1, 1, *shape)), "alpha": one, "sigma": one}
        self.outputs = {"x0": TensorInfo((1, 1, *shape))}

    def run(self, feed: Mapping[str, Any], outputs: Sequence[str]) -> list[Array]:
        import torch

        context = {name: value for name, value in feed.items() if name not in self.inputs}
        x, alpha, sigma = (torch.from_numpy(feed[name]) for name in ("x", "alpha", "sigma"))
        return [self._denoiser.denoise(x, alpha, sigma, context).numpy()]


def _block(
    walker: Walker, table: Table, context: Mapping[str, Any], block: int, shape: tuple[int, int]
) -> Array:
    out = np.zeros(shape, np.float32)
    walker.sample(SamplingJob(table, context, block=block), out)
    return out
