"""The results of `attacca bench` for packs on this machine, which lists of packs show. Any thread.

One JSON file in the user's folder: a sentence per pack, version and machine. It can be deleted at
any time; an unreadable entry counts as not measured.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from engine.cores import usable_cores
from engine.errors import StorageError
from engine.packs.discovery import user_folder

__all__ = ["keep_verdict", "kept_verdict"]

_LARGEST = 1 << 20  # bytes


def _path(folder: Path | None) -> Path:
    return (folder or user_folder()) / "verdicts.json"


def _key(name: str, version: str) -> str:
    machine = f"{platform.node()} {platform.machine()} {usable_cores()} cores"
    return f"{name} {version} on {machine}"


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def kept_verdict(name: str, version: str, folder: Path | None = None) -> str:
    """The sentence about a pack on this machine; empty if it was not measured."""
    found = _read(_path(folder)).get(_key(name, version))
    return found if isinstance(found, str) else ""


def keep_verdict(name: str, version: str, text: str, folder: Path | None = None) -> None:
    """Store the sentence, in `folder` or the user's.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    path = _path(folder)
    part = path.with_suffix(f".{os.getpid()}.part")
    kept = {**_read(path), _key(name, version): text}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
