"""`pack.toml`, read and checked. Pure data: any thread, any process. Documented in docs/packs.md.

Every field is a row of a table below; a manifest with a missing, unknown or wrong field is
refused with one line that names the file, the field and what it takes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, cast

from engine.controls.control import Control
from engine.controls.pack_controls import earlier_controls
from engine.errors import PackError, StorageError
from engine.packs.cascade import check_cascade
from engine.packs.fields import Field, read_table
from engine.packs.playable import check_playable
from engine.text_files import read_text

FORMAT = 2  # the newest version of pack.toml this player reads
OLDEST = 1  # of one stage, written [stage]
MANIFEST = "pack.toml"
_LARGEST = 1 << 20  # bytes
_CONTINUING = ("embed", "prefix")


TABLES: Mapping[str, tuple[Field, ...]] = {
    "": (Field("format", int, "version of this file; this player reads 1 and 2"),),
    "pack": (
        Field("name", str, "short name: letters, digits, dashes; also its folder's name"),
        Field("title", str, "one line for people"),
        Field("version", str, "the pack's own version"),
        Field("licence", str, "SPDX identifier of the weights' licence"),
        Field("credits", list, "lines that must be shown with it", default=(), required=False),
    ),
    "audio": (
        Field("rate", int, "samples per second", 4000, 192000),
        Field("channels", int, "1: mono; this player does not play stereo packs yet", 1, 1),
    ),
    "representation": (
        Field("kind", str, "what a frame is", choices=("log-magnitude",)),
        Field("window", int, "samples of the Hann window", 16, 16384),
        Field("hop", int, "samples from frame to frame", 4, 8192),
        Field("bins", int, "rows of a block; bins above are silent", 8, 8193),
        Field("floor", float, "added to magnitudes before the logarithm", 1e-9, 10.0),
        Field("scale", float, "divides the logarithm once the mean is taken off", 1e-6, 1e3),
        Field("mean", str, "file: float32 .npy [bins], mean of the logarithm"),
        Field("phase", str, "phase reconstruction; empty: the best", default="", required=False),
    ),
    "stage": (
        Field("name", str, "of the stage; later stages that hear it name it so"),
        Field("represents", str, "what a frame is: a column of the pack's representation, or notes",
              choices=("spectrum", "notes"), default="spectrum", required=False),
        Field("hop", int, "of notes: samples from frame to frame", 16, 65536, default=0,
              required=False),
        Field("frames", int, "columns of a block", 1, 65536),
        Field("step", str, "file: ONNX graph of one step, (x, alpha, sigma, ...) -> x0"),
        Field("continuing", str, "how a block hears its past: as the block before (embed), or as "
              "the clean frames before it (prefix)", choices=_CONTINUING),
        Field("context", str, "file: ONNX graph run once a block, (what it hears) -> tensors"),
        Field("context_frames", int, "of prefix: clean frames before the block", 1, 65536,
              default=0, required=False),
        Field("after", str, "the earlier stage whose frames it hears", default="", required=False),
        Field("history", int, "frames of that stage before the block", 0, 65536, default=0,
              required=False),
        Field("lookahead", int, "frames of that stage beyond the block", 0, 64, default=0,
              required=False),
        Field("controls", list, "controls it hears", default=(), required=False),
        Field("schedule", str, "noise levels", default="karras", required=False),
        Field("schedule_options", dict, "of the schedule", default={}, required=False),
        Field("sampler", str, "default sampler", default="dpmpp_2m", required=False),
        Field("steps", int, "default network evaluations per block", 1, 200),
        Field("min_steps", int, "the governor goes no lower", 1, 200, default=1, required=False),
        Field("temperature", float, "default temperature", 0.5, 1.5, default=1.0, required=False),
        Field("guidance", str, "what it was trained without at times, so that guidance can stress "
              "it: its past or its controls", choices=("", "past", "controls"), default="",
              required=False),
        Field("default_guidance", float, "default guidance", 0.0, 4.0, default=1.0,
              required=False),
    ),
    "listening": (
        Field("transcription", str, "file: basic-pitch's ONNX graph, which hears notes in audio",
              default="", required=False),
    ),
    "golden": (
        Field("file", str, "file: .npz of inputs and outputs for the self-test"),
        Field("tolerance", float, "largest difference over the output's deviation", 0.0, 1.0),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One diffusion process of a pack; see the table `stage` for the fields."""

    name: str
    frames: int
    step: str
    continuing: str
    context: str
    steps: int
    represents: str = "spectrum"
    hop: int = 0
    context_frames: int = 0
    after: str = ""
    history: int = 0
    lookahead: int = 0
    controls: tuple[str, ...] = ()
    schedule: str = "karras"
    schedule_options: Mapping[str, float] = field(default_factory=dict[str, float])
    sampler: str = "dpmpp_2m"
    min_steps: int = 1
    temperature: float = 1.0
    guidance: str = ""
    default_guidance: float = 1.0

    @property
    def past_frames(self) -> int:
        """Clean frames of its own that a block hears: the block before, or the prefix."""
        return self.frames if self.continuing == "embed" else self.context_frames


@dataclass(frozen=True)
class Representation:
    """How a frame becomes sound; see the table `representation`."""

    kind: str
    window: int
    hop: int
    bins: int
    floor: float
    scale: float
    mean: str
    phase: str = ""


@dataclass(frozen=True)
class Manifest:
    """A checked `pack.toml`. `files` maps every file of the pack to its SHA-256."""

    folder: Path
    name: str
    title: str
    version: str
    licence: str
    credits: tuple[str, ...]
    rate: int
    channels: int
    representation: Representation
    stages: tuple[Stage, ...]
    transcription: str
    golden: str
    tolerance: float
    files: Mapping[str, str]

    @property
    def stage(self) -> Stage:
        """The first stage: its steps, sampler and temperature are the pack's defaults."""
        return self.stages[0]

    @property
    def sound(self) -> Stage:
        """The last stage: its frames are decoded to samples."""
        return self.stages[-1]

    @property
    def notes(self) -> Stage | None:
        """The stage that makes notes, if one does."""
        return self.stages[0] if self.stages[0].represents == "notes" else None

    @cached_property
    def controls(self) -> tuple[Control, ...]:
        """The pack's own controls, beside the engine's."""
        return earlier_controls(name for stage in self.stages for name in stage.controls)

    def hop(self, stage: Stage) -> int:
        """Samples from frame to frame of a stage."""
        return stage.hop if stage.represents == "notes" else self.representation.hop

    @property
    def block_samples(self) -> int:
        """Samples at the pack's rate in one whole block."""
        return self.sound.frames * self.representation.hop

    @property
    def block_seconds(self) -> float:
        """Length of one whole block."""
        return self.block_samples / self.rate

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


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a pack's folder. Hashes are not checked here (see verify).

    Raises
    ------
    PackError
        One line: what is missing or wrong, where, and what it takes.
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
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"{path}: not valid TOML ({error}); install the pack again") from error
    version = raw.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise PackError(
            f"{path}: format {version} is of a future version; this player reads up to {FORMAT}: "
            "update attacca"
        )
    if not isinstance(version, int) or version < OLDEST:
        raise PackError(f"{path}: format is {version!r}; it has to be {OLDEST} to {FORMAT}")
    single = [name for name in TABLES if name not in ("", "stage", "listening")]
    tables = {name: read_table(str(path), name, TABLES[name], raw.get(name)) for name in single}
    listening = read_table(str(path), "listening", TABLES["listening"], raw.get("listening", {}))
    files = raw.get("files")
    if not isinstance(files, dict) or not all(isinstance(v, str) for v in files.values()):
        raise PackError(f"{path}: table [files] is missing; it maps each file to its SHA-256")
    head, audio, golden = tables["pack"], tables["audio"], tables["golden"]
    representation = Representation(**tables["representation"])
    if representation.bins > representation.window // 2 + 1:
        raise PackError(
            f"{path}: representation.bins is {representation.bins}; a window of "
            f"{representation.window} has {representation.window // 2 + 1}"
        )
    manifest = Manifest(
        folder=folder,
        name=head["name"], title=head["title"], version=head["version"],
        licence=head["licence"], credits=tuple(map(str, head["credits"])),
        rate=audio["rate"], channels=audio["channels"],
        representation=representation,
        stages=tuple(_stages(path, raw)),
        transcription=listening["transcription"],
        golden=golden["file"], tolerance=golden["tolerance"],
        files=files,
    )  # fmt: skip
    check_cascade(path, manifest)
    check_playable(path, manifest)
    return manifest


def _stages(path: Path, raw: Mapping[str, Any]) -> list[Stage]:
    given = raw.get("stage")
    old = isinstance(given, dict)  # format 1
    if old:
        given = [given]
    if not isinstance(given, list) or not given:
        raise PackError(f"{path}: table [[stage]] is missing; a pack has one or more")
    stages: list[Stage] = []
    for table in cast("list[Any]", given):
        if old and isinstance(table.get("guidance"), bool):
            table = {**table, "guidance": "past" if table["guidance"] else ""}
        values = read_table(str(path), "stage", TABLES["stage"], table)
        values["controls"] = tuple(map(str, values["controls"]))
        stages.append(Stage(**values))
    return stages
