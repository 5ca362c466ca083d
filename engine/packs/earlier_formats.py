"""Formats 1 and 2 of `pack.toml`, read into the objects of format 3. Any thread, any process.

A pack of format 2 is a chain of stages with blocks of one length: optionally notes, then spectra;
the last spectra are decoded to mono sound. Format 1 has one stage, written `[stage]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from engine.controls.pack_controls import EARLIER_CONTROLS, earlier_controls
from engine.errors import PackError
from engine.fields import Field, read_table
from engine.packs.manifest import Manifest
from engine.packs.stages import Guidance, Input, Sampling, Stage, Steps
from engine.representations.roll import ROWS
from engine.representations.signals import Grid, Signal

__all__ = ["TABLES", "read_earlier"]

TABLES: Mapping[str, tuple[Field, ...]] = {
    "": (Field("format", int, "version of this file: 1 or 2"),),
    "pack": (
        Field("name", str, "short name: letters, digits, dashes; also its folder's name"),
        Field("title", str, "one line for people"),
        Field("version", str, "the pack's own version"),
        Field("licence", str, "SPDX identifier of the weights' licence"),
        Field("credits", list, "lines that must be shown with it", default=(), required=False),
    ),
    "audio": (
        Field("rate", int, "samples per second", 4000, 192000),
        Field("channels", int, "1: mono; stereo packs are of format 3", 1, 1),
    ),
    "representation": (
        Field("kind", str, "what a frame is", choices=("log-magnitude",)),
        Field("window", int, "samples of the Hann window", 16, 16384),
        Field("hop", int, "samples from frame to frame", 4, 8192),
        Field("bins", int, "rows of a block; bins above are silent", 8, 8193),
        Field("floor", float, "added to magnitudes before the logarithm", 1e-9, 10.0),
        Field("scale", float, "divides the logarithm after the mean is subtracted", 1e-6, 1e3),
        Field("mean", str, "file: float32 .npy [bins], mean of the logarithm"),
        Field("phase", str, "phase reconstruction; empty: the default",
              choices=("", "gradient-raar", "gradient-gl", "gradient"), default="",
              required=False),
    ),
    "stage": (
        Field("name", str, "of the stage; later stages use it to read its frames"),
        Field("represents", str, "what a frame is: a column of the pack's representation, or notes",
              choices=("spectrum", "notes"), default="spectrum", required=False),
        Field("hop", int, "of notes: samples from frame to frame", 16, 65536, default=0,
              required=False),
        Field("frames", int, "columns of a block", 1, 65536),
        Field("step", str, "file: ONNX graph of one step, (x, alpha, sigma, ...) -> x0"),
        Field("continuing", str, "how a block reads its past: as the block before (embed), or as "
              "the clean frames before it (prefix)", choices=("embed", "prefix")),
        Field("context", str, "file: ONNX graph run once per block, (inputs) -> tensors"),
        Field("context_frames", int, "of prefix: clean frames before the block", 1, 65536,
              default=0, required=False),
        Field("after", str, "the earlier stage whose frames it reads", default="", required=False),
        Field("history", int, "frames of that stage before the block", 0, 65536, default=0,
              required=False),
        Field("lookahead", int, "frames of that stage beyond the block", 0, 64, default=0,
              required=False),
        Field("controls", list, "controls it reads", default=(), required=False),
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
        Field("transcription", str, "file: basic-pitch's ONNX graph, which finds notes in audio",
              default="", required=False),
    ),
    "golden": (
        Field("file", str, "file: .npz of inputs and outputs for the self-test"),
        Field("tolerance", float, "largest difference over the output's deviation", 0.0, 1.0),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Stage:
    """One stage as formats 1 and 2 have it; see the table `stage`."""

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


def read_earlier(path: Path, raw: Mapping[str, Any]) -> Manifest:
    """Read a manifest of format 1 or 2.

    Raises
    ------
    PackError
        A field is missing or wrong; the message is one line.
    """
    where = str(path)
    single = [name for name in TABLES if name not in ("", "stage", "listening")]
    tables = {name: read_table(where, name, TABLES[name], raw.get(name)) for name in single}
    listening = read_table(where, "listening", TABLES["listening"], raw.get("listening", {}))
    files = raw.get("files")
    if not isinstance(files, dict) or not all(isinstance(v, str) for v in files.values()):
        raise PackError(f"{path}: table [files] is missing; it maps each file to its SHA-256")
    head, audio, golden = tables["pack"], tables["audio"], tables["golden"]
    spectrum = tables["representation"]
    if spectrum["bins"] > spectrum["window"] // 2 + 1:
        raise PackError(
            f"{path}: representation.bins is {spectrum['bins']}; a window of "
            f"{spectrum['window']} has {spectrum['window'] // 2 + 1}"
        )
    earlier = _stages(where, raw)
    _check_line(where, earlier, spectrum["hop"])
    sound = "audio" if all(s.name != "audio" for s in earlier) else "decoded_audio"
    signals = [_signal(s, spectrum) for s in earlier]
    signals.append(Signal(sound, "samples", 1, 1, Grid(samples=Fraction(1))))
    decode = Stage("decode", "transform", sound, (Input(earlier[-1].name),), transform="decode")
    names = dict.fromkeys(name for s in earlier for name in s.controls)
    return Manifest(
        folder=path.parent,
        format=raw["format"],
        name=head["name"], title=head["title"], version=head["version"],
        licence=head["licence"], credits=tuple(map(str, head["credits"])),
        rate=audio["rate"], channels=audio["channels"],
        output=sound,
        signals=tuple(signals),
        stages=(*(_stage(s, i) for i, s in enumerate(earlier)), decode),
        controls=earlier_controls(names),
        encoders=(),
        transcription=listening["transcription"],
        golden=golden["file"], tolerance=golden["tolerance"],
        files=files,
    )  # fmt: skip


def _stages(where: str, raw: Mapping[str, Any]) -> list[_Stage]:
    tables = raw.get("stage")
    single = isinstance(tables, dict)  # format 1
    if single:
        tables = [tables]
    if not isinstance(tables, list) or not tables:
        raise PackError(f"{where}: table [[stage]] is missing; a pack has one or more")
    stages: list[_Stage] = []
    for table in cast("list[Any]", tables):
        if single and isinstance(table.get("guidance"), bool):
            table = {**table, "guidance": "past" if table["guidance"] else ""}
        values = read_table(where, "stage", TABLES["stage"], table)
        values["controls"] = tuple(map(str, values["controls"]))
        stages.append(_Stage(**values))
    return stages


def _signal(stage: _Stage, spectrum: Mapping[str, Any]) -> Signal:
    if stage.represents == "notes":
        return Signal(stage.name, "roll", ROWS, 1, Grid(samples=Fraction(stage.hop)))
    options = {k: v for k, v in spectrum.items() if k not in ("kind", "hop", "bins")}
    grid = Grid(samples=Fraction(spectrum["hop"]))
    return Signal(stage.name, "log-magnitude", spectrum["bins"], 1, grid, options=options)


def _stage(stage: _Stage, number: int) -> Stage:
    """The stage of format 3; the first stage reads the engine's `temperature`."""
    inputs = (Input(stage.after, stage.history, stage.lookahead, stage.after),)
    return Stage(
        name=stage.name,
        kind="diffusion",
        output=stage.name,
        inputs=inputs if stage.after else (),
        continues=stage.continuing,
        block=stage.frames,
        past=stage.context_frames,
        graphs={"context": stage.context, "step": stage.step},
        sampling=Sampling(
            schedule=stage.schedule, schedule_options=stage.schedule_options,
            sampler=stage.sampler, steps=Steps(stage.min_steps, stage.steps),
            guidance=Guidance(stage.guidance, stage.default_guidance),
            temperature=stage.temperature,
        ),
        controls=stage.controls if number else (*stage.controls, "temperature"),
        noise_key=number,
    )  # fmt: skip


def _check_line(where: str, stages: list[_Stage], hop: int) -> None:
    """Check the rules of formats 1 and 2: blocks of one length, notes first, sound last."""
    seconds = stages[-1].frames * hop
    names: list[str] = []
    ahead = [s.name for s in stages if s.lookahead]
    for i, stage in enumerate(stages):
        line = f"{where}: stage {stage.name!r}"
        notes = stage.represents == "notes"
        if stage.name in names or not stage.name.isidentifier():
            raise PackError(f"{line}: use a different word as the name of each stage")
        if notes and (i or stage.hop == 0 or stage.continuing != "prefix"):
            raise PackError(f"{line}: notes come first, with a hop and continuing = 'prefix'")
        if not notes and stage.hop:
            raise PackError(f"{line}: hop is of notes; a spectrum has the representation's")
        if stage.continuing == "prefix" and not stage.context_frames:
            raise PackError(f"{line}: context_frames is missing; continuing by prefix needs it")
        if stage.continuing == "embed" and stage.context_frames:
            raise PackError(f"{line}: context_frames is of prefix; embed uses the block before")
        if stage.after and stage.after not in names:
            earlier = ", ".join(names) or "none"
            raise PackError(f"{line}: after is {stage.after!r}; earlier stages are {earlier}")
        if not stage.after and (stage.history or stage.lookahead):
            raise PackError(f"{line}: history and lookahead need 'after', the stage they are of")
        first = stages[0]
        if stage.lookahead and (
            first.represents != "notes" or stage.after != first.name or len(ahead) > 1
        ):
            raise PackError(f"{line}: only one stage can have lookahead, and only to a notes stage")
        length = stage.frames * (stage.hop if notes else hop)
        if length != seconds:
            raise PackError(f"{line}: a block is {length} samples; the last stage's is {seconds}")
        for control in stage.controls:
            known = [c.short for c in EARLIER_CONTROLS]
            if control not in known:
                raise PackError(
                    f"{line}: control {control!r} is unknown; known are {', '.join(known)}"
                )
        names.append(stage.name)
    if stages[-1].represents != "spectrum":
        raise PackError(f"{where}: the last stage outputs {stages[-1].represents}; use spectra")
