"""Opens graphs in ONNX Runtime. One thread (the generator's) owns an executor and its graphs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import PackError
from engine.execution.device_walker import DeviceWalker
from engine.execution.engine_cache import engine_folder, graphics_card
from engine.execution.host_walker import HostWalker
from engine.execution.onnx_graph import OnnxGraph, open_graph
from engine.execution.protocols import Graph, Walker
from engine.execution.targets import CPU_TARGET, Target
from engine.onnx_runtime import CannotRun, open_session
from engine.packs.manifest import Manifest

__all__ = ["OnnxExecutor"]


class OnnxExecutor:
    """Opens graphs on one target of ONNX Runtime.

    A graph of which the target cannot run some part is opened on the CPU, with a notice. A step
    graph must run on the target whole, as nearly all of the time goes there.

    Parameters
    ----------
    target : available on this machine (`engine.execution.targets.checked_target`).
    threads : within one operator. Never more than there are idle cores: spinning is off, but
        threads that wait for each other still cost.
    flush_denormals : computes with denormals as zero, which decaying notes are full of. ONNX
        Runtime sets that for the whole calling thread and for good: for a process of its own.
    announce : called with the kind of work before each graph is opened: `open`, or `build FILE`
        where an engine may be built, which can take minutes.
    """

    def __init__(
        self,
        target: Target,
        threads: int,
        *,
        flush_denormals: bool,
        announce: Callable[[str], object],
    ) -> None:
        self.target = target.name
        self._notices: list[str] = []
        self._refused: dict[str, PackError] = {}  # by the name of the graph
        self._target, self._announce = target, announce
        self._card = graphics_card() if target.builds_engines else ""
        os.environ.update(target.environment)
        first, *others = target.providers
        if target.threads_option:
            first = replace(first, options={**first.options, target.threads_option: str(threads)})
        self._providers = (first, *others)
        self._helpers = target.helpers or self._providers
        self._options: dict[str, Any] = {
            "threads": threads, "flush_denormals": flush_denormals
        }  # fmt: skip

    def notices(self) -> tuple[str, ...]:
        """Which graphs the target could not run, since the last call."""
        found = tuple(self._notices)
        self._notices.clear()
        return found

    def open(self, manifest: Manifest, file: str) -> OnnxGraph:
        """Open one of a pack's graphs (see `engine.execution.protocols.Executor`)."""
        first, *others = self._providers
        if self._target.builds_engines:
            folder = str(engine_folder(manifest, self._card))
            places = {"trt_engine_cache_path": folder, "trt_timing_cache_path": folder}
            first = replace(first, options={**first.options, **places})
        self._announce(f"build {file}" if self._target.builds_engines else "open")
        name = str(manifest.path(file))
        try:
            session = open_graph(manifest, file, providers=(first, *others), **self._options)
        except CannotRun as error:
            if self.target == CPU_TARGET:
                raise
            self._refused[name] = error
            session = open_graph(manifest, file, **self._options)
            self._notices.append(
                f"{name}: target {self.target!r} cannot run all of it; it runs on the processor"
            )
        return OnnxGraph(name, session)

    def walker(self, step: Graph, shape: tuple[int, int]) -> Walker:
        """A walker for a step graph that this executor opened."""
        if step.name in self._refused:
            raise PackError(
                f"{step.name}: target {self.target!r} cannot run all of it; choose target "
                f"{CPU_TARGET!r}"
            ) from self._refused[step.name]
        if not self._target.device_walk:
            return HostWalker(step, shape)
        return self.device_walker(step, shape)

    def device_walker(self, step: Graph, shape: tuple[int, int]) -> DeviceWalker:
        """A walker in the target's memory, also where `walker` prefers the host's."""
        if not isinstance(step, OnnxGraph):
            raise PackError(f"{step.name}: it was opened elsewhere; open it with this executor")
        return DeviceWalker(step, shape, self._open_helper, self._target.memory)

    def _open_helper(self, path: Path, sizes: Mapping[str, int]) -> OnnxGraph:
        """One of the player's own small graphs; they run where the pack's do."""
        session = open_session(
            str(path), path.read_bytes(), sizes=sizes, providers=self._helpers, **self._options
        )
        return OnnxGraph(str(path), session)
