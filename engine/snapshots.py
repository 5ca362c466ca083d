"""Snapshots by name: each a file in one folder. Any thread; it may wait for a disk.

A name is a name, never a path. What a file holds is checked as it is read.
"""

from __future__ import annotations

import contextlib
from itertools import count
from pathlib import Path

from engine.errors import ConfigError, StorageError
from engine.presets import checked_name, named_files
from engine.stream.snapshot import SUFFIX, Snapshot, read_snapshot, write_snapshot
from engine.text_files import composed

__all__ = ["Snapshots"]

_MOST = 1_000  # snapshots in the folder


class Snapshots:
    """The snapshots of a folder, which is created when the first is saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """All names in order."""
        return sorted(named_files(self._folder, SUFFIX))

    def save(self, snapshot: Snapshot, name: str = "") -> str:
        """Save under a name, where one of the same name is replaced, or under a new one.

        Returns the name.

        Raises
        ------
        ConfigError, StorageError
            The name cannot be used; the file cannot be written, or there are too many.
        """
        if name:
            name = checked_name("/snapshot/take", name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            have = named_files(self._folder, SUFFIX)
            if name not in have and len(have) >= _MOST:
                raise StorageError(f"/snapshot/take: {_MOST} snapshots at most; delete some")
            path = have.get(name) or (self._path(name) if name else self._new())
        except OSError as error:
            raise StorageError(
                f"a snapshot cannot be written to {str(self._folder)!r}: {error.strerror}; make "
                "room for it, or make the folder writable"
            ) from error
        try:
            write_snapshot(snapshot, path)
        except StorageError:
            if not name:
                with contextlib.suppress(OSError):
                    path.unlink()
            raise
        return composed(path.name.removesuffix(SUFFIX))

    def _new(self) -> Path:
        """Create an empty file under a name that is not in use, which reserves the name."""
        for number in count(1):
            path = self._path(f"Snapshot {number}")
            with contextlib.suppress(FileExistsError), path.open("x"):
                return path
        raise AssertionError

    def load(self, name: str = "") -> tuple[str, Snapshot]:
        """The snapshot of a name, or without one the last that was taken; and its name.

        Raises
        ------
        ConfigError, StorageError
            There is none of the name; the file is damaged.
        """
        files = named_files(self._folder, SUFFIX)
        name = checked_name("/snapshot/recall", name) if name else _last(files)
        if name not in files:
            have = ", ".join(sorted(files)[:8])
            missing = f"there is no {name!r}" if name else "no snapshot was taken yet"
            hint = f"there are: {have}" if have else "take one with /snapshot/take"
            raise ConfigError(f"/snapshot/recall: {missing}; {hint}")
        return name, read_snapshot(files[name])

    def delete(self, name: str) -> None:
        """Delete one.

        Raises
        ------
        ConfigError, StorageError
            There is none of the name; the file cannot be deleted.
        """
        name = checked_name("/snapshot/delete", name)
        path = named_files(self._folder, SUFFIX).get(name)
        if path is None:
            raise ConfigError(f"/snapshot/delete: there is no {name!r}")
        try:
            path.unlink()
        except OSError as error:
            raise StorageError(
                f"snapshot {name!r} cannot be deleted: {error.strerror}"
            ) from error  # fmt: skip

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def _last(files: dict[str, Path]) -> str:
    """The name of the file that was written last, or ""."""
    written: dict[str, int] = {}
    for name, path in files.items():
        with contextlib.suppress(OSError):  # deleted meanwhile
            written[name] = path.stat().st_mtime_ns
    return max(written, key=written.__getitem__, default="")
