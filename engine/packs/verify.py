"""The self-test of a pack: it computes here what its exporter saw, and it can be played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.execution.onnx_graph import open_graph
from engine.packs.files import load_arrays
from engine.packs.manifest import Manifest
from engine.packs.sessions import Sessions
from engine.signal.transcription import Transcriber
from engine.stream.blocks import BlockMaker, Request


@dataclass(frozen=True)
class SelfTest:
    """Result of running the golden vectors: largest difference over the output's deviation."""

    worst: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether this machine computes what the exporter saw."""
        return self.worst <= self.tolerance


def self_test(manifest: Manifest, sessions: Sessions) -> SelfTest:
    """Run the pack's golden vectors: for every stage an array each of what its context hears, `x`,
    `alpha`, `sigma` and the exporter's `x0`, by the names `STAGE/NAME` (in packs of format 1, which
    have one stage, by `NAME`).

    Then two blocks are made as they are in playing, and the transcription's graph is opened.

    Raises
    ------
    PackError
        The vectors cannot be read, or the blocks cannot be played.
    """
    golden: dict[str, NDArray[Any]] = load_arrays(manifest, manifest.golden)
    worst = 0.0
    try:
        for stage in sessions.stages:
            own = stage.stage.name + "/"
            found = {k.removeprefix(own): v for k, v in golden.items() if k.startswith(own)}
            found = found or golden
            for i, (x, x0) in enumerate(zip(found["x"], found["x0"], strict=True)):
                context = stage.context({name: found[name][i] for name in stage.inputs})
                alpha, sigma = float(found["alpha"][i]), float(found["sigma"][i])
                got = stage.denoise(x, alpha, sigma, context)
                difference = float(abs(got - x0).max() / x0.std())
                worst = max(worst, difference if np.isfinite(difference) else float("inf"))
    except (ValueError, KeyError, TypeError) as error:
        path = manifest.folder / manifest.golden
        raise PackError(f"{path}: golden vectors cannot be used ({error})") from error
    _play_two_blocks(manifest, sessions)
    if manifest.transcription:
        Transcriber(open_graph(manifest, manifest.transcription))
    return SelfTest(worst, manifest.tolerance)


def _play_two_blocks(manifest: Manifest, sessions: Sessions) -> None:
    maker = BlockMaker(manifest, sessions)
    for index in range(2):
        made = maker.make(Request(index, manifest.stage.min_steps))
        if made.samples.shape[1] != manifest.channels or not np.isfinite(made.samples).all():
            raise PackError(
                f"{manifest.folder}: a block has shape {list(made.samples.shape)} and "
                f"{np.count_nonzero(~np.isfinite(made.samples))} samples that are no numbers"
            )
        if made.faults:
            raise PackError(f"{manifest.folder}: {made.faults[0]}; export the pack again")
