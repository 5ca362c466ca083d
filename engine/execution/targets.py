"""Where graphs can run: one row for each target. Pure data, any thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.errors import ConfigError
from engine.onnx_runtime import library

__all__ = ["TARGETS", "Target", "checked_target"]


@dataclass(frozen=True)
class Target:
    """A place where graphs can run.

    Attributes
    ----------
    name : as `--target` takes it.
    provider : ONNX Runtime's execution provider.
    package : the Python package whose ONNX Runtime has it.
    """

    name: str
    provider: str
    package: str


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("cpu", "CPUExecutionProvider", "onnxruntime"),
            Target("cuda", "CUDAExecutionProvider", "onnxruntime-gpu"),
        )
    }
)


def checked_target(name: str) -> Target:
    """The target of that name.

    Raises
    ------
    ConfigError
        There is none, or this installation of ONNX Runtime lacks it.
    """
    target = TARGETS.get(name)
    if target is None:
        raise ConfigError(f"target {name!r} is unknown; choose one of {', '.join(TARGETS)}")
    if target.provider not in library().get_available_providers():
        raise ConfigError(
            f"target {name!r} needs an ONNX Runtime with {target.provider}; "
            f"install {target.package}, or use cpu"
        )
    return target
