"""A snapshot: a moment of the music, to return to. Immutable; any thread.

It is the state before the block that was audible, the request of that block, how far into it the
moment lies, and the controls. As a file it is a zip archive of `.npy` arrays with one JSON text, as
numpy writes it: no pickle.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import StorageError
from engine.stages.request import Request
from engine.stream.history import Keyframe, Place

__all__ = ["SUFFIX", "Snapshot", "read_snapshot", "write_snapshot"]

SUFFIX = ".attacca-snapshot"
_FORMAT = 1
_LARGEST = 512 << 20  # bytes
_MOST_ARRAYS = 4096
_MOST_REQUESTS = 4096
_TEXT = "about"


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment.

    Attributes
    ----------
    pack, version, digest : name, version, and SHA-256 of the manifest of the pack that played.
    place : what leads to the moment.
    controls : values by full name, without the transport.
    about : target, engine version, time it was taken, and what else helps a reader.
    """

    pack: str
    version: str
    digest: str
    place: Place
    controls: Mapping[str, Any]
    about: Mapping[str, Any]


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot as one file.

    Raises
    ------
    StorageError
        The file cannot be written; nothing is left of it.
    """
    place = snapshot.place
    text = json.dumps(
        {
            "format": _FORMAT, "pack": snapshot.pack, "version": snapshot.version,
            "digest": snapshot.digest, "controls": dict(snapshot.controls),
            "about": dict(snapshot.about), "offset": place.offset,
            "has_past": place.keyframe.has_past, "phrase": place.keyframe.phrase,
            "before": [request.as_message() for request in place.before],
            "request": place.request.as_message() if place.request else None,
        }
    )  # fmt: skip
    arrays = {f"state/{name}": array for name, array in place.keyframe.state.items()}
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **{_TEXT: np.array(text)}, **arrays)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot.

    Raises
    ------
    StorageError
        The file cannot be read, is too large, or is no snapshot.
    """
    try:
        _refuse_unusual(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        text = json.loads(str(arrays.pop(_TEXT)))
        return _snapshot(text, {n.removeprefix("state/"): a for n, a in arrays.items()})
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged archive raises a dozen unrelated types
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise StorageError(f"{path} is no snapshot ({text}); choose another file") from error


def _refuse_unusual(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > _LARGEST or len(entries) > _MOST_ARRAYS:
        raise ValueError(f"{len(entries)} arrays of {size} bytes")


def _snapshot(text: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> Snapshot:
    if text["format"] != _FORMAT:
        raise ValueError(f"format {text['format']!r}")
    keyframe = Keyframe(state, 0, 0, bool(text["has_past"]), int(text["phrase"]))
    request = text["request"] and Request.from_message(text["request"])
    if len(text["before"]) > _MOST_REQUESTS:
        raise ValueError(f"{len(text['before'])} requests")
    before = tuple(Request.from_message(r) for r in text["before"])
    return Snapshot(
        str(text["pack"]), str(text["version"]), str(text["digest"]),
        Place(keyframe, before, request, int(text["offset"])),
        dict(text["controls"]), dict(text["about"]),
    )  # fmt: skip
