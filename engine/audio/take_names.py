"""Names for takes: finds a free name and creates the file.

All takes are named here, from whichever interface they start. Any thread that may wait for a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from engine.audio.soundfiles import FORMATS, reason_of
from engine.errors import ConfigError, StorageError

__all__ = ["NewTake", "create_beside", "path_of"]

_SUFFIX = ".flac"


@dataclass(frozen=True)
class NewTake:
    """A take in a new file.

    Attributes
    ----------
    folder : created if it is missing.
    name : of the file; `.flac` is added unless it ends in a known format. Without a name, the file
        is named after the time and the seed: `attacca-20261126-213000-seed7.flac`.
    """

    folder: Path
    name: str = ""

    def create(self, seed: int, now: Callable[[], datetime] = datetime.now) -> Path:
        """Create the file, empty, and the folder; returns its path.

        Raises
        ------
        ConfigError
            A file of that name exists.
        StorageError
            The folder or the file cannot be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot create the folder {str(self.folder)!r}: {reason_of(error)}; choose "
                "another folder"
            ) from error
        if not self.name:
            return _create_free(self.folder, f"attacca-{now():%Y%m%d-%H%M%S}-seed{seed}", _SUFFIX)
        known = Path(self.name).suffix.lower() in FORMATS
        path = self.folder / (self.name if known else self.name + _SUFFIX)
        if not _create(path):
            raise ConfigError(f"a file named {path.name!r} exists already; choose another name")
        return path


def path_of(to: Path | NewTake, seed: int) -> Path:
    """The file to write: `to`, or a new file; raises what `NewTake.create` raises."""
    return to.create(seed) if isinstance(to, NewTake) else to


def create_beside(path: Path) -> Path:
    """Create an empty file for the continuation of a take: `take-2.flac`.

    Raises
    ------
    StorageError
        The file cannot be created.
    """
    return _create_free(path.parent, path.stem, path.suffix, first=2)


def _create_free(folder: Path, stem: str, suffix: str, first: int = 1) -> Path:
    for name in _numbered(stem, first):
        path = folder / f"{name}{suffix}"
        # The MIDI file of a take has the same name.
        if not path.with_suffix(".mid").exists() and _create(path):
            return path
    raise AssertionError("names do not end")


def _numbered(stem: str, first: int) -> Iterator[str]:
    return (stem if number == 1 else f"{stem}-{number}" for number in count(first))


def _create(path: Path) -> bool:
    """Create an empty file; False if one of that name exists."""
    try:
        path.open("xb").close()
    except FileExistsError:
        return False
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot write {str(path)!r}: {reason_of(error)}; choose another place"
        ) from error
    return True
