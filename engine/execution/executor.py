"""Creates an executor by the name of its target.

Created and used by one thread, the generator's.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.execution.fallback import FallbackExecutor
from engine.execution.onnx_executor import OnnxExecutor
from engine.execution.protocols import Executor, Feed, Graph, SamplingJob, TensorInfo, Walker
from engine.execution.targets import CPU_TARGET, checked_target

__all__ = ["Executor", "Feed", "Graph", "SamplingJob", "TensorInfo", "Walker", "make_executor"]


def _no_listener(_: str) -> None:
    pass


def make_executor(
    target: str = "cpu",
    threads: int = 1,
    *,
    flush_denormals: bool = False,
    announce: Callable[[str], object] = _no_listener,
) -> Executor:
    """An executor for a target, which falls back to the CPU if the target fails while it plays.

    The parameters are those of `OnnxExecutor`.

    Raises
    ------
    ConfigError
        The target is unknown, or this installation of ONNX Runtime lacks it.
    """

    def opened(name: str) -> OnnxExecutor:
        return OnnxExecutor(
            checked_target(name), threads, flush_denormals=flush_denormals, announce=announce
        )

    first = opened(target)
    return first if target == CPU_TARGET else FallbackExecutor(first, [lambda: opened(CPU_TARGET)])
