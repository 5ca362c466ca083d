"""Where graphs can run: one row for each target. Any thread.

Every target but the CPU is opened with ONNX Runtime's fallback to the CPU switched off, and what a
session really runs on is checked: a graph that a target cannot run is an error, not slow music.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.errors import ConfigError
from engine.onnx_runtime import CPU, Provider, library
from engine.scalars import shown

__all__ = ["CPU_TARGET", "TARGETS", "Target", "checked_target", "known_target",
           "offered_targets"]  # fmt: skip

CPU_TARGET = "cpu"  # there on every machine; what other targets fall back to


# TF32 rounds to 10 bits.
_CUDA = Provider("CUDAExecutionProvider", {"use_tf32": "0"})
# A captured graph starts in one call. ONNX Runtime captures only what runs on CUDA as a whole.
_CAPTURED_CUDA = Provider(_CUDA.name, {**_CUDA.options, "enable_cuda_graph": "1"})


def _no_variables() -> Mapping[str, str]:
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
    helpers : the providers of the walker's own small graphs; the same where there are none.
    environment : variables that the provider's libraries read when they are loaded.
    memory : where tensors are kept, as ONNX Runtime names it: `cpu` or `cuda`.
    device_walk : whether x stays in the target's memory while a table is walked.
    threads_option : the provider's own option for the number of threads; most have none.
    builds_engines : opening a graph for the first time may take minutes, and is kept on disk.
    """

    name: str
    about: str
    package: str
    providers: tuple[Provider, ...]
    helpers: tuple[Provider, ...] = ()
    environment: Mapping[str, str] = field(default_factory=_no_variables)
    memory: str = "cpu"
    device_walk: bool = False
    threads_option: str = ""
    builds_engines: bool = False


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(CPU_TARGET, "this computer's processor", "onnxruntime", (Provider(CPU),)),
            Target(
                "cuda", "an NVIDIA graphics card", "onnxruntime-gpu", (_CAPTURED_CUDA,),
                memory="cuda", device_walk=True,
            ),
            Target(
                "tensorrt", "an NVIDIA graphics card, with engines built for it",
                "onnxruntime-gpu and tensorrt",
                # No CUDA graph: this provider captures one for a session, whatever its inputs'
                # addresses are, and a step has one set of them for each branch of guidance.
                (Provider("TensorrtExecutionProvider", {
                    "trt_fp16_enable": "0", "trt_engine_cache_enable": "1",
                    "trt_timing_cache_enable": "1",
                }), _CUDA),
                helpers=(_CAPTURED_CUDA,), environment={"NVIDIA_TF32_OVERRIDE": "0"},
                memory="cuda", device_walk=True, builds_engines=True,
            ),
            Target(
                "openvino", "a processor, by Intel's OpenVINO", "onnxruntime-openvino",
                # Where the processor has bfloat16, OpenVINO computes in it by default.
                (Provider("OpenVINOExecutionProvider", {
                    "device_type": "CPU",
                    "load_config": '{"CPU": {"INFERENCE_PRECISION_HINT": "f32"}}',
                }),),
                threads_option="num_of_threads",
            ),
            Target(
                "coreml", "an Apple computer, by Core ML", "onnxruntime",
                (Provider("CoreMLExecutionProvider", {
                    "ModelFormat": "MLProgram", "RequireStaticInputShapes": "1",
                }),),
            ),
        )
    }
)  # fmt: skip


def offered_targets() -> tuple[Target, ...]:
    """The targets that this installation of ONNX Runtime has providers for."""
    available = set(library().get_available_providers())
    return tuple(t for t in TARGETS.values() if available.issuperset(p.name for p in t.providers))


def known_target(name: str) -> Target:
    """The target of that name, whether it is offered here or not.

    Raises
    ------
    ConfigError
        There is none.
    """
    target = TARGETS.get(name)
    if target is None:
        raise ConfigError(f"Unknown target {shown(name)}: choose one of {', '.join(TARGETS)}")
    return target


def checked_target(name: str) -> Target:
    """The target of that name.

    Raises
    ------
    ConfigError
        There is none, or this installation of ONNX Runtime lacks it.
    """
    target = known_target(name)
    offered = offered_targets()
    if target not in offered:
        raise ConfigError(
            f"Target {name!r} needs an ONNX Runtime with {target.providers[0].name}: install "
            f"{target.package}, or choose one of {', '.join(t.name for t in offered)}"
        )
    return target
