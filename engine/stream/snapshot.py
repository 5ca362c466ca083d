"""A snapshot: a moment of the music, to return to. Immutable; any thread.

It holds what leads to the moment (the state before the audible block, the request of that block,
how far into it the moment lies), the same for the beat and the bar line before it, the controls,
and where the bar lines lie. As a file it is a zip archive of `.npy` arrays with one JSON text, as
numpy writes it: no pickle.
"""

from __future__ import annotations

import json
import math
import os
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engine.errors import StorageError
from engine.stages.request import Request
from engine.stream.history import Keyframe, Place

__all__ = ["SUFFIX", "Bars", "Line", "Snapshot", "read_snapshot", "write_snapshot"]

Line = Literal["now", "beat", "bar"]
SUFFIX = ".attacca-snapshot"
_FORMAT = 1
_LARGEST = 512 << 20  # bytes
_MOST_ARRAYS = 4096
_MOST_REQUESTS = 4096
_TYPES = ("float32", "float64", "int64", "bool")
_TEXT = "about"
_TEMPI, _BEATS = (1.0, 1000.0), (1, 64)
# What a request may ask for: far more than any interface lets through.
_MOST_STEPS, _MOST_FRAMES, _STRONGEST = 10_000, 1 << 30, 1e6


@dataclass(frozen=True)
class Bars:
    """Where the bar lines lie: beats per minute, beats in a bar, beats since the bar began."""

    bpm: float
    beats: int
    phase: float


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment.

    Attributes
    ----------
    pack, version, digest : name, version, and SHA-256 of the manifest of the pack that played.
    places : what leads to the moment (`now`) and to the `beat` and the `bar` line before it; the
        lines only where the history reached back to them.
    controls : values by full name, without the transport.
    pending : names of the controls that were set and not yet audible.
    bars : the tempo and where the bar lines lie.
    about : target, time it was taken, and what else helps a reader.
    """

    pack: str
    version: str
    digest: str
    places: Mapping[Line, Place]
    controls: Mapping[str, Any]
    pending: tuple[str, ...]
    bars: Bars
    about: Mapping[str, Any]

    def place(self, line: Line) -> Place:
        """What leads to a line, or to the moment itself where the line is not there."""
        return self.places.get(line, self.places["now"])


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot as one file.

    Raises
    ------
    StorageError
        The file cannot be written; nothing is left of it.
    """
    keyframes = list({id(p.keyframe): p.keyframe for p in snapshot.places.values()}.values())
    text = json.dumps(
        {
            "format": _FORMAT, "pack": snapshot.pack, "version": snapshot.version,
            "digest": snapshot.digest, "controls": dict(snapshot.controls),
            "pending": snapshot.pending, "bars": vars(snapshot.bars), "about": dict(snapshot.about),
            "keyframes": [{"has_past": k.has_past, "phrase": k.phrase} for k in keyframes],
            "places": {
                line: {
                    "keyframe": next(i for i, k in enumerate(keyframes) if k is place.keyframe),
                    "offset": place.offset,
                    "before": [request.as_message() for request in place.before],
                    "request": place.request.as_message() if place.request else None,
                }
                for line, place in snapshot.places.items()
            },
        }
    )  # fmt: skip
    arrays = {
        f"state/{i}/{name}": np.asarray(array, order="C") for i, keyframe in enumerate(keyframes)
        for name, array in keyframe.state.items()
    }  # fmt: skip
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
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
        with zipfile.ZipFile(path) as archive:
            arrays = _arrays(archive)
        text = json.loads(str(arrays.pop(_TEXT)))
        return _snapshot(text, arrays)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged archive raises a dozen unrelated types
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise StorageError(f"{path} is no snapshot ({reason}); choose another file") from error


def _arrays(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    """The arrays of an archive; none takes more memory than its part of the archive says."""
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > _LARGEST or len(entries) > _MOST_ARRAYS:
        raise ValueError(f"{len(entries)} arrays of {size} bytes")
    arrays: dict[str, NDArray[Any]] = {}
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        with archive.open(entry) as file:
            arrays[name] = _array(file, entry.file_size, is_text=name == _TEXT)
    return arrays


def _array(file: IO[bytes], size: int, *, is_text: bool) -> NDArray[Any]:
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("arrays of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    fits = dtype.kind == "U" and shape == () if is_text else dtype.name in _TYPES
    count = math.prod(shape)
    if not fits or (fortran and len(shape) > 1) or not 0 <= count * dtype.itemsize <= size:
        raise ValueError(f"an array of {dtype} and {shape}")
    data = file.read(count * dtype.itemsize)
    if file.read(1):  # to the end, where the checksum is
        raise ValueError("an array with something behind it")
    array = np.frombuffer(data, dtype, count).reshape(shape)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("numbers that are not finite")
    return array


def _snapshot(text: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Snapshot:
    if text["format"] != _FORMAT:
        raise ValueError(f"format {text['format']!r}")
    keyframes = [
        Keyframe(
            {n.removeprefix(f"state/{i}/"): a for n, a in arrays.items()
             if n.startswith(f"state/{i}/")},
            0, 0, bool(row["has_past"]), _whole(row["phrase"], 0, _MOST_FRAMES),
        )
        for i, row in enumerate(text["keyframes"][: len(get_args(Line))])
    ]  # fmt: skip
    places = {line: _place(text["places"][line], keyframes)
              for line in get_args(Line) if line in text["places"]}  # fmt: skip
    if "now" not in places:
        raise ValueError("it leads nowhere")
    bars = text["bars"]
    beats = _whole(bars["beats"], *_BEATS)
    return Snapshot(
        str(text["pack"]), str(text["version"]), str(text["digest"]), places,
        dict(text["controls"]), tuple(str(name) for name in text["pending"]),
        Bars(_number(bars["bpm"], *_TEMPI), beats, _number(bars["phase"], 0.0, float(beats))),
        dict(text["about"]),
    )  # fmt: skip


def _place(row: Mapping[str, Any], keyframes: list[Keyframe]) -> Place:
    if len(row["before"]) > _MOST_REQUESTS:
        raise ValueError(f"{len(row['before'])} requests")
    return Place(
        keyframes[_whole(row["keyframe"], 0, len(keyframes) - 1)],
        tuple(_request(r) for r in row["before"]), row["request"] and _request(row["request"]),
        _whole(row["offset"], 0, _MOST_FRAMES),
    )  # fmt: skip


def _request(row: Mapping[str, Any]) -> Request:
    if not all(isinstance(stage["sampler"], str) for stage in row["stages"].values()):
        raise ValueError("samplers without a name")
    request = replace(Request.from_message(row), controls=dict(row["controls"]))
    _whole(request.index, 0, 2**53)
    _whole(request.seed, 0, 2**31 - 1)
    for stage in request.stages.values():
        _whole(stage.keep, 1, _MOST_FRAMES)
        _whole(stage.steps, 1, _MOST_STEPS)
        _number(stage.temperature, 0.0, _STRONGEST)
        _number(stage.guidance, -_STRONGEST, _STRONGEST)
    return request


def _whole(value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{str(value)[:20]!r} where a number from {low} to {high} belongs")
    return value


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{str(value)[:20]!r} where a number from {low:g} to {high:g} belongs")
    return float(value)
