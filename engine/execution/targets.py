"""Where graphs can run: one row for each target. Any thread.

Every target but the CPU is opened with ONNX Runtime's fallback to the CPU switched off, and what a
session really runs on is checked: a graph that a target cannot run is an error, not slow music.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.errors import ConfigError
from engine.onnx_runtime import CPU, library

__all__ = ["CPU_TARGET", "TARGETS", "Target", "checked_target", "offered_targets"]

CPU_TARGET = "cpu"  # there on every machine; what other targets fall back to


def _no_options() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Target:
    """A place where graphs can run.

    Attributes
    ----------
    name : as `--target` takes it.
    about : one line for people.
    package : the Python package whose ONNX Runtime has it.
    providers : ONNX Runtime's execution providers, the one that gives the target its name first.
    options : of that provider.
    memory : where tensors are kept, as ONNX Runtime names it: `cpu` or `cuda`.
    device_walk : whether x stays in the target's memory while a table is walked.
    threads_option : the provider's own option for the number of threads; most have none.
    builds_engines : opening a graph for the first time may take minutes, and is kept on disk.
    """

    name: str
    about: str
    package: str
    providers: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=_no_options)
    memory: str = "cpu"
    device_walk: bool = False
    threads_option: str = ""
    builds_engines: bool = False


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(CPU_TARGET, "this computer's processor", "onnxruntime", (CPU,)),
            Target(
                "cuda", "an NVIDIA graphics card", "onnxruntime-gpu", ("CUDAExecutionProvider",),
                # TF32 rounds to 10 bits; a captured graph starts in one call.
                options={"use_tf32": "0", "enable_cuda_graph": "1"},
                memory="cuda", device_walk=True,
            ),
            Target(
                "tensorrt", "an NVIDIA graphics card, with engines built for it",
                "onnxruntime-gpu and tensorrt",
                ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
                options={
                    "trt_fp16_enable": "0", "trt_cuda_graph_enable": "1",
                    "trt_engine_cache_enable": "1", "trt_timing_cache_enable": "1",
                },
                memory="cuda", device_walk=True, builds_engines=True,
            ),
            Target(
                "openvino", "a processor, by Intel's OpenVINO", "onnxruntime-openvino",
                ("OpenVINOExecutionProvider",),
                # Where the processor has bfloat16, OpenVINO computes in it unless told otherwise.
                options={
                    "device_type": "CPU",
                    "load_config": '{"CPU": {"INFERENCE_PRECISION_HINT": "f32"}}',
                },
                threads_option="num_of_threads",
            ),
            Target(
                "coreml", "an Apple computer, by Core ML", "onnxruntime",
                ("CoreMLExecutionProvider",),
                options={"ModelFormat": "MLProgram", "RequireStaticInputShapes": "1"},
            ),
        )
    }
)  # fmt: skip


def offered_targets() -> tuple[Target, ...]:
    """The targets that this installation of ONNX Runtime has providers for."""
    available = set(library().get_available_providers())
    return tuple(t for t in TARGETS.values() if available.issuperset(t.providers))


def checked_target(name: str) -> Target:
    """The target of that name.

    Raises
    ------
    ConfigError
        There is none, or this installation of ONNX Runtime lacks it.
    """
    target = TARGETS.get(name)
    if target is None:
        raise ConfigError(f"Unknown target {name!r}: choose one of {', '.join(TARGETS)}")
    offered = offered_targets()
    if target not in offered:
        raise ConfigError(
            f"Target {name!r} needs an ONNX Runtime with {target.providers[0]}: install "
            f"{target.package}, or choose one of {', '.join(t.name for t in offered)}"
        )
    return target
