"""Returning to a moment of the music: where it lies, what a snapshot of it holds, who may use it.

Functions of what plays, used by `Instrument`; any thread. A moment is a sample of the stream's
history (engine/stream/history.py).
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Mapping
from typing import Any

from engine.errors import ConfigError
from engine.onnx_runtime import library
from engine.packs.manifest import MANIFEST, Manifest
from engine.stream.history import Place
from engine.stream.pack_stream import PackStream
from engine.stream.snapshot import Snapshot

__all__ = ["audible_position", "check_snapshot", "place_back", "reach", "snapshot_of"]


def audible_position(stream: PackStream, output_latency: float) -> int:
    """The sample that is audible now: what was pulled last is not yet."""
    pulled, _ = stream.lead.position
    return max(0, pulled - round(output_latency * stream.manifest.rate))


def place_back(
    stream: PackStream, position: int, *, seconds: float = 0.0, blocks: int = 0
) -> Place:
    """The place so many seconds, or whole blocks, before a position.

    Raises
    ------
    ConfigError
        The history does not reach back so far.
    """
    history, rate = stream.feeder.history, stream.manifest.rate
    wanted: int | None = position - round(seconds * rate)
    if blocks:
        wanted = history.blocks_before(position, blocks)
    place = None if wanted is None else history.find(wanted)
    if place is None:
        what = f"{blocks} blocks" if blocks else f"{seconds:g} s"
        raise ConfigError(
            f"go back: {what} is too far; the history reaches back {reach(stream, position):.1f} s"
        )
    return place


def reach(stream: PackStream, position: int) -> float:
    """Seconds by which the music can go back."""
    oldest = stream.feeder.history.oldest
    return 0.0 if oldest is None else max(0.0, (position - oldest) / stream.manifest.rate)


def snapshot_of(
    stream: PackStream, position: int, controls: Mapping[str, Any], about: Mapping[str, Any]
) -> Snapshot:
    """A snapshot of a position of what plays.

    Raises
    ------
    ConfigError
        Nothing is audible yet.
    """
    place = stream.feeder.history.find(position)
    if place is None:
        raise ConfigError("snapshot: no music is audible yet; take it while music plays")
    manifest = stream.manifest
    facts = {
        **about, "taken": time.time(), "machine": platform.machine(),
        "onnxruntime": library().__version__,
    }  # fmt: skip
    return Snapshot(
        manifest.name, manifest.version, digest_of(manifest), place, dict(controls), facts
    )


def check_snapshot(manifest: Manifest, snapshot: Snapshot) -> None:
    """Refuse a snapshot of another pack.

    Raises
    ------
    ConfigError
        In one line, with what to do.
    """
    if snapshot.digest != digest_of(manifest):
        raise ConfigError(
            f"this snapshot is of pack {snapshot.pack!r} {snapshot.version}, and "
            f"{manifest.name!r} {manifest.version} plays; load that pack first, or apply only its "
            "controls"
        )


def digest_of(manifest: Manifest) -> str:
    """SHA-256 of a pack's manifest, which holds the hash of every other file."""
    return hashlib.sha256((manifest.folder / MANIFEST).read_bytes()).hexdigest()
