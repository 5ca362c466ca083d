"""Checks that a graph is a step of a sampler: (x, alpha, sigma, context tensors) -> x0.

x, x0         [..., rows, frames], leading ones
alpha, sigma  [1]
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import PackError
from engine.execution.protocols import Graph, TensorInfo

__all__ = ["check_step"]


def check_step(step: Graph, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The full shape of the step's x, with the leading ones.

    Raises
    ------
    PackError
        An input or output is missing, or has another shape.
    """
    for name in ("alpha", "sigma"):
        found = step.inputs.get(name)
        if found is None or found.shape != (1,):
            raise PackError(
                f"{step.name}: input {name!r} is {_shown(step.inputs, name)}; it has to be [1]"
            )
    wanted = ", ".join(map(str, (1, *shape)))
    for kind, tensors, name in (("input", step.inputs, "x"), ("output", step.outputs, "x0")):
        found = tensors.get(name)
        lead = len(found.shape) - len(shape) if found else 0
        if found is None or found.shape[lead:] != shape or any(n != 1 for n in found.shape[:lead]):
            raise PackError(
                f"{step.name}: {kind} {name!r} is {_shown(tensors, name)}; it has to be [{wanted}]"
            )
    return step.inputs["x"].shape


def _shown(tensors: Mapping[str, TensorInfo], name: str) -> str:
    return str(list(tensors[name].shape)) if name in tensors else "missing"
