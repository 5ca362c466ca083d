"""Mappings in a file: `midi.toml` in the user's folder, to be edited by hand as well.

Any thread; it may wait for a disk. What a file holds is checked like anything that comes in.
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
_HEAD = """# What MIDI controllers move. Attacca writes it when one is learnt; edit it before
# playing.
# kind: cc, cc14 (a pair, the finer one 32 higher), nrpn, rpn, bend, pressure, note.
# channel: 1 to 16, or "any". low and high: the part of the control's range, from 0 to 1.
# mode, of an endless encoder: twos-complement (1, 127), binary-offset (65, 63), signed-bit (1, 65).
"""


@dataclass(frozen=True)
class Kept:
    """What the file holds. `takeover`: a controller moves nothing until it has met the value."""

    mappings: tuple[Mapping, ...] = ()
    takeover: bool = True


def read(path: Path) -> Kept:
    """What is kept; with no file, nothing.

    Raises
    ------
    StorageError
        The file is damaged; the message says where.
    """
    try:
        if not path.exists():
            return Kept()
        return _kept(tomllib.loads(read_text(path, _LARGEST)))
    except (OSError, ValueError, RecursionError, AttaccaError) as error:
        text = " ".join(str(error).split())[:160]
        raise StorageError(
            f"midi: {path} cannot be read ({text}). Playing without mappings; correct or delete it"
        ) from error


def write(path: Path, kept: Kept) -> None:
    """Keep it. A file that is there and cannot be read is put aside, as `midi.toml.damaged`.

    Raises
    ------
    StorageError
        It cannot be written.
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
    # Written beside and put in place, so that a reader never sees half of it.
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
    """A free name beside a file that cannot be read."""
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
        raise ConfigError(f"takeover is {takeover!r}; give true or false")
    if not isinstance(rows, list) or len(rows) > _MOST:
        raise ConfigError(f"mapping: give up to {_MOST} tables [[mapping]]")
    return Kept(tuple(_mapping(row, i + 1) for i, row in enumerate(rows)), takeover)


def _mapping(row: object, place: int) -> Mapping:
    if not isinstance(row, dict) or not row.keys() <= _FIELDS:
        raise ConfigError(f"mapping {place} has other fields than {', '.join(sorted(_FIELDS))}")
    kind = row.get("kind")
    if kind not in KINDS:
        raise ConfigError(f"mapping {place}: kind is {kind!r}; give one of {', '.join(KINDS)}")
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
        raise ConfigError(f"mapping {place}: {name} is {value!r}; give {low} to {high}")
    return value


def _share(place: int, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f"mapping {place}: {name} is {value!r}; give 0 to 1")
    return float(value)
