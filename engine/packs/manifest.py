"""A pack's manifest, `pack.toml`, as one object. Pure data: any thread, any process.

docs/packs.md documents the file field by field. Format 3 is read by engine/packs/format_3.py, the
earlier formats by engine/packs/earlier_formats.py, both into the objects below.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from engine.controls.control import Control
from engine.errors import PackError, StorageError
from engine.packs.stages import Stage
from engine.representations.signals import Signal
from engine.text_files import read_text

__all__ = ["MANIFEST", "Encoder", "Manifest", "read_toml"]

MANIFEST = "pack.toml"
NOTES = ("roll",)  # kinds of signals whose frames are notes
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Encoder:
    """A graph that turns a text control into tensors when the text changes.

    `graph` takes `tokens` int64 [1, length] and `mask` of the same shape; `tokenizer` is a
    `tokenizer.json`; `outputs` maps its outputs to inputs of the stages' graphs.
    """

    control: str
    graph: str
    tokenizer: str
    length: int
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """A checked manifest.

    Attributes
    ----------
    folder : of the pack.
    rate, channels : of the sound that it plays.
    output : the signal that is played, of kind `samples`.
    signals, stages, encoders, controls : what the plan is made of; stages in an order in which
        each follows the stages that it reads.
    transcription : file of a graph that finds notes in sound, or "".
    golden, tolerance : the self-test's file, and the largest difference it allows.
    files : every file of the pack, with its SHA-256.
    """

    folder: Path
    format: int
    name: str
    title: str
    version: str
    licence: str
    credits: tuple[str, ...]
    rate: int
    channels: int
    output: str
    signals: tuple[Signal, ...]
    stages: tuple[Stage, ...]
    controls: tuple[Control, ...]
    encoders: tuple[Encoder, ...]
    transcription: str
    golden: str
    tolerance: float
    files: Mapping[str, str]

    @cached_property
    def _signals(self) -> dict[str, Signal]:
        return {signal.name: signal for signal in self.signals}

    @cached_property
    def _producers(self) -> dict[str, Stage]:
        return {stage.output: stage for stage in self.stages}

    def signal(self, name: str) -> Signal:
        """The signal of that name."""
        return self._signals[name]

    def producer(self, signal: str) -> Stage | None:
        """The stage that produces a signal; None for an external one."""
        return self._producers.get(signal)

    @property
    def sampled(self) -> tuple[Stage, ...]:
        """The diffusion stages, in order."""
        return tuple(stage for stage in self.stages if stage.kind == "diffusion")

    @property
    def least_steps(self) -> int:
        """The fewest steps of the first diffusion stage; 1 without one."""
        return self.sampled[0].sampling.steps.least if self.sampled else 1

    @property
    def has_notes(self) -> bool:
        """Whether one of its stages generates notes."""
        return any(self.signal(stage.output).kind in NOTES for stage in self.stages)

    def path(self, name: str) -> Path:
        """Full path of one of the pack's files.

        Raises
        ------
        PackError
            When the name leads out of the pack's folder or is not listed.
        """
        inside = PurePosixPath(name)
        odd = any(not c.isprintable() or c in "\\:" for c in name)  # of Windows, or of no system
        if inside.is_absolute() or ".." in inside.parts or odd or name not in self.files:
            raise PackError(f"{self.folder / MANIFEST}: {name!r} is no file listed in the pack")
        return self.folder / name


def read_toml(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The path of a pack's manifest, and what the file says.

    Raises
    ------
    PackError
        The file is missing, cannot be read, or is not TOML.
    """
    path = folder / MANIFEST
    try:
        text = read_text(path, _LARGEST)
    except FileNotFoundError:
        raise PackError(
            f"{folder}: no {MANIFEST} there; is it a pack? See 'attacca packs'"
        ) from None
    except (OSError, StorageError) as error:
        raise PackError(f"{path}: cannot be read ({error})") from error
    try:
        return path, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"{path}: not valid TOML ({error}); install the pack again") from error
