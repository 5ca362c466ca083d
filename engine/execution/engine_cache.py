"""The folder of engines that were built for a pack on this machine. Any process.

An engine is valid for one pack, graphics card, driver and version of ONNX Runtime; the name of its
folder contains all of them, so that a change of any of them builds another engine.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import StorageError
from engine.onnx_runtime import library
from engine.packs.discovery import user_folder
from engine.packs.manifest import Manifest

__all__ = ["engine_folder", "graphics_card"]

_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0")
_PATIENCE_S = 20.0


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True
    )  # fmt: skip
    return done.stdout


def graphics_card(run: Callable[[Sequence[str]], str] = _run) -> str:
    """Name and driver of the first NVIDIA graphics card; `unknown` where its tools are missing."""
    try:
        return run(_QUERY).strip() or "unknown"
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def engine_folder(manifest: Manifest, card: str, root: Path | None = None) -> Path:
    """The folder for engines of a pack on a graphics card (as `graphics_card` names it).

    Raises
    ------
    StorageError
        It cannot be created.
    """
    files = "\n".join(f"{name} {digest}" for name, digest in sorted(manifest.files.items()))
    pack = hashlib.sha256(files.encode()).hexdigest()[:16]
    parts = (manifest.name, pack, card, library().__version__)
    name = "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-") for part in parts)
    folder = (user_folder() / "engines" if root is None else root) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be created ({error.strerror})") from error
    return folder
