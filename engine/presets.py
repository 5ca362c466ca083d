"""Presets: all controls under a name, each a JSON file in one folder. Any thread; it may wait.

A name is a name, never a path. What a file holds is checked like anything that comes in.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from engine.controls.control import PITCH_CLASSES, Value
from engine.errors import AttaccaError, ConfigError, StorageError
from engine.text_files import composed, read_text

__all__ = ["Presets", "checked_name", "named_files"]

_FORMAT = 1
_MOST = 10_000  # presets in the folder
_LARGEST = 65_536  # bytes of a file
_LONGEST = 64  # characters of a name
_LONGEST_BYTES = 200  # of a file's name without its ending; file systems have 255
_SIGNS = " .+-_\u200c\u200d"  # the last two join letters of Persian and of Indian scripts, or not
# Windows takes these for devices, whatever follows the dot.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def checked_name(what: str, name: str) -> str:
    """A name that is safe as that of a file in any folder, in composed letters.

    Parameters
    ----------
    what : asks for it.

    Raises
    ------
    ConfigError
        It has parts of a path in it, or is empty, or too long.
    """
    whole = composed(name)
    if not _is_name(whole):
        raise ConfigError(
            f"{what}: {whole[:60]!r} cannot be a name; use up to {_LONGEST} letters, digits, "
            "spaces and . _ + -"
        )
    return whole


def _is_name(name: str) -> bool:
    """Whether it is safe as the name of a file in any folder."""
    if not 0 < len(name) <= _LONGEST or name[-1] in ". " or _RESERVED.fullmatch(name):
        return False
    kinds = [unicodedata.category(c)[0] for c in name]
    if not all(k in "LNM" or c in _SIGNS for c, k in zip(name, kinds, strict=True)):
        return False
    return (kinds[0] in "LN" or name[0] == "_") and len(name.encode()) <= _LONGEST_BYTES


def named_files(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of a folder with a suffix, by name; those on disk may be in decomposed letters."""
    try:
        files = sorted(folder.iterdir())
    except OSError:  # not there yet, or not readable
        return {}
    found = {composed(p.stem): p for p in files if p.suffix == suffix}
    return {name: path for name, path in found.items() if _is_name(name)}


class Presets:
    """The presets of a folder, which is made when the first is saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """All names in order."""
        return sorted(named_files(self._folder, ".json"))

    def save(self, name: str, values: Mapping[str, Value], pack: str) -> None:
        """Keep the values of the controls; one of the same name is replaced.

        Raises
        ------
        ConfigError, StorageError
            The name is none; the file cannot be written, or there are too many.
        """
        path = self._path("/preset/save", name)
        text = json.dumps({"format": _FORMAT, "pack": pack, "controls": dict(values)}, indent=1)
        # Written beside and put in place, so that a reader never sees half of it.
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not path.exists() and len(self.names()) >= _MOST:
                raise StorageError(f"/preset/save: {_MOST} presets at most; delete some")
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise StorageError(
                f"preset {name!r} cannot be written to {str(self._folder)!r}: {error.strerror}; "
                "make room for it, or make the folder writable"
            ) from error

    def load(self, name: str) -> dict[str, object]:
        """The values kept under a name, for `ControlBus.restore`, which checks them.

        Raises
        ------
        ConfigError, StorageError
            There is none of the name; the file is damaged.
        """
        path = self._path("/preset/recall", name)
        if not path.is_file():
            have = ", ".join(self.names()[:8]) or "none"
            raise ConfigError(f"/preset/recall: there is no {name!r}; there are: {have}")
        try:
            kept = json.loads(read_text(path, _LARGEST))
            if kept["format"] != _FORMAT:
                raise ValueError(f"format {kept['format']!r}")
            return _known(dict(kept["controls"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AttaccaError) as error:
            text = " ".join(str(error).split())[:120]
            raise StorageError(f"preset {name!r} cannot be read ({text}); save it again") from error

    def delete(self, name: str) -> None:
        """Forget one.

        Raises
        ------
        ConfigError, StorageError
            There is none of the name; the file cannot be deleted.
        """
        path = self._path("/preset/delete", name)
        try:
            path.unlink()
        except FileNotFoundError:
            raise ConfigError(f"/preset/delete: there is no {name!r}") from None
        except OSError as error:
            raise StorageError(f"preset {name!r} cannot be deleted: {error.strerror}") from error

    def _path(self, what: str, name: str) -> Path:
        name = checked_name(what, name)
        plain = self._folder / f"{name}.json"
        return plain if plain.exists() else named_files(self._folder, ".json").get(name, plain)


def _known(kept: Mapping[str, object]) -> dict[str, object]:
    """The values by their names today: the harmony was twelve controls once."""
    weights = [kept.get(f"harmony_{name}") for name in PITCH_CLASSES]
    values = {name: value for name, value in kept.items() if not name.startswith("harmony_")}
    if all(isinstance(weight, (int, float)) for weight in weights):
        values["pack/harmony"] = weights
    return values
