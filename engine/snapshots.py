"""Snapshots: all controls under a name, each a JSON file in one folder. Any thread; it may wait.

A name is a name, never a path. What a file holds is checked like anything that comes in.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from engine.errors import AttaccaError, ConfigError, StorageError
from engine.params import Value, param

__all__ = ["Snapshots", "checked_name"]

_FORMAT = 1
_MOST = 10_000  # snapshots in the folder
_LARGEST = 65_536  # bytes of a file
_NAME = re.compile(r"\w[\w .+-]{0,63}")
# Windows takes these for devices, whatever follows the dot.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def checked_name(what: str, name: str) -> str:
    """A name that is safe as that of a file in any folder; `what` asks for it.

    Raises
    ------
    ConfigError
        It has parts of a path in it, or is empty, or too long.
    """
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name) or name[-1] in ". ":
        shown = repr(name[:60])
        raise ConfigError(
            f"{what}: {shown} is no name; give up to 64 letters, digits, spaces and . _ + -"
        )
    return name


class Snapshots:
    """The snapshots of a folder, which is made when the first is saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """All names in order."""
        try:
            files = list(self._folder.iterdir())
        except OSError:  # not there yet, or not ours to read
            return []
        return sorted(p.stem for p in files if p.suffix == ".json" and _NAME.fullmatch(p.stem))

    def save(self, name: str, values: Mapping[str, Value], pack: str) -> None:
        """Keep the values of all controls; one of the same name is replaced.

        Raises
        ------
        ConfigError, StorageError
            The name is none; the file cannot be written, or there are too many.
        """
        path = self._path("/snapshot/save", name)
        kept = {name: value for name, value in values.items() if param(name).kept}
        text = json.dumps({"format": _FORMAT, "pack": pack, "controls": kept}, indent=1)
        # Written beside and put in place, so that a reader never sees half of it.
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not path.exists() and len(self.names()) >= _MOST:
                raise StorageError(f"/snapshot/save: {_MOST} snapshots at most; delete some")
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise StorageError(f"snapshot {name!r} cannot be written: {error.strerror}") from error

    def load(self, name: str) -> dict[str, Value]:
        """The values kept under a name, brought into range; controls unknown now are left out.

        Raises
        ------
        ConfigError, StorageError
            There is none of the name; the file is damaged.
        """
        path = self._path("/snapshot/recall", name)
        if not path.is_file():
            have = ", ".join(self.names()[:8]) or "none"
            raise ConfigError(f"/snapshot/recall: there is no {name!r}; there are: {have}")
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError("too large")
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["format"] != _FORMAT:
                raise ValueError(f"format {kept['format']!r}")
            return _known(dict(kept["controls"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AttaccaError) as error:
            text = " ".join(str(error).split())[:120]
            raise StorageError(f"snapshot {name!r} is damaged ({text}); save it anew") from error

    def delete(self, name: str) -> None:
        """Forget one.

        Raises
        ------
        ConfigError, StorageError
            There is none of the name; the file cannot be deleted.
        """
        path = self._path("/snapshot/delete", name)
        try:
            path.unlink()
        except FileNotFoundError:
            raise ConfigError(f"/snapshot/delete: there is no {name!r}") from None
        except OSError as error:
            raise StorageError(f"snapshot {name!r} cannot be deleted: {error.strerror}") from error

    def _path(self, what: str, name: str) -> Path:
        return self._folder / f"{checked_name(what, name)}.json"


def _known(kept: Mapping[str, object]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in kept.items():
        try:
            control = param(name)
        except ConfigError:
            continue  # of another version
        if control.kept:
            values[name] = control.clip(value)
    return values
