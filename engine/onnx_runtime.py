"""Opens ONNX Runtime sessions without telemetry, and with explicitly passed files only.

Since 1.29 the packages on PyPI report every session to Microsoft: they write a device number and a
store of events into the user's cache folder and look up a collector. Version 1.29 and later read
`ORT_DISABLE_TELEMETRY` once, when the library is loaded; on Windows, where the reports go to the
system's tracing, `disable_telemetry_events` stops them. Therefore only this module imports the
library (a test checks that). Any thread may call these functions; a session belongs to the thread
that runs it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from engine.errors import PackError

__all__ = ["CPU", "CannotRun", "Provider", "library", "open_session"]

CPU = "CPUExecutionProvider"


def _no_options() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Provider:
    """One of ONNX Runtime's execution providers, by its name there, with its options."""

    name: str
    options: Mapping[str, str] = field(default_factory=_no_options)


class CannotRun(PackError):
    """A provider cannot run a part of a graph."""


_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
# What ONNX Runtime says where a provider lacks an operator, and where it then cannot be captured.
_CANNOT = (
    "fallback to CPU EP has been explicitly disabled",
    "session cannot use the graph capture feature",
)
# ONNX Runtime looks for external data of a graph in this folder, which cannot exist.
_NOWHERE = os.path.join(os.devnull, "none")  # noqa: PTH118 (a string for a C library)


def library() -> ModuleType:
    """The `onnxruntime` package, loaded without telemetry."""
    os.environ[_NO_TELEMETRY] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def open_session(
    name: str,
    graph: bytes,
    data: Mapping[str, bytes] | None = None,
    *,
    threads: int = 1,
    providers: Sequence[Provider] = (Provider(CPU),),
    sizes: Mapping[str, int] | None = None,
    flush_denormals: bool = False,
) -> Any:
    """Open a graph from memory.

    Parameters
    ----------
    name : of the graph, for messages.
    graph : ONNX, not ONNX Runtime's own format.
    data : the external data files of the graph, by the names that it uses; no others are available.
    threads : within one operator. Use at most the number of idle cores: spinning is off, but
        threads that wait for each other still cost time.
    providers : that run the graph, in order of preference. The CPU is used only if it is listed.
    sizes : of the graph's free dimensions, by their names.
    flush_denormals : treat denormals as zero; this applies to the calling thread permanently.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    PackError
        ONNX Runtime refuses the graph, or a provider is not available on this machine.
    CannotRun
        A part of the graph would run on the CPU, which is not among the providers.
    """
    ort = library()
    names = [provider.name for provider in providers]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    entries = {
        # Otherwise operators that a provider cannot run go to the CPU, with a warning at most.
        "session.disable_cpu_ep_fallback": "0" if CPU in names else "1",
        "session.load_model_format": "ONNX",
        "session.intra_op.allow_spinning": "0",
        "session.inter_op.allow_spinning": "0",
        "session.model_external_initializers_file_folder_path": _NOWHERE,
    }
    if flush_denormals:
        entries["session.set_denormal_as_zero"] = "1"
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    for dimension, size in (sizes or {}).items():
        options.add_free_dimension_override_by_name(dimension, size)
    try:
        if data:
            lengths = [len(content) for content in data.values()]
            options.add_external_initializers_from_files_in_memory(
                list(data), list(data.values()), lengths
            )
        session = ort.InferenceSession(
            graph, options, providers=[(p.name, dict(p.options)) for p in providers],
            enable_fallback=0,  # else a failed run continues silently on the CPU
        )  # fmt: skip
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types
        first = (str(error).splitlines() or [type(error).__name__])[0]
        if any(text in first for text in _CANNOT):
            raise CannotRun(
                f"{name}: {names[0]} cannot run all of it (an operator or a driver is "
                "missing); use target 'cpu'"
            ) from error
        raise PackError(f"{name}: ONNX Runtime cannot open it ({first})") from error
    # A provider whose library or driver is missing is left out without an error.
    missing = [p for p in names if p not in session.get_providers()]
    if missing:
        raise PackError(
            f"{name}: ONNX Runtime cannot use {', '.join(missing)} on this machine, only "
            f"{', '.join(session.get_providers())}; use target 'cpu', or repair the driver"
        )
    return session
