"""The file of mappings: `midi.toml` in the user's folder, which may also be edited by hand.

Any thread; it may wait for a disk. The content of the file is checked like any other input.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine.errors import AttaccaError, ConfigError, StorageError
from engine.text_files import read_text
from midi.mapping import ANY, KINDS, Mapping, Source, checked_mode, checked_target

__all__ = ["FILE", "Kept", "read", "write"]

FILE = "midi.toml"
_MOST = 1024  # mappings in a file
_LARGEST = 262_144  # bytes
_FIELDS = {"target", "kind", "number", "channel", "low", "high", "mode"}
_HEAD = """# MIDI mappings. Attacca writes this file when a controller is learned; edit it while
# Attacca is not running.
# kind: cc, cc14 (a pair, the finer one 32 higher), nrpn, rpn, bend, pressure, note.
# channel: 1 to 16, or "any". low and high: the part of the control's range, from 0 to 1.
# mode, for an endless encoder: twos-complement (1, 127), binary-offset (65, 63), signed-bit (1,
# 65).
"""


@dataclass(frozen=True)
class Kept:
    """The content of the file. `takeover`: whether soft takeover is on."""

    mappings: tuple[Mapping, ...] = ()
    takeover: bool = True


def read(path: Path) -> Kept:
    """Read the file; without a file, there are no mappings.

    Raises
    ------
    StorageError
        The file is damaged; the message names the place.
    """
    try:
        if not path.exists():
            return Kept()
        return _kept(tomllib.loads(read_text(path, _LARGEST)))
    except (OSError, ValueError, RecursionError, AttaccaError) as error:
        text = " ".join(str(error).split())[:160]
        raise StorageError(
            f"midi: {path} cannot be read ({text}). Playing without mappings; correct or delete "
            f"the file"
        ) from error


def write(path: Path, kept: Kept) -> None:
    """Write the file. A damaged file is renamed to `midi.toml.damaged`.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    lines = [_HEAD, f"takeover = {str(kept.takeover).lower()}\n"]
    for m in kept.mappings:
        channel = str(m.source.channel) if m.source.channel else '"any"'
        lines.append(
            f'\n[[mapping]]\ntarget = "{m.target}"\nkind = "{m.source.kind}"\n'
            f"number = {m.source.number}\nchannel = {channel}\n"
            f"low = {float(m.low)!r}\nhigh = {float(m.high)!r}\n"
        )
        if m.mode != "absolute":
            lines.append(f'mode = "{m.mode}"\n')
    # Written to a second file and renamed, so that a reader never sees half of it.
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text("".join(lines), encoding="utf-8")
        if _is_damaged(path):
            path.replace(_aside(path))
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(
            f"midi: {path} cannot be written: {error.strerror}; make room for it, or make the "
            "folder writable"
        ) from error


def _aside(path: Path) -> Path:
    """A free name for a damaged file."""
    names = (f"{path.name}.damaged{'' if n == 1 else f'-{n}'}" for n in count(1))
    return next(p for p in map(path.with_name, names) if not p.exists())


def _is_damaged(path: Path) -> bool:
    try:
        read(path)
    except StorageError:
        return True
    return False


def _kept(table: Table[str, object]) -> Kept:
    takeover = table.get("takeover", True)
    rows = table.get("mapping", [])
    if not isinstance(takeover, bool):
        raise ConfigError(f"takeover is {takeover!r}; use true or false")
    if not isinstance(rows, list) or len(rows) > _MOST:
        raise ConfigError(f"mapping: use up to {_MOST} tables [[mapping]]")
    return Kept(tuple(_mapping(row, i + 1) for i, row in enumerate(rows)), takeover)


def _mapping(row: object, place: int) -> Mapping:
    if not isinstance(row, dict) or not row.keys() <= _FIELDS:
        known = ", ".join(sorted(_FIELDS))
        raise ConfigError(f"mapping {place} has unknown fields; use only {known}")
    kind = row.get("kind")
    if kind not in KINDS:
        raise ConfigError(f"mapping {place}: kind is {kind!r}; use one of {', '.join(KINDS)}")
    channel = row.get("channel", "any")
    target = checked_target(str(row.get("target", "")))
    return Mapping(
        target,
        Source(
            kind, _whole(place, "number", row.get("number", 0), 0, KINDS[kind]),
            ANY if channel == "any" else _whole(place, "channel", channel, 1, 16),
        ),
        _share(place, "low", row.get("low", 0.0)), _share(place, "high", row.get("high", 1.0)),
        checked_mode(target, str(row.get("mode", "absolute"))),
    )  # fmt: skip


def _whole(place: int, name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"mapping {place}: {name} is {value!r}; use {low} to {high}")
    return value


def _share(place: int, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f"mapping {place}: {name} is {value!r}; use 0 to 1")
    return float(value)
