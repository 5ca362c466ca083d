"""A network stage at work: one evaluation for a block. Owned by the generator's thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.controls.control import Control
from engine.controls.encoding import encode
from engine.execution.executor import Executor
from engine.packs.manifest import Manifest
from engine.packs.plan import StagePlan
from engine.stages.graphs import StageGraphs

__all__ = ["NetworkStage"]


class NetworkStage:
    """Evaluates the graph of one stage.

    Parameters
    ----------
    manifest, plan : of the pack, and of the stage.
    executor : opens the graph.
    rows : of a frame that it outputs.
    encoded : shapes of what it reads of encoders, by graph input.
    announce : called with the name of each part of the work before it is done.

    Raises
    ------
    PackError
        The graph cannot be opened, or is not what the manifest describes.
    """

    def __init__(
        self,
        manifest: Manifest,
        plan: StagePlan,
        executor: Executor,
        rows: int,
        encoded: Mapping[str, tuple[int, ...]],
        announce: Callable[[str], object],
    ) -> None:
        self.plan, self._announce = plan, announce
        self.graphs = StageGraphs(manifest, plan, executor, rows, encoded)
        self._controls: tuple[Control, ...] = tuple(
            c for c in manifest.controls if c.short in plan.stage.controls
        )

    def run(
        self,
        windows: Mapping[str, NDArray[np.float32]],
        controls: Mapping[str, Any],
        encoded: Mapping[str, NDArray[Any]],
    ) -> NDArray[np.float32]:
        """One block [rows, block] from frames of other signals, controls, encoded texts.

        Raises
        ------
        PackError
            The graph fails.
        """
        self._announce(f"network {self.plan.stage.name}")
        values = {
            c.graph_input: encode(c, controls.get(c.short, c.default))
            for c in self._controls
            if c.kind != "text"
        }
        graph = self.graphs.main
        feed = self.graphs.feed(graph, {**windows, **encoded, **values})
        return graph.run(feed, ["frames"])[0].reshape(self.graphs.shape).astype(np.float32)
