"""Opens the files of a pack: listed, inside the folder, of bounded size, with the right hash.

The generator and `attacca packs` call it. Any process and thread.
"""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.errors import PackError
from engine.packs.external_data import MalformedGraph, external_files
from engine.packs.manifest import Manifest

__all__ = ["LARGEST_FILE", "load_arrays", "read_file", "read_graph", "verify_files"]

LARGEST_FILE = 2 << 30  # bytes; larger files are refused
_CHUNK = 1 << 20  # bytes


def _nothing(_: str) -> None:
    pass


def verify_files(manifest: Manifest, announce: Callable[[str], object] = _nothing) -> None:
    """Check that every listed file exists in the folder, with a bounded size and the right hash.

    `announce` is called with the name of each file before it is read.

    Raises
    ------
    PackError
        A file is missing or damaged; the message names it.
    """
    for name in manifest.files:
        announce(name)
        _use(manifest, name, _digest)


def read_file(manifest: Manifest, name: str) -> bytes:
    """The content of one of the pack's files.

    Raises
    ------
    PackError
        The file is not listed, outside the folder, too large, missing or damaged.
    """
    found = b""

    def read(file: BinaryIO) -> str:
        nonlocal found
        found = file.read()
        return hashlib.sha256(found).hexdigest()

    _use(manifest, name, read)
    return found


def load_arrays(manifest: Manifest, name: str) -> Any:
    """The content of a `.npy` (an array) or `.npz` file (arrays by name), without pickles.

    Raises
    ------
    PackError
        As `read_file`, or the content is not an array.
    """
    try:
        loaded = np.load(io.BytesIO(read_file(manifest, name)), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {key: loaded[key] for key in loaded.files}
    except (OSError, ValueError, EOFError) as error:
        path = manifest.folder / name
        raise PackError(f"{path}: cannot be read ({error}); install the pack again") from error


def read_graph(manifest: Manifest, name: str) -> tuple[bytes, dict[str, bytes]]:
    """One of the pack's graphs, and its external data files by name.

    Raises
    ------
    PackError
        As `read_file`, the content is not an ONNX graph, or its data is in a file that is not
        listed.
    """
    path = manifest.folder / name
    graph = read_file(manifest, name)
    try:
        outside = external_files(graph)
    except MalformedGraph as error:
        raise PackError(f"{path}: not an ONNX graph ({error}); install the pack again") from error
    for location in outside:
        if location not in manifest.files:
            raise PackError(
                f"{path}: its data is in {location!r}, which is not listed in [files]; "
                "export the pack again"
            )
    return graph, {location: read_file(manifest, location) for location in outside}


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _use(manifest: Manifest, name: str, digest: Callable[[BinaryIO], str]) -> None:
    """Open a file, and compare its digest with the listed one."""
    path = manifest.path(name)
    try:
        _refuse_unusual(path)
        with path.open("rb") as file:
            actual = digest(file)
    except FileNotFoundError:
        raise PackError(f"{path}: the file is missing; install the pack again") from None
    except OSError as error:
        raise PackError(f"{path}: cannot be read ({error.strerror})") from error
    expected = manifest.files[name]
    if actual != expected:
        raise PackError(
            f"{path}: damaged (SHA-256 {actual[:12]}..., "
            f"the manifest says {expected[:12]}...); install the pack again"
        )


def _refuse_unusual(path: Path) -> None:
    found = path.stat()  # follows links: their target must have the listed hash too
    if not stat.S_ISREG(found.st_mode):
        raise PackError(f"{path}: not a regular file; install the pack again")
    if found.st_size > LARGEST_FILE:
        raise PackError(f"{path}: {found.st_size} bytes; use {LARGEST_FILE} or fewer")
