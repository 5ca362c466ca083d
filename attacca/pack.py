"""A pack in the public API: its manifest, its files, its self-test.

Any thread; `self_test` opens separate ONNX sessions and takes a second or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.arguments import AnyPath, checked_path, checked_whole
from engine.packs.discovery import find_pack, installed_packs
from engine.packs.files import verify_files
from engine.packs.manifest import Manifest
from engine.packs.read import read_manifest
from engine.stream.self_test import SelfTest

__all__ = ["Pack"]


@dataclass(frozen=True)
class Pack:
    """An installed pack.

    Attributes
    ----------
    manifest : Manifest
        Its `pack.toml`, read and checked: name, rate, credits, stage, files.
    """

    manifest: Manifest

    def __fspath__(self) -> str:
        """Its folder, so that `Instrument(pack)` plays it."""
        return str(self.manifest.folder)

    @classmethod
    def open(cls, name: AnyPath) -> Pack:
        """Find a pack by name or folder and read its manifest.

        Raises
        ------
        PackError, ConfigError
            The pack does not exist, its manifest is invalid, or `name` is neither a name nor a
            path.
        """
        return cls(read_manifest(find_pack(str(checked_path("pack", name)))))

    @staticmethod
    def installed() -> dict[str, Path]:
        """Name to folder of every pack installed, damaged ones included."""
        return installed_packs()

    def verify(self) -> None:
        """Check that every file exists and has its SHA-256.

        Raises
        ------
        PackError
            Naming the first file that is missing or damaged.
        """
        verify_files(self.manifest)

    def self_test(self, threads: int = 1) -> SelfTest:
        """Run the pack's golden vectors on this machine's CPU.

        Raises
        ------
        PackError, ConfigError
            A graph or the vectors cannot be opened, or threads is not 1 to 256.
        """
        threads = checked_whole("threads", threads, 1, 256)
        from engine.execution.executor import make_executor
        from engine.stream.self_test import self_test

        return self_test(self.manifest, make_executor("cpu", threads))
