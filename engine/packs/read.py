"""Reads the manifest of a pack in any format. Any thread, any process."""

from __future__ import annotations

from pathlib import Path

from engine.errors import PackError
from engine.packs.check import check_manifest
from engine.packs.earlier_formats import read_earlier
from engine.packs.format_3 import read_format_3
from engine.packs.manifest import Manifest, read_toml

__all__ = ["FORMAT", "OLDEST", "read_manifest"]

FORMAT = 3  # the newest version of pack.toml that this player reads
OLDEST = 1


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest in a pack's folder; `verify_files` checks the hashes.

    Raises
    ------
    PackError
        A field is missing or wrong; the message is one line.
    """
    path, raw = read_toml(folder)
    version = raw.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < OLDEST:
        raise PackError(f"{path}: format is {version!r}; use {OLDEST} to {FORMAT}")
    if version > FORMAT:
        raise PackError(
            f"{path}: format {version} is of a future version; this player reads up to {FORMAT}: "
            "update attacca"
        )
    read = read_format_3 if version == FORMAT else read_earlier
    manifest = read(path, raw)
    check_manifest(path, manifest)
    return manifest
